// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/transformer_view.h"
#include "numerics/weight_ref.h"
#include "passes/pass.h"

// What passes that quantize linear units have in common: which units, and their weights.
namespace onnxpress {

// Options of every pass over linear units; rows of a table take them by `&Options::include`.
struct UnitOptions {
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  double min_saving = 1e-4;
};

// The numbers of a constant matrix of float32, float16 or bfloat16; nothing for other tensors.
[[nodiscard]] std::optional<WeightRef> weight_ref(const Tensor& tensor, MatrixLayout layout);
[[nodiscard]] MatrixLayout matrix_layout(WeightLayout layout);

// Whether another unit reads the weight transposed, so that one stored matrix can't serve both.
[[nodiscard]] bool is_read_transposed(const TransformerView& view, const LinearUnit& unit);

// What a pass can do with a unit: the bytes its weight will take and a line that says how, or why
// the unit stays as it is.
struct UnitOutcome {
  std::string refusal{};  // "" if the unit is changed
  std::string reason{};   // what is done
  std::int64_t bytes_after = 0;
};

// A plan over all linear units. `judge` is asked for units that neither the model view nor the
// user's globs rule out; with `ask_refused` also for those that the view refuses because they are
// quantized already. Weights that several units share count for the first. Units that would save
// less than min_saving of the model's weights stay.
[[nodiscard]] PassPlan plan_units(PassContext& context, const UnitOptions& options,
                                  bool ask_quantized,
                                  const std::function<UnitOutcome(const LinearUnit&)>& judge);

// Casts `value` to a type; the value itself if it is of that type.
[[nodiscard]] ValueId cast(Graph& graph, ValueId value, DType from, DType to,
                           std::string_view hint);

}  // namespace onnxpress
