// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace onnxpress {

// The numbers that a quantized weight may take: integers of `bits` bits times a scale that `group`
// neighbours along the input dimension share.
//
// A symmetric grid has the codes -(2^(bits-1) - 1) … 2^(bits-1) - 1 and no zero point, so that 0 is
// exact and w and -w get opposite codes; INT8 is [-127, 127]. An asymmetric grid has 0 … 2^bits - 1
// and a zero point; 0 is exact there, too.
struct Grid {
  int bits = 8;            // 2 to 8
  std::int64_t group = 0;  // 0: one scale for a whole column (one output)
  bool symmetric = true;
  friend bool operator==(const Grid&, const Grid&) = default;

  // The largest code of a symmetric grid: 127 for 8 bits.
  [[nodiscard]] int symmetric_limit() const { return (1 << (bits - 1)) - 1; }
  // What is added to the codes of a symmetric grid where they are stored without a sign.
  [[nodiscard]] int offset() const { return 1 << (bits - 1); }
  // Scales along an input dimension of that size.
  [[nodiscard]] std::int64_t groups(std::int64_t in) const {
    return group == 0 ? 1 : (in + group - 1) / group;
  }
};

// Throws Error (bad_option) unless 2 <= bits <= 8 and group >= 0.
void check(const Grid& grid);
[[nodiscard]] std::string to_string(const Grid& grid);  // "INT8 per channel", "UINT4 group 32"

}  // namespace onnxpress
