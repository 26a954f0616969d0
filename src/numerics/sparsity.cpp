// SPDX-License-Identifier: Apache-2.0
#include "numerics/sparsity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numeric>

namespace onnxpress {
namespace {

constexpr std::int64_t kMostGroup = 64;

std::optional<std::int64_t> parse_count(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Marks the `count` least of these places.
template <class Size>
void mark_least(std::vector<std::int64_t>& places, std::int64_t count, const Size& size,
                Mask& mask) {
  if (count <= 0) return;
  const auto before = [&](std::int64_t a, std::int64_t b) {
    const double x = size(a);
    const double y = size(b);
    return x != y ? x < y : a < b;
  };
  count = std::min(count, static_cast<std::int64_t>(places.size()));
  if (count < static_cast<std::int64_t>(places.size())) {
    std::ranges::nth_element(places, places.begin() + count, before);
  }
  for (std::int64_t i = 0; i < count; ++i) {
    mask[static_cast<std::size_t>(places[static_cast<std::size_t>(i)])] = 1;
  }
}

}  // namespace

double SparsityPattern::zeros() const {
  if (!grouped()) return share;
  return static_cast<double>(group - keep) / static_cast<double>(group);
}

std::optional<SparsityPattern> parse_pattern(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto keep = parse_count(text.substr(0, colon));
  const auto group = parse_count(text.substr(colon + 1));
  if (!keep || !group || *keep < 1 || *keep >= *group || *group > kMostGroup) return std::nullopt;
  return SparsityPattern{*keep, *group};
}

std::string to_string(const SparsityPattern& pattern) {
  if (pattern.grouped()) return fmt::format("{}:{}", pattern.keep, pattern.group);
  return fmt::format("{:g} % zeros", 100 * pattern.share);
}

Mask least_mask(const Matrix& w, std::span<const double> sizes, const SparsityPattern& pattern,
                ThreadPool& pool) {
  Mask mask(w.values.size());
  const auto size = [&](std::int64_t place) {
    const double weight = std::abs(static_cast<double>(w.values[static_cast<std::size_t>(place)]));
    return sizes.empty() ? weight : weight * sizes[static_cast<std::size_t>(place / w.columns)];
  };
  if (!pattern.grouped() && sizes.empty()) {
    std::vector<std::int64_t> places(w.values.size());
    std::iota(places.begin(), places.end(), 0);
    mark_least(places, std::llround(pattern.share * static_cast<double>(places.size())), size,
               mask);
    return mask;
  }
  const std::int64_t group = pattern.grouped() ? pattern.group : std::max<std::int64_t>(w.rows, 1);
  pool.parallel_for(w.columns, 64, [&](std::int64_t begin, std::int64_t end) {
    std::vector<std::int64_t> places;
    for (std::int64_t o = begin; o < end; ++o) {
      for (std::int64_t first = 0; first < w.rows; first += group) {
        places.clear();
        for (std::int64_t i = first; i < std::min(w.rows, first + group); ++i) {
          places.push_back(i * w.columns + o);
        }
        const auto count = static_cast<std::int64_t>(places.size());
        const double zeros = pattern.zeros() * static_cast<double>(count);
        mark_least(places,
                   pattern.grouped() ? count * (group - pattern.keep) / group : std::llround(zeros),
                   size, mask);
      }
    }
  });
  return mask;
}

Matrix masked(Matrix w, const Mask& mask) {
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] != 0) w.values[i] = 0;
  }
  return w;
}

std::int64_t archive_bytes(std::span<const float> values) {
  std::array<std::int64_t, 256> counts{};
  for (const float value : values) {
    std::array<std::uint8_t, sizeof(float)> bytes{};
    std::memcpy(bytes.data(), &value, sizeof(float));
    for (const std::uint8_t byte : bytes) ++counts[byte];
  }
  const auto total = static_cast<double>(values.size() * sizeof(float));
  double bits = 0;
  for (const std::int64_t count : counts) {
    if (count == 0) continue;
    bits -= static_cast<double>(count) * std::log2(static_cast<double>(count) / total);
  }
  return std::llround(bits / 8);
}

}  // namespace onnxpress
