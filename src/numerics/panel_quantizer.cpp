// SPDX-License-Identifier: Apache-2.0
#include "numerics/panel_quantizer.h"

#include <algorithm>
#include <utility>

namespace onnxpress {

using dense::kPanel;

PanelQuantizer::PanelQuantizer(const Matrix& w, QuantizedMatrix q, ThreadPool& pool)
    : w_(w), pool_(pool), q_(std::move(q)) {}

void PanelQuantizer::load(Panel& panel, std::int64_t first) const {
  const Grid& grid = q_.grid;
  panel.first = first;
  panel.columns = std::min(kPanel, w_.columns - first);
  panel.grid.group = grid.group == 0 ? std::max<std::int64_t>(w_.rows, 1) : grid.group;
  panel.grid.lowest = static_cast<float>(grid.lowest_code());
  panel.grid.highest = static_cast<float>((1 << grid.bits) - 1);
  panel.grid.symmetric = grid.symmetric;
  panel.grid.signed_scales = grid.has_full_range();
  const std::int64_t groups = grid.groups(w_.rows);
  panel.w.assign(static_cast<std::size_t>(w_.rows * kPanel), 0);
  panel.codes.assign(panel.w.size(), 0);
  panel.scales.assign(static_cast<std::size_t>(groups * kPanel), 1);
  panel.zeros.assign(panel.scales.size(), static_cast<float>(grid.offset()));
  for (std::int64_t i = 0; i < w_.rows; ++i) {
    std::copy_n(w_.row(i) + first, panel.columns, panel.w.data() + i * kPanel);
    std::copy_n(q_.codes.data() + i * w_.columns + first, panel.columns,
                panel.codes.data() + i * kPanel);
  }
  for (std::int64_t g = 0; g < groups; ++g) {
    std::copy_n(q_.scales.data() + g * w_.columns + first, panel.columns,
                panel.scales.data() + g * kPanel);
    if (grid.symmetric) continue;
    std::copy_n(q_.zero_points.data() + g * w_.columns + first, panel.columns,
                panel.zeros.data() + g * kPanel);
  }
  panel.grid.scales = panel.scales.data();
  panel.grid.zeros = panel.zeros.data();
}

void PanelQuantizer::store(const Panel& panel) {
  for (std::int64_t i = 0; i < w_.rows; ++i) {
    std::copy_n(panel.codes.data() + i * kPanel, panel.columns,
                q_.codes.data() + i * w_.columns + panel.first);
  }
  for (std::int64_t g = 0; g < q_.grid.groups(w_.rows); ++g) {
    std::copy_n(panel.scales.data() + g * kPanel, panel.columns,
                q_.scales.data() + g * w_.columns + panel.first);
    if (q_.grid.symmetric) continue;
    std::transform(panel.zeros.data() + g * kPanel, panel.zeros.data() + g * kPanel + panel.columns,
                   q_.zero_points.data() + g * w_.columns + panel.first,
                   [](float zero) { return static_cast<std::uint8_t>(zero); });
  }
}

void PanelQuantizer::for_each(const std::function<void(Panel&)>& work) {
  pool_.parallel_for(w_.columns, kPanel, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t first = begin; first < end; first += kPanel) {
      Panel panel;
      load(panel, first);
      work(panel);
      store(panel);
    }
  });
}

}  // namespace onnxpress
