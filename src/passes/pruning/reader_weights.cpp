// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/reader_weights.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/error_codes.h"
#include "base/half.h"
#include "passes/linear_units.h"
#include "passes/unit_bias.h"

namespace onnxpress {
namespace {

constexpr int kMostSteps = 4;  // Reshape and the like between a product and its Add

bool leaves_elements_alone(const Node& node) {
  return node.is("Reshape") || node.is("Identity") || node.is("Squeeze") || node.is("Unsqueeze");
}

}  // namespace

Matrix weights_of(const Graph& graph, const LinearUnit& unit) {
  const Tensor* tensor = graph.constant(unit.weight);
  const auto w = tensor == nullptr ? std::nullopt : weight_ref(*tensor, matrix_layout(unit.layout));
  if (!w) throw Error(codes::unsupported_type, "\"" + unit.label + "\" has no matrix of floats");
  return to_matrix(*w);
}

void set_weights(Graph& graph, const LinearUnit& unit, const Matrix& w,
                 std::span<const float> bias_change) {
  const Tensor old = *graph.constant(unit.weight);
  std::vector<float> values =
      unit.layout == WeightLayout::in_out ? w.values : transposed(w).values;
  if (old.dtype() == DType::float32) {
    graph.set_constant(unit.weight, Tensor::of<float>(old.dims(), std::move(values)));
  } else {
    std::vector<std::byte> bytes(values.size() * sizeof(std::uint16_t));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint16_t bits = old.dtype() == DType::float16 ? float_to_half(values[i])
                                                               : float_to_bfloat16(values[i]);
      std::memcpy(bytes.data() + i * sizeof(bits), &bits, sizeof(bits));
    }
    graph.set_constant(unit.weight, Tensor::from_bytes(old.dtype(), old.dims(), std::move(bytes)));
  }
  if (!bias_change.empty()) add_to_bias(graph, unit, bias_change);
}

std::string why_fixed(const Graph& graph, const LinearUnit& unit) {
  const Value& weight = graph.value(unit.weight);
  if (unit.weight_shared) return "another unit or an embedding reads the weight, too";
  if (weight.is_output) return "the weight is a graph output";
  if (weight.is_input) return "the weight is a graph input";
  for (const Refusal& refusal : unit.why_not) {
    if (refusal.kind == RefusalKind::scaled) return "its product is scaled";
  }
  return "";
}

ValueId residual_beside(const Graph& graph, const LinearUnit& unit) {
  ValueId value = unit.biased_output;
  for (int step = 0; step < kMostSteps; ++step) {
    const Value& content = graph.value(value);
    if (content.uses.size() != 1 || content.is_output) return kNoValue;
    const Node& node = graph.node(content.uses[0].node);
    if (leaves_elements_alone(node)) {
      value = node.outputs[0];
      continue;
    }
    const bool add = node.is("Add");
    const bool skip = node.domain == "com.microsoft" &&
                      (node.op_type == "SkipLayerNormalization" ||
                       node.op_type == "SkipSimplifiedLayerNormalization");
    if (!add && !skip) return kNoValue;
    const ValueId other = node.input(content.uses[0].input == 0 ? 1 : 0);
    return other == kNoValue || graph.constant(other) != nullptr ? kNoValue : other;
  }
  return kNoValue;
}

}  // namespace onnxpress
