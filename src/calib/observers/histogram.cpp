// SPDX-License-Identifier: Apache-2.0
#include "calib/observers/histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

constexpr int kLargestExponent = 100;
constexpr std::int64_t kMostCounted = std::int64_t{1} << 48;  // in one bin, of a file
constexpr int kHalfExponent = 12;                             // kHalf is 2 to this power
static_assert(Histogram::kHalf == std::int64_t{1} << kHalfExponent);

// The smallest exponent of the width with which elements of this magnitude fit.
int needed_exponent(float magnitude) {
  if (magnitude == 0) return Histogram::kSmallestExponent;
  return std::max(std::ilogb(magnitude) + 1 - kHalfExponent, Histogram::kSmallestExponent);
}

}  // namespace

void Histogram::widen_to(int exponent) {
  if (exponent <= exponent_) return;
  const int shift = std::min(exponent - exponent_, kHalfExponent + 1);
  exponent_ = exponent;
  if (counts_.empty()) return;
  std::vector<std::int64_t> wide(counts_.size(), 0);
  for (std::int64_t bin = -kHalf; bin < kHalf; ++bin) {
    // Shifting right rounds down, also below 0: bins 2i and 2i + 1 become bin i.
    wide[static_cast<std::size_t>((bin >> shift) + kHalf)] += count(bin);
  }
  counts_ = std::move(wide);
}

void Histogram::add(const float* x, std::int64_t count) {
  if (count == 0) return;
  float largest = 0;
  for (std::int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(x[i]));
  widen_to(needed_exponent(largest));
  if (counts_.empty()) counts_.assign(2 * kHalf, 0);
  const double scale = std::ldexp(1.0, -exponent_);
  for (std::int64_t i = 0; i < count; ++i) {
    const double place = std::floor(static_cast<double>(x[i]) * scale);
    ++counts_[static_cast<std::size_t>(static_cast<std::int64_t>(place) + kHalf)];
  }
}

Histogram& Histogram::operator+=(const Histogram& other) {
  if (other.counts_.empty()) return *this;
  Histogram same_width = other;
  same_width.widen_to(exponent_);
  widen_to(other.exponent_);
  if (counts_.empty()) counts_.assign(2 * kHalf, 0);
  for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += same_width.counts_[i];
  return *this;
}

double Histogram::width() const {
  return std::ldexp(1.0, exponent_);
}

std::int64_t Histogram::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
}

std::int64_t Histogram::first() const {
  for (std::int64_t bin = -kHalf; bin < kHalf; ++bin) {
    if (count(bin) != 0) return bin;
  }
  return 0;
}

std::int64_t Histogram::last() const {
  for (std::int64_t bin = kHalf; bin > -kHalf; --bin) {
    if (count(bin - 1) != 0) return bin;
  }
  return 0;
}

Histogram Histogram::of_counts(int exponent, std::int64_t first, std::vector<std::int64_t> counts) {
  const auto size = static_cast<std::int64_t>(counts.size());
  Histogram histogram;
  const bool fits = exponent >= kSmallestExponent && exponent <= kLargestExponent &&
                    first >= -kHalf && first <= kHalf && size <= kHalf - first;
  if (!fits ||
      std::ranges::any_of(counts, [](std::int64_t n) { return n < 0 || n > kMostCounted; })) {
    throw Error(codes::bad_data, "a histogram is malformed");
  }
  histogram.exponent_ = exponent;
  if (counts.empty()) return histogram;
  histogram.counts_.assign(2 * kHalf, 0);
  std::ranges::copy(counts, histogram.counts_.begin() + first + kHalf);
  return histogram;
}

bool operator==(const Histogram& a, const Histogram& b) {
  if (a.exponent_ != b.exponent_) return false;
  for (std::int64_t bin = -Histogram::kHalf; bin < Histogram::kHalf; ++bin) {
    if (a.count(bin) != b.count(bin)) return false;
  }
  return true;
}

}  // namespace onnxpress
