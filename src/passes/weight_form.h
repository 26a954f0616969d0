// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "passes/weight_solver.h"

// In which form the 8-bit weights of integer products stand in the file. CPUs without VNNI add two
// products of UINT8 inputs and INT8 weights in 16 bits, which overflows where weights use all of
// their range: 255 · 127 · 2 > 32767. Two forms are exact there: INT8 codes from -64 to 63, and
// UINT8 codes, whose kernels widen first.
namespace onnxpress {

enum class WeightForm {
  s8,       // INT8, -127 … 127
  s8_7bit,  // INT8, -64 … 63: as fast everywhere, scales twice as wide
  u8,       // UINT8 with the zero point 128: the numbers of s8; slower where there is no VNNI
  choose,   // s8_7bit where that costs next to nothing, otherwise u8
};
[[nodiscard]] const std::vector<std::string>& weight_form_names();  // "s8", "s8-7bit", "u8", "auto"
[[nodiscard]] WeightForm parse_weight_form(std::string_view name);  // one of the names

// Why products of so many inputs may overflow sums of 32 bits; "" where they always fit.
[[nodiscard]] std::string why_sums_overflow(std::int64_t inputs);

// The grid of the matrix that is stored; of `choose` that of the larger form.
[[nodiscard]] Grid stored_grid(WeightForm form, bool per_tensor = false);
[[nodiscard]] std::string describe(WeightForm form, bool per_tensor = false);  // for plans

// A symmetric matrix of 8 bits as UINT8 with the zero point 128. The same numbers.
[[nodiscard]] QuantizedMatrix as_unsigned(QuantizedMatrix q);

// Solves the weight on the grid that the form wants, and returns it in that form. For `choose` both
// are solved, and 7 bits taken where the output's error on held-out data (without data: that of the
// weight) is at most 1.05 times that of 8 bits; `way` and `figures` tell of it.
[[nodiscard]] SolvedWeight solve_in_form(WeightForm form,
                                         const std::function<SolvedWeight(const Grid&)>& solve,
                                         bool per_tensor = false);

}  // namespace onnxpress
