// SPDX-License-Identifier: Apache-2.0
#include "numerics/dense/algebra.h"
#include "numerics/dense/blocks.h"
#include "numerics/dense/inputs.h"
#include "numerics/dense/panels.h"

namespace onnxpress::dense {

const Level& avx2_level() {
  static constexpr Level kLevel = {.instruction_set = InstructionSet::avx2,
                                   .multiply = multiply<float>,
                                   .add_products = add_products,
                                   .cholesky = cholesky,
                                   .inverse_factor = inverse_factor,
                                   .solve_factored = solve_factored,
                                   .round_inputs = round_inputs,
                                   .squared_distance = squared_distance,
                                   .widen_ranges = widen_ranges,
                                   .add_energies = add_energies,
                                   .round_block = round_block,
                                   .round_columns = round_columns,
                                   .search_grid = search_grid,
                                   .round = round_panel,
                                   .gptq = gptq_panel,
                                   .refine = refine_panel};
  return kLevel;
}

}  // namespace onnxpress::dense
