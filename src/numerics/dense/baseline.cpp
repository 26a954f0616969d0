// SPDX-License-Identifier: Apache-2.0
#include "numerics/dense/algebra.h"
#include "numerics/dense/panels.h"

namespace onnxpress::dense {

const Level& baseline_level() {
  static constexpr Level kLevel = {.instruction_set = InstructionSet::baseline,
                                   .multiply = multiply<float>,
                                   .multiply_double = multiply<double>,
                                   .add_products = add_products,
                                   .inverse_factor = inverse_factor,
                                   .solve = solve,
                                   .search_grid = search_grid,
                                   .round = round_panel,
                                   .gptq = gptq_panel,
                                   .refine = refine_panel};
  return kLevel;
}

}  // namespace onnxpress::dense
