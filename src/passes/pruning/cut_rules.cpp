// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/cut_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "model/graph_walk.h"

namespace onnxpress {
namespace {

using Rule = CutRule (*)(const CutContext&, const Node&, Slot, const AxisCut&);

struct RuleRow {
  std::string_view op;
  Rule rule;
};

// Shapes that a program reads off a cut value are checked after the cut: check_cut.h.
CutRule reads_sizes_only(const CutContext& /*context*/, const Node& /*node*/, Slot /*from*/,
                         const AxisCut& /*cut*/) {
  return {};
}

using namespace cut_rules;

constexpr std::array kStandard{
    RuleRow{"Abs", elementwise},
    RuleRow{"Add", elementwise},
    RuleRow{"And", elementwise},
    RuleRow{"Cast", elementwise},
    RuleRow{"Ceil", elementwise},
    RuleRow{"Celu", elementwise},
    RuleRow{"Clip", elementwise},
    RuleRow{"Concat", concat},
    RuleRow{"ConstantOfShape", elementwise},
    RuleRow{"Cos", elementwise},
    RuleRow{"Div", elementwise},
    RuleRow{"Dropout", elementwise},
    RuleRow{"Einsum", einsum},
    RuleRow{"Elu", elementwise},
    RuleRow{"Equal", elementwise},
    RuleRow{"Erf", elementwise},
    RuleRow{"Exp", elementwise},
    RuleRow{"Expand", elementwise},
    RuleRow{"Flatten", reshape},
    RuleRow{"Floor", elementwise},
    RuleRow{"Gather", gather},
    RuleRow{"Gelu", elementwise},
    RuleRow{"Gemm", gemm},
    RuleRow{"Greater", elementwise},
    RuleRow{"GreaterOrEqual", elementwise},
    RuleRow{"HardSigmoid", elementwise},
    RuleRow{"HardSwish", elementwise},
    RuleRow{"Identity", elementwise},
    RuleRow{"IsNaN", elementwise},
    RuleRow{"LayerNormalization", normalize},
    RuleRow{"LeakyRelu", elementwise},
    RuleRow{"Less", elementwise},
    RuleRow{"LessOrEqual", elementwise},
    RuleRow{"Log", elementwise},
    RuleRow{"LogSoftmax", normalize},
    RuleRow{"MatMul", matmul},
    RuleRow{"Max", elementwise},
    RuleRow{"Min", elementwise},
    RuleRow{"Mish", elementwise},
    RuleRow{"Mul", elementwise},
    RuleRow{"Neg", elementwise},
    RuleRow{"Not", elementwise},
    RuleRow{"Or", elementwise},
    RuleRow{"PRelu", elementwise},
    RuleRow{"Pow", elementwise},
    RuleRow{"RMSNormalization", normalize},
    RuleRow{"Reciprocal", elementwise},
    RuleRow{"ReduceL2", reduce},
    RuleRow{"ReduceMax", reduce},
    RuleRow{"ReduceMean", reduce},
    RuleRow{"ReduceSum", reduce},
    RuleRow{"ReduceSumSquare", reduce},
    RuleRow{"Relu", elementwise},
    RuleRow{"Reshape", reshape},
    RuleRow{"Selu", elementwise},
    RuleRow{"Shape", reads_sizes_only},
    RuleRow{"Sigmoid", elementwise},
    RuleRow{"Sign", elementwise},
    RuleRow{"SimplifiedLayerNormalization", normalize},
    RuleRow{"Sin", elementwise},
    RuleRow{"Slice", slice},
    RuleRow{"Softmax", normalize},
    RuleRow{"Softplus", elementwise},
    RuleRow{"Softsign", elementwise},
    RuleRow{"Split", split},
    RuleRow{"Sqrt", elementwise},
    RuleRow{"Squeeze", reshape},
    RuleRow{"Sub", elementwise},
    RuleRow{"Sum", elementwise},
    RuleRow{"Swish", elementwise},
    RuleRow{"Tanh", elementwise},
    RuleRow{"ThresholdedRelu", elementwise},
    RuleRow{"Transpose", transpose},
    RuleRow{"Unsqueeze", reshape},
    RuleRow{"Where", elementwise},
};

constexpr std::array kContrib{
    RuleRow{"Attention", attention_with_weights},
    RuleRow{"BiasGelu", elementwise},
    RuleRow{"FastGelu", elementwise},
    RuleRow{"FusedGemm", gemm},
    RuleRow{"Gelu", elementwise},
    RuleRow{"MultiHeadAttention", multi_head_attention},
    RuleRow{"QuickGelu", elementwise},
};

Rule find_rule(const Node& node) {
  const auto in = [&](const auto& table) -> Rule {
    const auto row = std::ranges::find(table, std::string_view(node.op_type), &RuleRow::op);
    return row == table.end() ? nullptr : row->rule;
  };
  if (node.domain.empty()) return in(kStandard);
  return node.domain == "com.microsoft" ? in(kContrib) : nullptr;
}

bool is_quantized(const Node& node) {
  constexpr std::array<std::string_view, 4> kTypes = {
      "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "GatherBlockQuantized"};
  return is_quantized_product(node) || std::ranges::find(kTypes, node.op_type) != kTypes.end();
}

}  // namespace

const SymbolicShape* CutContext::shape(const Node& node, Slot slot) const {
  const auto& values = slot.output ? node.outputs : node.inputs;
  return slot.index < values.size() ? shapes.shape(values[slot.index]) : nullptr;
}

CutRule cut_rule(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  if (is_quantized(node)) {
    CutRule rule = refuse(node, "is quantized already: prune before quantizing");
    rule.quantized = true;
    return rule;
  }
  const Rule rule = find_rule(node);
  if (rule == nullptr) return refuse(node, "works with what would go, in a way not known here");
  return rule(context, node, from, cut);
}

std::string describe(const Node& node) {
  const std::string name =
      !node.name.empty() || node.outputs.empty() ? node.name : std::string("without a name");
  return fmt::format("{} \"{}\"", node.op_type, name);
}

namespace cut_rules {

CutRule refuse(const Node& node, const std::string& why) {
  CutRule rule;
  rule.why_not = fmt::format("{} {}", describe(node), why);
  return rule;
}

}  // namespace cut_rules

}  // namespace onnxpress
