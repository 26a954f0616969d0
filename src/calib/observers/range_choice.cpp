// SPDX-License-Identifier: Apache-2.0
#include "calib/observers/range_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace onnxpress {
namespace {

constexpr int kPointsPerBin = 4;         // where the error within a bin is evaluated
constexpr double kSmallestShare = 0.02;  // no range is searched below this share of the whole
constexpr int kSteps = 98;               // candidates between that and 1

Range widened(Range range, bool symmetric) {
  range.low = std::min(range.low, 0.0F);
  range.high = std::max(range.high, 0.0F);
  if (symmetric) {
    range.high = std::max(range.high, -range.low);
    range.low = -range.high;
  }
  return range;
}

Range within(Range range, Range all, bool symmetric) {
  const Range widest = widened(all, symmetric);
  return widened({std::max(range.low, widest.low), std::min(range.high, widest.high)}, symmetric);
}

// Counts of magnitudes: bin i holds [i, i + 1) × width.
std::vector<double> magnitudes(const Histogram& histogram) {
  std::vector<double> counts(Histogram::kHalf, 0);
  for (std::int64_t bin = 0; bin < Histogram::kHalf; ++bin) {
    counts[static_cast<std::size_t>(bin)] =
        static_cast<double>(histogram.count(bin) + histogram.count(-bin - 1));
  }
  while (!counts.empty() && counts.back() == 0) counts.pop_back();
  return counts;
}

// Where the first `share` of all counts ends, in bins.
template <class Count>
double quantile(std::int64_t first, std::int64_t last, double wanted, const Count& count) {
  double sum = 0;
  for (std::int64_t bin = first; bin < last; ++bin) {
    const double here = static_cast<double>(count(bin));
    if (here > 0 && sum + here >= wanted) {
      return static_cast<double>(bin) + (wanted - sum) / here;
    }
    sum += here;
  }
  return static_cast<double>(last);
}

// KL(P ‖ Q) for the first `kept` bins: P has what is clipped in its last bin, Q is P's body rounded
// to `levels` codes.
double divergence(const std::vector<double>& counts, std::size_t kept, std::size_t levels,
                  double tail, double total) {
  double sum = 0;
  for (std::size_t level = 0; level < levels; ++level) {
    const std::size_t begin = level * kept / levels;
    const std::size_t end = (level + 1) * kept / levels;
    double mass = 0;
    double filled = 0;
    for (std::size_t i = begin; i < end; ++i) {
      mass += counts[i];
      if (counts[i] > 0) filled += 1;
    }
    for (std::size_t i = begin; i < end; ++i) {
      const double p = (counts[i] + (i + 1 == kept ? tail : 0)) / total;
      if (p == 0) continue;
      // Where only clipped elements lie Q has nothing; a small share stands for it.
      const double q = counts[i] > 0 ? mass / filled / (total - tail) : 1e-9;
      sum += p * std::log(p / q);
    }
  }
  return sum;
}

class RoundingError {
 public:
  explicit RoundingError(const Histogram& histogram) {
    const double width = histogram.width();
    const std::int64_t last = histogram.last();
    for (std::int64_t bin = histogram.first(); bin < last; ++bin) {
      const std::int64_t count = histogram.count(bin);
      if (count == 0) continue;
      for (int k = 0; k < kPointsPerBin; ++k) {
        points_.push_back(width * (static_cast<double>(bin) + (k + 0.5) / kPointsPerBin));
        weights_.push_back(static_cast<double>(count) / kPointsPerBin);
        total_ += weights_.back();
      }
    }
  }

  // Mean squared error with codes 0 … steps spread over the range, 0 being one of them.
  [[nodiscard]] double operator()(Range range, int steps) const {
    const double scale = (static_cast<double>(range.high) - range.low) / steps;
    if (scale <= 0) return std::numeric_limits<double>::infinity();
    const double zero = std::round(-range.low / scale);
    double sum = 0;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      const double code =
          std::clamp(std::nearbyint(points_[i] / scale) + zero, 0.0, static_cast<double>(steps));
      const double error = points_[i] - (code - zero) * scale;
      sum += weights_[i] * error * error;
    }
    return sum / total_;
  }

 private:
  std::vector<double> points_, weights_;
  double total_ = 0;
};

float share_of(float limit, int step) {
  const double share = kSmallestShare + (1 - kSmallestShare) * step / kSteps;
  return static_cast<float>(limit * share);
}

}  // namespace

Range percentile_range(const Histogram& histogram, Range all, double share, bool symmetric) {
  const std::int64_t total = histogram.total();
  if (total == 0) return {};
  const double width = histogram.width();
  const auto count = static_cast<double>(total);
  if (symmetric) {
    const double limit =
        width * quantile(0, Histogram::kHalf, share * count, [&](std::int64_t bin) {
          return histogram.count(bin) + histogram.count(-bin - 1);
        });
    return within({static_cast<float>(-limit), static_cast<float>(limit)}, all, true);
  }
  const double cut = (1 - share) / 2 * count;
  const auto at = [&](std::int64_t bin) { return histogram.count(bin); };
  const double low =
      cut <= 0 ? all.low : width * quantile(histogram.first(), histogram.last(), cut, at);
  const double high = width * quantile(histogram.first(), histogram.last(), count - cut, at);
  return within({static_cast<float>(low), static_cast<float>(high)}, all, false);
}

Range entropy_range(const Histogram& histogram, Range all, const CodeGrid& grid) {
  const std::vector<double> counts = magnitudes(histogram);
  if (counts.empty()) return {};
  const std::size_t levels = std::size_t{1} << (grid.bits - 1);
  double total = 0;
  for (const double count : counts) total += count;
  double kept_count = 0;
  double best = std::numeric_limits<double>::infinity();
  std::size_t best_kept = counts.size();
  for (std::size_t kept = 1; kept <= counts.size(); ++kept) {
    kept_count += counts[kept - 1];
    if (kept < levels) continue;
    const double tail = total - kept_count;
    if (kept_count <= 0) continue;
    const double found = divergence(counts, kept, levels, tail, total);
    if (found < best) {
      best = found;
      best_kept = kept;
    }
  }
  const auto limit = static_cast<float>(static_cast<double>(best_kept) * histogram.width());
  return within({-limit, limit}, all, grid.symmetric);
}

Range least_squares_range(const Histogram& histogram, Range all, const CodeGrid& grid,
                          double* error) {
  if (error != nullptr) *error = 0;
  if (histogram.total() == 0) return {};
  const Range widest = widened(all, grid.symmetric);
  const int steps = (1 << grid.bits) - (grid.symmetric ? 2 : 1);
  const RoundingError rounding(histogram);
  Range best = widest;
  double least = rounding(widest, steps);
  const auto consider = [&](Range range) {
    const double found = rounding(range, steps);
    if (found < least) {
      least = found;
      best = range;
    }
  };
  if (grid.symmetric) {
    for (int step = 0; step < kSteps; ++step) {
      const float limit = share_of(widest.high, step);
      consider({-limit, limit});
    }
  } else {
    // One end after the other, twice: the ends hardly depend on each other.
    for (int round = 0; round < 2; ++round) {
      for (int step = 0; step < kSteps; ++step) consider({best.low, share_of(widest.high, step)});
      for (int step = 0; step < kSteps; ++step) consider({share_of(widest.low, step), best.high});
    }
  }
  if (error != nullptr) *error = std::isfinite(least) ? least : 0;
  return best;
}

}  // namespace onnxpress
