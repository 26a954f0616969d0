// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/reader_weights.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <string_view>
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

// Each row of the result depends on the same row of the input only.
bool works_row_by_row(const Graph& graph, const Node& node, std::size_t input) {
  constexpr std::array<std::string_view, 24> kRowWise = {
      "Add",      "Sub",      "Mul",       "Div",        "Pow",  "Sqrt",     "Erf", "Tanh",
      "Relu",     "Sigmoid",  "Cast",      "Identity",   "Gelu", "Neg",      "Exp", "Clip",
      "FastGelu", "BiasGelu", "QuickGelu", "Reciprocal", "Abs",  "Softplus", "Elu", "HardSigmoid"};
  if (std::ranges::find(kRowWise, node.op_type) != kRowWise.end()) return true;
  if (node.is("MatMul")) return input == 0 && graph.constant(node.input(1)) != nullptr;
  if (node.op_type == "LayerNormalization" || node.op_type == "SkipLayerNormalization") {
    return node.attributes.get_int("axis", -1) == -1;
  }
  if (!node.is("ReduceMean") || node.attributes.get_int("keepdims", 1) != 1) return false;
  if (const Tensor* axes = graph.constant(node.input(1))) {
    return axes->to_int64s() == std::vector<std::int64_t>{-1};
  }
  return node.attributes.has("axes") &&
         node.attributes.get_ints("axes") == std::vector<std::int64_t>{-1};
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
  std::vector<float> values = unit.layout == WeightLayout::in_out ? w.values : transposed(w).values;
  if (old.dtype() == DType::float32) {
    graph.set_constant(unit.weight, Tensor::of<float>(old.dims(), std::move(values)));
  } else {
    std::vector<std::byte> bytes(values.size() * sizeof(std::uint16_t));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint16_t bits =
          old.dtype() == DType::float16 ? float_to_half(values[i]) : float_to_bfloat16(values[i]);
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
    const bool skip =
        node.domain == "com.microsoft" && (node.op_type == "SkipLayerNormalization" ||
                                           node.op_type == "SkipSimplifiedLayerNormalization");
    if (!add && !skip) return kNoValue;
    const ValueId other = node.input(content.uses[0].input == 0 ? 1 : 0);
    return other == kNoValue || graph.constant(other) != nullptr ? kNoValue : other;
  }
  return kNoValue;
}

std::optional<std::int64_t> only_token_read(const Graph& graph, ValueId value) {
  std::optional<std::int64_t> token;
  std::set<ValueId> seen{value};
  std::vector<ValueId> open{value};
  while (!open.empty()) {
    const Value& content = graph.value(open.back());
    open.pop_back();
    if (content.is_output) return std::nullopt;
    for (const Use& use : content.uses) {
      const Node& node = graph.node(use.node);
      if (use.input >= node.inputs.size()) return std::nullopt;
      if (node.is("Gather")) {
        const Tensor* index = graph.constant(node.input(1));
        if (use.input != 0 || node.attributes.get_int("axis", 0) != 1 || index == nullptr ||
            index->size() != 1) {
          return std::nullopt;
        }
        const std::int64_t at = index->to_int64s()[0];
        if (at < 0 || (token && *token != at)) return std::nullopt;
        token = at;
        continue;
      }
      if (!works_row_by_row(graph, node, use.input)) return std::nullopt;
      for (const ValueId output : node.outputs) {
        if (output != kNoValue && seen.insert(output).second) open.push_back(output);
      }
    }
  }
  return token;
}

}  // namespace onnxpress
