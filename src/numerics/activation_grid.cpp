// SPDX-License-Identifier: Apache-2.0
#include "numerics/activation_grid.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <numeric>
#include <utility>

#include "numerics/dense/level.h"
#include "numerics/quantize_rtn.h"
#include "numerics/smoothing_candidates.h"

namespace onnxpress {
namespace {

constexpr float kMostCode = 255;
constexpr std::int64_t kCoarseRows = 128;
constexpr std::size_t kFinalists = 6;
constexpr std::size_t kWalkers = 3;  // finalists whose range is searched to the end
// Shares of the range that was seen.
constexpr double kShares[] = {1, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2};
constexpr double kWorthIt = 0.99;  // a scale for each channel lowers the error at least so far
constexpr std::int64_t kComparedWeights = std::int64_t{1} << 16;

struct ChannelRange {
  std::vector<double> low, high;  // 0 is among them
};

ChannelRange channel_ranges(const SmoothingInput& x) {
  const auto width = static_cast<std::size_t>(x.channels);
  ChannelRange range{std::vector<double>(width), std::vector<double>(width)};
  for (std::size_t i = 0; i < x.batch_min.size(); ++i) {
    range.low[i % width] = std::min(range.low[i % width], static_cast<double>(x.batch_min[i]));
    range.high[i % width] = std::max(range.high[i % width], static_cast<double>(x.batch_max[i]));
  }
  return range;
}

float usable(double step) {
  return static_cast<float>(std::max(step, static_cast<double>(std::numeric_limits<float>::min())));
}

std::uint8_t code(double value) {
  return static_cast<std::uint8_t>(std::clamp(std::nearbyint(value), 0.0, 255.0));
}

// One scale s for each channel; a range cut to `share`.
ActivationGrid make_grid(const ChannelRange& range, const std::vector<float>& s, bool shifted,
                         double share) {
  const std::size_t width = range.low.size();
  ActivationGrid grid;
  double low = 0;
  double high = 0;
  for (std::size_t j = 0; j < width; ++j) {
    const double scale = s.empty() ? 1 : static_cast<double>(s[j]);
    if (shifted) {
      high = std::max(high, (range.high[j] - range.low[j]) / 2 / scale);
    } else {
      low = std::min(low, range.low[j] / scale);
      high = std::max(high, range.high[j] / scale);
    }
  }
  if (shifted) low = -high;
  const double step = high > low ? (high - low) * share / kMostCode : 1;
  grid.step = usable(step);
  grid.zero = code(-low * share / static_cast<double>(grid.step));
  if (s.empty() && !shifted) return grid;
  for (std::size_t j = 0; j < width; ++j) {
    const float scale =
        usable(static_cast<double>(grid.step) * (s.empty() ? 1 : static_cast<double>(s[j])));
    grid.scales.push_back(scale);
    if (!shifted) continue;
    const double center = (range.low[j] + range.high[j]) / 2;
    grid.zeros.push_back(code(kMostCode / 2 - center / static_cast<double>(scale)));
  }
  if (!shifted) grid.zeros.assign(width, grid.zero);
  return grid;
}

std::vector<float> inverse_scales(const ActivationGrid& grid, std::size_t channels) {
  std::vector<float> inverse(channels, grid.step);
  if (grid.per_channel()) inverse = grid.scales;
  return inverse;
}

std::vector<float> float_zeros(const ActivationGrid& grid, std::size_t channels) {
  std::vector<float> zeros(channels, static_cast<float>(grid.zero));
  for (std::size_t j = 0; j < grid.zeros.size(); ++j) zeros[j] = static_cast<float>(grid.zeros[j]);
  return zeros;
}

// Σ_j weight_j·(x_j - x̂_j)² over some rows, their mean.
double rounding_energy(const ActivationGrid& grid, const Matrix& rows, std::int64_t count,
                       const std::vector<double>& weight) {
  const auto width = static_cast<std::size_t>(rows.columns);
  Matrix exact(count, rows.columns);
  std::copy_n(rows.values.data(), exact.values.size(), exact.values.data());
  Matrix rounded = exact;
  round_rows(grid, rounded.values.data(), count, rows.columns);
  std::vector<float> factor(width);
  for (std::size_t j = 0; j < width; ++j) factor[j] = static_cast<float>(grid.factor(j));
  std::vector<float> sum(width);
  for (std::int64_t i = 0; i < count; ++i) {
    const float* x = exact.row(i);
    const float* r = rounded.row(i);
    for (std::size_t j = 0; j < width; ++j) {
      const float d = x[j] - r[j] * factor[j];
      sum[j] += d * d;
    }
  }
  double total = 0;
  for (std::size_t j = 0; j < width; ++j) total += weight[j] * static_cast<double>(sum[j]);
  return total / static_cast<double>(std::max<std::int64_t>(count, 1));
}

// ‖w_j‖² and ‖Δw_j‖² of each row, with s multiplied in for the rounding only.
struct RowEnergies {
  std::vector<double> whole, error;
};

Matrix scaled(const Matrix& weights, const ActivationGrid& grid) {
  Matrix result = weights;
  for (std::int64_t j = 0; j < result.rows; ++j) {
    const auto factor = static_cast<float>(grid.factor(static_cast<std::size_t>(j)));
    for (std::int64_t o = 0; o < result.columns; ++o) result(j, o) *= factor;
  }
  return result;
}

RowEnergies row_energies(const Matrix& weights, const ActivationGrid& grid, const Grid& rounding,
                         ThreadPool& pool) {
  const Matrix w = scaled(weights, grid);
  const Matrix q = dequantized_matrix(quantize_rtn(weight_ref(w), rounding, pool));
  RowEnergies energies;
  for (std::int64_t j = 0; j < w.rows; ++j) {
    const double factor = std::max(grid.factor(static_cast<std::size_t>(j)), 1e-30);
    double whole = 0;
    double error = 0;
    for (std::int64_t o = 0; o < w.columns; ++o) {
      const double d = static_cast<double>(w(j, o)) - static_cast<double>(q(j, o));
      whole += static_cast<double>(w(j, o)) * static_cast<double>(w(j, o));
      error += d * d;
    }
    energies.whole.push_back(whole / (factor * factor));
    energies.error.push_back(error / (factor * factor));
  }
  return energies;
}

struct Candidate {
  std::vector<float> scales;  // empty: one
  bool shifted = false;
  std::string way;
  std::size_t share = 0;  // index in kShares
  double error = 0;
};

Matrix quantized(const Matrix& weights, const ActivationGrid& grid, const Grid& rounding,
                 ThreadPool& pool) {
  const Matrix w = scaled(weights, grid);
  return dequantized_matrix(quantize_rtn(weight_ref(w), rounding, pool));
}

// ‖XW - X̂Q‖² on rows, and ‖XW‖².
class Judge {
 public:
  Judge(const Matrix& rows, const Matrix& weights, ThreadPool& pool)
      : rows_(rows), pool_(pool), exact_(product(rows, weights, pool)) {
    for (const float y : exact_.values) whole_ += static_cast<double>(y) * static_cast<double>(y);
  }

  // q: quantized() for the grid's scales.
  [[nodiscard]] double error(const ActivationGrid& grid, const Matrix& q) const {
    constexpr std::int64_t kAtOnce = 128;
    std::vector<double> sums(static_cast<std::size_t>((rows_.rows + kAtOnce - 1) / kAtOnce));
    pool_.parallel_for(rows_.rows, kAtOnce, [&](std::int64_t begin, std::int64_t end) {
      const dense::Level& level = dense::level();
      Matrix x(end - begin, rows_.columns);
      Matrix y(end - begin, q.columns);
      std::copy_n(rows_.row(begin), x.values.size(), x.values.data());
      round_rows(grid, x.values.data(), x.rows, x.columns);
      level.multiply(x.values.data(), q.values.data(), y.values.data(), x.rows, x.columns,
                     q.columns);
      sums[static_cast<std::size_t>(begin / kAtOnce)] = level.squared_distance(
          y.values.data(), exact_.row(begin), static_cast<std::int64_t>(y.values.size()));
    });
    return std::accumulate(sums.begin(), sums.end(), 0.0);
  }
  [[nodiscard]] double relative(const ActivationGrid& grid, const Matrix& q) const {
    return whole_ > 0 ? std::sqrt(error(grid, q) / whole_) : 0;
  }

 private:
  const Matrix& rows_;
  ThreadPool& pool_;
  Matrix exact_;
  double whole_ = 0;
};

std::string number(double share) {
  const auto hundredths = static_cast<int>(std::lround(share * 100));
  if (hundredths == 100) return "whole range";
  return std::to_string(hundredths) + " % of the range";
}

// Scales for channels that are centered first: what counts is how far they reach from their middle.
SmoothingInput centered(const SmoothingInput& x, const ChannelRange& range) {
  SmoothingInput result;
  result.channels = x.channels;
  const auto width = static_cast<std::size_t>(x.channels);
  for (std::size_t j = 0; j < width; ++j) {
    const double half = (range.high[j] - range.low[j]) / 2;
    result.batch_min.push_back(static_cast<float>(-half));
    result.batch_max.push_back(static_cast<float>(half));
  }
  result.energy = x.energy;
  result.mean_abs = x.mean_abs;
  return result;
}

std::vector<Candidate> candidates(const SmoothingInput& x, const ChannelRange& range,
                                  const Matrix& weights, const ActivationGridOptions& options) {
  std::vector<Candidate> found{{}};
  if (!options.per_channel) return found;
  for (const bool shifted : {false, true}) {
    if (shifted && !options.shift) break;
    if (shifted) found.push_back({{}, true, "shifted"});
    const SmoothingInput middle = shifted ? centered(x, range) : SmoothingInput{};
    SmoothedProduct product{shifted ? &middle : &x, {}, weights};
    for (std::int32_t j = 0; j < x.channels; ++j) product.scale_of.push_back(j);
    const Channels channels = channels_of({&product, 1}, static_cast<std::size_t>(x.channels));
    for (ScaleCandidate& one :
         scale_candidates(channels, {SmoothingMethod::smoothquant, -1, options.weights})) {
      found.push_back({std::move(one.scales), shifted, one.way + (shifted ? ", shifted" : "")});
    }
  }
  return found;
}

}  // namespace

bool ActivationGrid::shifts() const {
  return std::ranges::any_of(zeros, [&](std::uint8_t z) { return z != zero; });
}

void scale_rows(const ActivationGrid& grid, float* rows, std::int64_t count,
                std::int64_t channels) {
  if (!grid.per_channel()) return;
  std::vector<double> factor(static_cast<std::size_t>(channels));
  for (std::size_t j = 0; j < factor.size(); ++j) factor[j] = grid.factor(j);
  for (std::int64_t i = 0; i < count; ++i) {
    float* row = rows + i * channels;
    for (std::size_t j = 0; j < factor.size(); ++j) {
      row[j] = static_cast<float>(static_cast<double>(row[j]) / factor[j]);
    }
  }
}

void round_rows(const ActivationGrid& grid, float* rows, std::int64_t count,
                std::int64_t channels) {
  const std::vector<float> scales = inverse_scales(grid, static_cast<std::size_t>(channels));
  const std::vector<float> zeros = float_zeros(grid, static_cast<std::size_t>(channels));
  dense::level().round_inputs(rows, scales.data(), zeros.data(), grid.step, count, channels, rows);
}

std::vector<double> shift_in_output(const ActivationGrid& grid, const Matrix& weights) {
  std::vector<double> sum(static_cast<std::size_t>(weights.columns));
  for (std::size_t j = 0; j < grid.zeros.size(); ++j) {
    const double shift = static_cast<double>(grid.step) * (grid.zero - grid.zeros[j]);
    const float* row = weights.row(static_cast<std::int64_t>(j));
    for (std::size_t o = 0; o < sum.size(); ++o) sum[o] += shift * static_cast<double>(row[o]);
  }
  return sum;
}

ActivationChoice choose_activation_grid(const SmoothingInput& x, const Matrix& weights,
                                        const ActivationGridOptions& options, ThreadPool& pool) {
  const ChannelRange range = channel_ranges(x);
  const Matrix thin = thinned(weights, kComparedWeights);
  const std::size_t shares = options.search ? std::size(kShares) : 1;
  std::vector<Candidate> all = candidates(x, range, thin, options);
  const auto grid_of = [&](const Candidate& c, std::size_t share) {
    return make_grid(range, c.scales, c.shifted, kShares[share]);
  };
  pool.parallel_for(static_cast<std::int64_t>(all.size()), 1, [&](std::int64_t a, std::int64_t b) {
    ThreadPool inline_pool(1);
    for (std::int64_t i = a; i < b; ++i) {
      Candidate& c = all[static_cast<std::size_t>(i)];
      const RowEnergies energies = row_energies(thin, grid_of(c, 0), options.weights, inline_pool);
      double weight_error = 0;
      for (std::size_t j = 0; j < x.energy.size(); ++j)
        weight_error += x.energy[j] * energies.error[j];
      c.error = std::numeric_limits<double>::infinity();
      for (std::size_t share = 0; share < shares; ++share) {
        const double error =
            weight_error + rounding_energy(grid_of(c, share), x.train,
                                           std::min(kCoarseRows, x.train.rows), energies.whole);
        if (error >= c.error) break;
        c.error = error;
        c.share = share;
      }
    }
  });
  const Candidate plain = all.front();
  std::ranges::stable_sort(all, {}, &Candidate::error);
  if (all.size() > kFinalists) all.resize(kFinalists);
  all.push_back(plain);

  const Judge train(x.train, weights, pool);
  // Downhill from the share that is expected to be best.
  const auto walk = [&](Candidate& c, const Matrix& q) {
    for (const bool narrower : {true, false}) {
      const std::size_t before = c.share;
      while (narrower ? c.share + 1 < shares : c.share > 0) {
        const std::size_t next = narrower ? c.share + 1 : c.share - 1;
        const double error = train.error(grid_of(c, next), q);
        if (error >= c.error) break;
        c.error = error;
        c.share = next;
      }
      if (c.share != before) break;
    }
  };
  const auto quantized_for = [&](const Candidate& c) {
    return quantized(weights, grid_of(c, 0), options.weights, pool);
  };
  for (Candidate& c : all) c.error = train.error(grid_of(c, c.share), quantized_for(c));
  Candidate one_scale = std::move(all.back());
  all.pop_back();
  walk(one_scale, quantized_for(one_scale));
  std::ranges::stable_sort(all, {}, &Candidate::error);
  if (all.size() > kWalkers) all.resize(kWalkers);
  for (Candidate& c : all) walk(c, quantized_for(c));
  all.push_back(one_scale);
  const Candidate best = *std::ranges::min_element(all, {}, &Candidate::error);

  const Judge judge(x.held_out.rows > 0 ? x.held_out : x.train, weights, pool);
  const auto judged = [&](const Candidate& c, std::size_t share) {
    const ActivationGrid grid = grid_of(c, share);
    return judge.relative(grid, quantized(weights, grid, options.weights, pool));
  };
  const double alone = judged(one_scale, one_scale.share);
  const double with_best = judged(best, best.share);
  const Candidate& chosen = with_best < alone * kWorthIt ? best : one_scale;
  ActivationChoice choice;
  choice.grid = grid_of(chosen, chosen.share);
  choice.way = number(kShares[chosen.share]) + (chosen.way.empty() ? "" : ", " + chosen.way);
  choice.plain = judged(plain, 0);
  choice.after = std::min(with_best, alone);
  return choice;
}

}  // namespace onnxpress
