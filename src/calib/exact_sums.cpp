// SPDX-License-Identifier: Apache-2.0
#include "calib/exact_sums.h"

#include <bit>
#include <cmath>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

constexpr int kMantissaBits = 52;
constexpr int kExponentBias = 1023;
constexpr int kTooLarge = 66;  // terms are below 2^66, so that two of them never overflow

[[noreturn]] void fail_overflow() {
  throw Error(codes::bad_data, "the sums over the calibration data overflow",
              "the model computes numbers that are too large to calibrate on; check the data");
}

// The term in units of 2^-60, cut towards zero. By its bits, which is faster than a conversion.
Int128 fixed_point(double term) {
  const auto bits = std::bit_cast<std::uint64_t>(term);
  const int exponent = static_cast<int>(bits >> kMantissaBits & 0x7FFU) - kExponentBias;
  if (exponent >= kTooLarge) fail_overflow();  // NaN and infinity, too
  constexpr std::uint64_t kHiddenBit = std::uint64_t{1} << kMantissaBits;
  const std::uint64_t mantissa = (bits & (kHiddenBit - 1)) | kHiddenBit;
  const int shift = exponent - kMantissaBits + ExactSums::kFractionBits;
  Int128 magnitude = 0;
  if (shift >= 0) {
    magnitude = static_cast<Int128>(mantissa) << shift;
  } else if (shift > -64) {
    magnitude = static_cast<Int128>(mantissa >> -shift);
  }
  return bits >> 63U != 0 ? -magnitude : magnitude;
}

}  // namespace

void ExactSums::add(std::size_t i, double term) {
  if (__builtin_add_overflow(values_[i], fixed_point(term), &values_[i])) fail_overflow();
}

ExactSums& ExactSums::operator+=(const ExactSums& other) {
  if (values_.size() != other.values_.size()) {
    throw Error(codes::internal_error, "sums of different sizes are added");
  }
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (__builtin_add_overflow(values_[i], other.values_[i], &values_[i])) fail_overflow();
  }
  return *this;
}

double ExactSums::at(std::size_t i) const {
  return std::ldexp(static_cast<double>(values_[i]), -kFractionBits);
}

std::vector<double> ExactSums::to_doubles() const {
  std::vector<double> doubles(values_.size());
  for (std::size_t i = 0; i < doubles.size(); ++i) doubles[i] = at(i);
  return doubles;
}

}  // namespace onnxpress
