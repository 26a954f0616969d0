// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace onnxpress {

// The numbers that a quantized weight may take: integers of `bits` bits times a scale that `group`
// neighbours along the input dimension share.
//
// A symmetric grid has no zero point, so that 0 is exact. INT8 has the codes -127 … 127. Grids of
// fewer bits can't spare one: they have -2^(bits-1) … 2^(bits-1) - 1, and the scale's sign tells
// which side reaches further. An asymmetric grid has 0 … 2^bits - 1 and a zero point; 0 is exact
// there, too, unless zero points are floats: then the codes are any 2^bits points evenly apart.
struct Grid {
  int bits = 8;            // 2 to 8
  std::int64_t group = 0;  // 0: one scale for a whole column (one output)
  bool symmetric = true;
  bool float_zeros = false;  // zero points of an asymmetric grid are no codes but floats
  bool per_tensor = false;   // all columns have the same scale; without groups
  friend bool operator==(const Grid&, const Grid&) = default;

  // A symmetric grid that has one code more below zero than above.
  [[nodiscard]] bool has_full_range() const { return symmetric && bits < 8; }
  // The magnitude that the code farthest from zero stands for, in scales.
  [[nodiscard]] int symmetric_limit() const { return (1 << (bits - 1)) - (bits < 8 ? 0 : 1); }
  // The lowest code as it is stored without a sign; the highest is 2^bits - 1.
  [[nodiscard]] int lowest_code() const { return symmetric && bits == 8 ? 1 : 0; }
  // What is added to the codes of a symmetric grid where they are stored without a sign.
  [[nodiscard]] int offset() const { return 1 << (bits - 1); }
  // Scales along an input dimension of that size.
  [[nodiscard]] std::int64_t groups(std::int64_t in) const {
    return group == 0 ? 1 : (in + group - 1) / group;
  }
};

// Throws Error (bad_option) unless 2 <= bits <= 8 and group >= 0, a symmetric grid has no zeros,
// and one per tensor is symmetric without groups.
void check(const Grid& grid);
[[nodiscard]] std::string to_string(const Grid& grid);  // "INT8 per channel", "UINT4 group 32"

}  // namespace onnxpress
