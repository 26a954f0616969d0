// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "numerics/matrix.h"

// Weights W [in, out] of which some become zero.
namespace onnxpress {

// Which weights may be chosen: `keep` of each `group` neighbours along the input (2:4), or, where
// the group is 0, any, as long as `share` of all become zero.
struct SparsityPattern {
  std::int64_t keep = 0;
  std::int64_t group = 0;
  double share = 0.5;
  friend bool operator==(const SparsityPattern&, const SparsityPattern&) = default;
  [[nodiscard]] bool grouped() const { return group != 0; }
  // Of all weights, those that become zero.
  [[nodiscard]] double zeros() const;
};
// "2:4": 1 <= keep < group <= 64. Nothing for other texts.
[[nodiscard]] std::optional<SparsityPattern> parse_pattern(std::string_view text);
[[nodiscard]] std::string to_string(const SparsityPattern& pattern);  // "2:4", "50 % zeros"

// One byte for each weight, [in, out]: 1 where it is to become zero.
using Mask = std::vector<std::uint8_t>;

// Marks the weights of least magnitude |w_ij|·size_i, ties from the first input on. `sizes` [in]
// are those of the inputs, ‖x‖ (Wanda, Sun et al. 2023): then the share is taken of each output;
// empty: of the whole matrix (magnitude pruning). A last group that is not full has the same share
// of zeros, rounded down.
[[nodiscard]] Mask least_mask(const Matrix& w, std::span<const double> sizes,
                              const SparsityPattern& pattern, ThreadPool& pool);

// W with zeros where the mask says so.
[[nodiscard]] Matrix masked(Matrix w, const Mask& mask);

// About how many bytes a general-purpose compressor (zip, gzip) makes of them: the entropy of their
// bytes. For weights with up to 90 % zeros zlib gets 1 to 10 % below that.
[[nodiscard]] std::int64_t archive_bytes(std::span<const float> values);

}  // namespace onnxpress
