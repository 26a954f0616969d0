// SPDX-License-Identifier: Apache-2.0
#include "calib/original_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

void require_channels(std::size_t channels, std::size_t scales, const std::string& name) {
  if (channels == scales) return;
  throw Error(codes::internal_error,
              fmt::format("{}: {} scales for {} channels", name, scales, channels));
}

// Xᵀ·X of X/s.
void divide(Gram& gram, const std::vector<double>& scales) {
  for (std::size_t i = 0; i < scales.size(); ++i) {
    gram.sum[i] /= scales[i];
    double* row = gram.xx.data() + i * scales.size();
    for (std::size_t j = 0; j < scales.size(); ++j) row[j] /= scales[i] * scales[j];
  }
}

PairGram same_in_both(const Gram& gram) {
  PairGram pair{gram, gram, CrossGram(gram.size)};
  pair.cross.rows = gram.rows;
  pair.cross.xy = gram.xx;
  return pair;
}

Matrix matrix_of(const std::vector<RowReservoir::Row>& rows, bool held_out, std::int64_t width) {
  Matrix result(0, width);
  for (const RowReservoir::Row& row : rows) {
    if (CalibrationSet::held_out(static_cast<std::size_t>(row.place.sample)) != held_out) continue;
    result.values.insert(result.values.end(), row.values.begin(), row.values.end());
    ++result.rows;
  }
  return result;
}

// Mean of x² over the rows to solve on: all that were seen, where their Gram is there.
std::vector<double> energy_of(const TensorStatistics& x, const Matrix& train) {
  std::vector<double> energy(static_cast<std::size_t>(x.width));
  if (x.train && x.train->rows > 0) {
    const Gram gram = x.train->gram();
    for (std::int64_t c = 0; c < x.width; ++c) {
      energy[static_cast<std::size_t>(c)] = gram.at(c, c) / static_cast<double>(gram.rows);
    }
    return energy;
  }
  for (std::int64_t i = 0; i < train.rows; ++i) {
    for (std::size_t c = 0; c < energy.size(); ++c) {
      const double value = train.row(i)[c];
      energy[c] += value * value / static_cast<double>(train.rows);
    }
  }
  return energy;
}

void divide(SmoothingInput& x, const std::vector<double>& scales) {
  const auto divide_rows = [&](std::vector<float>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(static_cast<double>(values[i]) / scales[i % scales.size()]);
    }
  };
  for (auto* values : {&x.batch_min, &x.batch_max, &x.train.values, &x.held_out.values}) {
    divide_rows(*values);
  }
  for (std::size_t c = 0; c < scales.size(); ++c) {
    x.energy[c] /= scales[c] * scales[c];
    x.mean_abs[c] /= scales[c];
  }
}

}  // namespace

OriginalStatistics::Source OriginalStatistics::source_of(const std::string& name) const {
  const auto at = scaled_.find(name);
  return at == scaled_.end() ? Source{name, {}} : at->second;
}

void OriginalStatistics::scaled(const std::string& name, const std::string& source,
                                std::vector<double> scales) {
  Source before = source_of(source);
  if (!before.scales.empty()) {
    require_channels(before.scales.size(), scales.size(), name);
    for (std::size_t c = 0; c < scales.size(); ++c) scales[c] *= before.scales[c];
  }
  scaled_[name] = {std::move(before.name), std::move(scales)};
}

std::optional<StageMoments> OriginalStatistics::moments(const std::string& name) const {
  const Source source = source_of(name);
  const auto x = file_.statistics_for(source.name);
  if (!x || !x->train || x->rows == 0) return std::nullopt;
  StageMoments moments = x->moments();
  for (PairGram* part : {&moments.train, &moments.held_out}) {
    if (!source.scales.empty()) {
      require_channels(static_cast<std::size_t>(x->width), source.scales.size(), name);
      divide(part->edited, source.scales);
    }
    *part = same_in_both(part->edited);
  }
  moments.train.original = moments.train.original.sums();
  return moments;
}

std::optional<SmoothingInput> OriginalStatistics::smoothing_input(const std::string& name) const {
  const Source source = source_of(name);
  const auto x = file_.statistics_for(source.name);
  if (!x || !x->reservoir) return std::nullopt;
  SmoothingInput input;
  input.channels = x->width;
  const std::vector<RowReservoir::Row> rows = x->reservoir->rows();
  input.train = matrix_of(rows, false, x->width);
  input.held_out = matrix_of(rows, true, x->width);
  if (input.train.rows == 0) return std::nullopt;
  for (std::size_t c = 0; c < x->channels.min.size(); ++c) {
    input.batch_min.push_back(std::min(x->channels.min[c], 0.0F));
    input.batch_max.push_back(std::max(x->channels.max[c], 0.0F));
  }
  input.energy = energy_of(*x, input.train);
  input.mean_abs = x->mean_abs();
  if (!source.scales.empty()) {
    require_channels(static_cast<std::size_t>(x->width), source.scales.size(), name);
    divide(input, source.scales);
  }
  return input;
}

}  // namespace onnxpress
