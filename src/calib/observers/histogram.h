// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace onnxpress {

// Counts of elements in bins of equal width around 0. The width is a power of two, doubled
// whenever an element would not fit, so that counts depend only on what was added, not on the order
// or on how it was cut into parts; more than 2,048 bins lie between 0 and the largest magnitude
// (once it is above 2^-60).
class Histogram {
 public:
  static constexpr std::int64_t kHalf = 4096;  // bins on each side of 0
  static constexpr int kSmallestExponent = -72;

  // x: finite elements of magnitudes below 2^100.
  void add(const float* x, std::int64_t count);
  Histogram& operator+=(const Histogram& other);

  // Bin i, -kHalf <= i < kHalf, holds elements from i × width() to below (i + 1) × width().
  [[nodiscard]] double width() const;
  [[nodiscard]] int exponent() const { return exponent_; }  // width() is 2 to this power
  [[nodiscard]] std::int64_t count(std::int64_t bin) const {
    return counts_.empty() ? 0 : counts_[static_cast<std::size_t>(bin + kHalf)];
  }
  [[nodiscard]] std::int64_t total() const;
  // The first bin that holds an element and the one behind the last; 0 and 0 where there is none.
  [[nodiscard]] std::int64_t first() const;
  [[nodiscard]] std::int64_t last() const;

  // For a reader of files. Throws Error (bad_data) unless the counts are such as add() makes.
  static Histogram of_counts(int exponent, std::int64_t first, std::vector<std::int64_t> counts);
  friend bool operator==(const Histogram& a, const Histogram& b);

 private:
  void widen_to(int exponent);
  int exponent_ = kSmallestExponent;
  std::vector<std::int64_t> counts_;  // [2 × kHalf], or empty
};

}  // namespace onnxpress
