// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "numerics/dense/level.h"
#include "numerics/matrix.h"

namespace onnxpress {

// A quantized matrix under construction, cut into panels of outputs that threads work on.
class PanelQuantizer {
 public:
  // Starts from `q`, layout in_out.
  PanelQuantizer(const Matrix& w, QuantizedMatrix q, ThreadPool& pool);

  struct Panel {
    std::vector<float> w;  // [in, kPanel]
    std::vector<float> scales, zeros;
    std::vector<std::uint8_t> codes;
    dense::PanelGrid grid;
    std::int64_t first = 0;    // output
    std::int64_t columns = 0;  // of them that count
  };
  // Calls `work` for each panel, from the threads of the pool, with what the last call left in
  // scales, zeros and codes.
  void for_each(const std::function<void(Panel&)>& work);
  [[nodiscard]] QuantizedMatrix take() && { return std::move(q_); }

 private:
  void load(Panel& panel, std::int64_t first) const;
  void store(const Panel& panel);

  const Matrix& w_;
  ThreadPool& pool_;
  QuantizedMatrix q_;
};

}  // namespace onnxpress
