// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace onnxpress {

__extension__ using Int128 = __int128;

// Many sums that are the same whatever order their terms come in, so that parts of a calibration
// add up to the very bits of the whole: numbers are cut to multiples of 2^-60 and added as integers
// of 128 bits. Terms below 2^66 in magnitude are taken.
class ExactSums {
 public:
  static constexpr int kFractionBits = 60;

  ExactSums() = default;
  explicit ExactSums(std::size_t count) : values_(count) {}

  [[nodiscard]] std::size_t size() const { return values_.size(); }
  // Throws Error (bad_data) on overflow, or for a term that is not finite or too large.
  void add(std::size_t i, double term);
  // Throws Error (bad_data) on overflow, (internal_error) if the sizes differ.
  ExactSums& operator+=(const ExactSums& other);
  // The nearest double.
  [[nodiscard]] double at(std::size_t i) const;
  [[nodiscard]] std::vector<double> to_doubles() const;

  // The sums in units of 2^-60, for storing them.
  [[nodiscard]] const std::vector<Int128>& raw() const { return values_; }
  [[nodiscard]] std::vector<Int128>& raw() { return values_; }
  friend bool operator==(const ExactSums&, const ExactSums&) = default;

 private:
  std::vector<Int128> values_;
};

}  // namespace onnxpress
