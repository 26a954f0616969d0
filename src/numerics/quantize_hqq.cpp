// SPDX-License-Identifier: Apache-2.0
#include "numerics/quantize_hqq.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error_codes.h"
#include "numerics/quantize_rtn.h"

namespace onnxpress {
namespace {

constexpr double kBeta = 10;  // of the shrinkage
constexpr double kGrowth = 1.01;
constexpr double kWorthIt = 1 - 1e-7;  // a round must lower the error at least so far

struct Point {
  float scale = 1;
  float zero = 0;
};

float value(std::uint8_t code, Point p) {
  return (static_cast<float>(code) - p.zero) * p.scale;
}

// The weights of one output that share a scale.
class Group {
 public:
  Group(const Grid& grid, const HqqOptions& options)
      : top_(static_cast<float>((1 << grid.bits) - 1)),
        float_zeros_(grid.float_zeros),
        options_(options) {}

  void load(const Matrix& w, std::int64_t first, std::int64_t last, std::int64_t column) {
    w_.clear();
    for (std::int64_t row = first; row < last; ++row) w_.push_back(w(row, column));
    codes_.resize(w_.size());
  }

  // The best point that is found from `start` on; codes() are those of its weights.
  Point solve(Point start) {
    Point best = start;
    round(best);
    best_codes_ = codes_;
    double least = error(best);
    Point point = start;
    double beta = kBeta;
    for (int i = 0; i < options_.iterations && least > 0; ++i, beta *= kGrowth) {
      point = fit(point, beta);
      round(point);
      const double now = error(point);
      if (!(now < least * kWorthIt)) break;
      least = now;
      best = point;
      best_codes_.swap(codes_);
      codes_ = best_codes_;
    }
    return best;
  }
  [[nodiscard]] const std::vector<std::uint8_t>& codes() const { return best_codes_; }

 private:
  void round(Point p) {
    for (std::size_t i = 0; i < w_.size(); ++i) {
      codes_[i] = static_cast<std::uint8_t>(
          std::clamp(std::nearbyint(w_[i] / p.scale + p.zero), 0.0F, top_));
    }
  }

  [[nodiscard]] double error(Point p) const {
    double sum = 0;
    for (std::size_t i = 0; i < w_.size(); ++i) {
      const double e = static_cast<double>(w_[i]) - static_cast<double>(value(codes_[i], p));
      sum += options_.p == 2 ? e * e : std::pow(std::fabs(e), options_.p);
    }
    return sum;
  }

  // What is left of a weight when the outlier's part of its error is taken away.
  [[nodiscard]] double target(std::size_t i, Point p, double beta) const {
    const double w = w_[i];
    if (options_.p == 2) return w;
    const double e = w - static_cast<double>(value(codes_[i], p));
    const double steps = std::fabs(e / static_cast<double>(p.scale));
    if (steps == 0) return w;
    const double outlier = std::max(steps - std::pow(steps, options_.p - 1) / beta, 0.0);
    return w - std::copysign(outlier * std::fabs(static_cast<double>(p.scale)), e);
  }

  // Scale and zero point of the line through codes and targets; `p` where there is none.
  [[nodiscard]] Point fit(Point p, double beta) const {
    const auto count = static_cast<double>(w_.size());
    double codes = 0;
    double targets = 0;
    double squares = 0;
    double products = 0;
    for (std::size_t i = 0; i < w_.size(); ++i) {
      const double c = codes_[i];
      const double t = target(i, p, beta);
      codes += c;
      targets += t;
      squares += c * c;
      products += c * t;
    }
    const double spread = squares - codes * codes / count;
    const double scale = (products - codes * targets / count) / spread;
    if (!(spread > 0) || !(scale >= FLT_MIN) || !(scale <= FLT_MAX)) return p;
    const double zero = (codes - targets / scale) / count;
    if (float_zeros_) return {static_cast<float>(scale), static_cast<float>(zero)};
    const double whole = std::clamp(std::nearbyint(zero), 0.0, static_cast<double>(top_));
    const double energy = squares - 2 * whole * codes + whole * whole * count;
    const double fitted = (products - whole * targets) / energy;
    if (!(energy > 0) || !(fitted >= FLT_MIN) || !(fitted <= FLT_MAX)) return p;
    return {static_cast<float>(fitted), static_cast<float>(whole)};
  }

  float top_;
  bool float_zeros_;
  const HqqOptions& options_;
  std::vector<float> w_;
  std::vector<std::uint8_t> codes_, best_codes_;
};

}  // namespace

QuantizedMatrix quantize_hqq(const Matrix& w, const Grid& grid, const HqqOptions& options,
                             ThreadPool& pool) {
  if (grid.symmetric) {
    throw Error(codes::bad_option, "hqq moves zero points, but a symmetric grid has none",
                "set symmetric to false");
  }
  if (options.p != 2 && !(options.p > 0 && options.p <= 1)) {
    throw Error(codes::bad_option, "p of hqq is above 0 and at most 1, or 2");
  }
  Grid whole = grid;
  whole.float_zeros = false;
  QuantizedMatrix q = quantize_rtn(weight_ref(w), whole, pool);
  q.grid = grid;
  if (grid.float_zeros) q.float_zeros.assign(q.zero_points.begin(), q.zero_points.end());
  const std::int64_t size = grid.group == 0 ? std::max<std::int64_t>(w.rows, 1) : grid.group;
  constexpr std::int64_t kColumns = 16;
  pool.parallel_for(w.columns, kColumns, [&](std::int64_t begin, std::int64_t end) {
    Group group(grid, options);
    for (std::int64_t g = 0; g < grid.groups(w.rows); ++g) {
      const std::int64_t first = g * size;
      const std::int64_t last = std::min(w.rows, first + size);
      for (std::int64_t column = begin; column < end; ++column) {
        const auto at = static_cast<std::size_t>(g * w.columns + column);
        group.load(w, first, last, column);
        const Point point = group.solve({q.scales[at], static_cast<float>(q.zero_points[at])});
        q.scales[at] = point.scale;
        if (grid.float_zeros) {
          q.float_zeros[at] = point.zero;
        } else {
          q.zero_points[at] = static_cast<std::uint8_t>(point.zero);
        }
        for (std::int64_t row = first; row < last; ++row) {
          q.codes[static_cast<std::size_t>(row * w.columns + column)] =
              group.codes()[static_cast<std::size_t>(row - first)];
        }
      }
    }
  });
  if (grid.float_zeros) q.zero_points.clear();
  return q;
}

}  // namespace onnxpress
