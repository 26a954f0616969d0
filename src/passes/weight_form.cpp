// SPDX-License-Identifier: Apache-2.0
#include "passes/weight_form.h"

#include <fmt/format.h>
#include <cstdint>
#include <limits>

#include <algorithm>
#include <cmath>
#include <utility>

namespace onnxpress {
namespace {

constexpr double kNextToNothing = 1.05;

Grid grid_of(int bits, bool per_tensor) {
  return {.bits = bits, .per_tensor = per_tensor};
}

// Relative: of the unit's output if that was measured, otherwise of the weight.
double error_of(const SolvedWeight& solved) {
  double error = 0;
  for (const auto& [name, value] : solved.figures) {
    if (name == "sqnr_db") error = std::pow(10, -value / 20);
  }
  for (const auto& [name, value] : solved.figures) {
    if (name == "output_error") error = value;
  }
  return error;
}

}  // namespace

std::string why_sums_overflow(std::int64_t inputs) {
  constexpr std::int64_t kMostInputs = std::numeric_limits<std::int32_t>::max() / (255 * 255);
  if (inputs <= kMostInputs) return "";
  return fmt::format("{} inputs: their integer products may overflow 32 bits", inputs);
}

const std::vector<std::string>& weight_form_names() {
  static const std::vector<std::string> names{"s8", "s8-7bit", "u8", "auto"};
  return names;
}

WeightForm parse_weight_form(std::string_view name) {
  const auto& names = weight_form_names();
  return static_cast<WeightForm>(std::ranges::find(names, name) - names.begin());
}

Grid stored_grid(WeightForm form, bool per_tensor) {
  switch (form) {
    case WeightForm::s8:
      return grid_of(8, per_tensor);
    case WeightForm::s8_7bit:
      return grid_of(7, per_tensor);
    case WeightForm::u8:
    case WeightForm::choose:
      break;
  }
  return {.bits = 8, .symmetric = false, .per_tensor = per_tensor};
}

std::string describe(WeightForm form, bool per_tensor) {
  const std::string text = to_string(stored_grid(form, per_tensor));
  return form == WeightForm::choose ? "INT8 of 7 bits or " + text : text;
}

QuantizedMatrix as_unsigned(QuantizedMatrix q) {
  q.zero_points.assign(q.scales.size(), static_cast<std::uint8_t>(q.grid.offset()));
  q.grid.symmetric = false;
  return q;
}

SolvedWeight solve_in_form(WeightForm form, const std::function<SolvedWeight(const Grid&)>& solve,
                           bool per_tensor) {
  if (form == WeightForm::s8_7bit) return solve(grid_of(7, per_tensor));
  SolvedWeight eight = solve(grid_of(8, per_tensor));
  if (form == WeightForm::s8) return eight;
  if (form == WeightForm::choose) {
    SolvedWeight seven = solve(grid_of(7, per_tensor));
    const double error7 = error_of(seven);
    const double error8 = error_of(eight);
    const bool enough = error7 <= error8 * kNextToNothing;
    SolvedWeight& chosen = enough ? seven : eight;
    chosen.way += fmt::format("; {}: error {:.4f} with 7 bits, {:.4f} with 8",
                              enough ? "INT8 of 7 bits" : "UINT8", error7, error8);
    chosen.figures.emplace_back("weights.7bit.error", error7);
    chosen.figures.emplace_back("weights.8bit.error", error8);
    if (enough) return seven;
  }
  eight.q = as_unsigned(std::move(eight.q));
  return eight;
}

}  // namespace onnxpress
