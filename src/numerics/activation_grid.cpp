// SPDX-License-Identifier: Apache-2.0
#include "numerics/activation_grid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "numerics/quantize_rtn.h"
#include "numerics/smoothing_candidates.h"

namespace onnxpress {
namespace {

constexpr float kMostCode = 255;
constexpr std::int64_t kCoarseRows = 128;
constexpr std::size_t kFinalists = 6;
// Shares of the range that was seen: the first few for all candidates, all for the best.
constexpr double kCoarseShares[] = {1, 0.7, 0.5, 0.35};
constexpr double kShares[] = {1, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2};
constexpr double kWorthIt = 0.99;  // a scale for each channel lowers the error at least so far

// Adding it to a float of magnitude below 2²² and taking it away rounds to an integer, ties to
// even: what std::nearbyint() does, in a form that compilers vectorize.
constexpr float kRounder = 12582912.0F;

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

// E[(x_j - x̂_j)²] over some rows.
std::vector<double> rounding_energy(const ActivationGrid& grid, const Matrix& rows,
                                    std::int64_t count) {
  const auto width = static_cast<std::size_t>(rows.columns);
  const std::vector<float> scales = inverse_scales(grid, width);
  const std::vector<float> zeros = float_zeros(grid, width);
  std::vector<float> inverse(width);
  for (std::size_t j = 0; j < width; ++j) inverse[j] = 1 / scales[j];
  std::vector<float> sum(width);
  for (std::int64_t i = 0; i < count; ++i) {
    const float* x = rows.row(i);
    for (std::size_t j = 0; j < width; ++j) {
      const float c = std::min(std::max(x[j] * inverse[j], -zeros[j]), kMostCode - zeros[j]);
      const float d = x[j] - ((c + kRounder) - kRounder) * scales[j];
      sum[j] += d * d;
    }
  }
  std::vector<double> energy(sum.begin(), sum.end());
  for (double& e : energy) e /= static_cast<double>(std::max<std::int64_t>(count, 1));
  return energy;
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
  double share = 1;
  double error = 0;
};

// ‖XW - Y‖² on rows, and ‖XW‖².
class Judge {
 public:
  Judge(const Matrix& rows, const Matrix& weights, const Grid& grid, ThreadPool& pool)
      : rows_(rows),
        weights_(weights),
        grid_(grid),
        pool_(pool),
        exact_(product(rows, weights, pool)) {
    for (const float y : exact_.values) whole_ += static_cast<double>(y) * static_cast<double>(y);
  }

  [[nodiscard]] double error(const ActivationGrid& grid) const {
    const Matrix w = scaled(weights_, grid);
    const Matrix q = dequantized_matrix(quantize_rtn(weight_ref(w), grid_, pool_));
    Matrix x = rows_;
    round_rows(grid, x.values.data(), x.rows, x.columns);
    const Matrix y = product(x, q, pool_);
    double sum = 0;
    for (std::size_t i = 0; i < y.values.size(); ++i) {
      const double d = static_cast<double>(exact_.values[i]) - static_cast<double>(y.values[i]);
      sum += d * d;
    }
    return sum;
  }
  [[nodiscard]] double relative(const ActivationGrid& grid) const {
    return whole_ > 0 ? std::sqrt(error(grid) / whole_) : 0;
  }

 private:
  const Matrix& rows_;
  const Matrix& weights_;
  Grid grid_;
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
  for (std::int64_t i = 0; i < count * channels; ++i) {
    rows[i] = static_cast<float>(static_cast<double>(rows[i]) /
                                 grid.factor(static_cast<std::size_t>(i % channels)));
  }
}

void round_rows(const ActivationGrid& grid, float* rows, std::int64_t count,
                std::int64_t channels) {
  const std::vector<float> scales = inverse_scales(grid, static_cast<std::size_t>(channels));
  const std::vector<float> zeros = float_zeros(grid, static_cast<std::size_t>(channels));
  for (std::int64_t i = 0; i < count; ++i) {
    float* row = rows + i * channels;
    for (std::int64_t j = 0; j < channels; ++j) {
      const auto at = static_cast<std::size_t>(j);
      const float c = std::min(std::max(row[j] / scales[at], -zeros[at]), kMostCode - zeros[at]);
      row[j] = ((c + kRounder) - kRounder) * grid.step;
    }
  }
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
  const Matrix thin = thinned(weights);
  std::vector<Candidate> all = candidates(x, range, thin, options);
  const std::int64_t coarse = std::min(kCoarseRows, x.train.rows);
  const auto grid_of = [&](const Candidate& c, double share) {
    return make_grid(range, c.scales, c.shifted, share);
  };
  pool.parallel_for(static_cast<std::int64_t>(all.size()), 1, [&](std::int64_t a, std::int64_t b) {
    ThreadPool inline_pool(1);
    for (std::int64_t i = a; i < b; ++i) {
      Candidate& c = all[static_cast<std::size_t>(i)];
      const RowEnergies energies = row_energies(thin, grid_of(c, 1), options.weights, inline_pool);
      double weight_error = 0;
      for (std::size_t j = 0; j < x.energy.size(); ++j)
        weight_error += x.energy[j] * energies.error[j];
      c.error = std::numeric_limits<double>::infinity();
      for (const double share : kCoarseShares) {
        const auto rounding = rounding_energy(grid_of(c, share), x.train, coarse);
        double error = weight_error;
        for (std::size_t j = 0; j < rounding.size(); ++j) error += energies.whole[j] * rounding[j];
        c.error = std::min(c.error, error);
        if (!options.search) break;
      }
    }
  });
  const Candidate plain = all.front();
  std::ranges::stable_sort(all, {}, &Candidate::error);
  if (all.size() > kFinalists) all.resize(kFinalists);
  all.push_back(plain);

  const Judge train(x.train, weights, options.weights, pool);
  const auto best_share = [&](Candidate& c) {
    c.error = std::numeric_limits<double>::infinity();
    for (const double share : kShares) {
      const double error = train.error(grid_of(c, share));
      if (error < c.error) {
        c.error = error;
        c.share = share;
      } else if (error > 2 * c.error) {
        break;  // it only gets worse from here
      }
      if (!options.search) break;
    }
  };
  for (Candidate& c : all) best_share(c);
  const Candidate one_scale = all.back();
  const Candidate best = *std::ranges::min_element(all, {}, &Candidate::error);

  const Judge judge(x.held_out.rows > 0 ? x.held_out : x.train, weights, options.weights, pool);
  const double alone = judge.relative(grid_of(one_scale, one_scale.share));
  const double with_best = judge.relative(grid_of(best, best.share));
  const Candidate& chosen = with_best < alone * kWorthIt ? best : one_scale;
  ActivationChoice choice;
  choice.grid = grid_of(chosen, chosen.share);
  choice.way = number(chosen.share) + (chosen.way.empty() ? "" : ", " + chosen.way);
  choice.plain = judge.relative(grid_of(plain, 1));
  choice.after = std::min(with_best, alone);
  return choice;
}

}  // namespace onnxpress
