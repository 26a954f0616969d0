// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>

#include "passes/pruning/cut_rules.h"

namespace onnxpress::cut_rules {
namespace {

constexpr Slot kOut{true, 0};

// How many of a node's inputs carry numbers that are combined place by place.
std::size_t data_operands(const Node& node) {
  constexpr std::array<std::string_view, 5> kFirstOnly = {"Expand", "Clip", "Dropout", "Cast",
                                                          "Swish"};
  if (node.is("ConstantOfShape")) return 0;
  if (std::ranges::find(kFirstOnly, node.op_type) != kFirstOnly.end()) return 1;
  return node.inputs.size();
}

// Adds the cut to a slot of `rank` axes, counted from the last axis; slots that are broadcast along
// it have nothing to lose. Says why where the size is not known.
std::string link_aligned(const CutContext& context, const Node& node, Slot slot,
                         std::size_t from_end, const AxisCut& cut, CutRule& rule) {
  const SymbolicShape* shape = context.shape(node, slot);
  if (shape == nullptr) return "has an operand whose shape is not known";
  if (from_end > shape->size()) return "";
  const std::size_t axis = shape->size() - from_end;
  if ((*shape)[axis] == known(1)) return "";
  if ((*shape)[axis] != known(cut.size())) {
    return "has an operand whose size is not known along the axis of what would go";
  }
  rule.others.push_back({slot, {axis, cut.removed}});
  return "";
}

}  // namespace

CutRule elementwise(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  const std::size_t operands = data_operands(node);
  if ((!from.output && from.index >= operands) || (from.output && from.index > 0)) {
    return refuse(node, "reads what would go as a parameter");
  }
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    const Value& other = context.graph.value(node.outputs[i]);
    if (!other.uses.empty() || other.is_output) return refuse(node, "has a second result");
  }
  const SymbolicShape* shape = context.shape(node, from);
  if (shape == nullptr) return refuse(node, "has an operand whose shape is not known");
  const std::size_t from_end = shape->size() - cut.axis;
  CutRule rule;
  for (std::size_t i = 0; i <= operands; ++i) {
    const Slot slot = i < operands ? Slot{false, i} : kOut;
    if (slot == from || (!slot.output && node.inputs[i] == kNoValue)) continue;
    const std::string why = link_aligned(context, node, slot, from_end, cut, rule);
    if (!why.empty()) return refuse(node, why);
  }
  return rule;
}

CutRule matmul(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  const SymbolicShape* a = context.shape(node, {false, 0});
  const SymbolicShape* b = context.shape(node, {false, 1});
  const SymbolicShape* out = context.shape(node, kOut);
  if (a == nullptr || b == nullptr || out == nullptr || a->size() < 2 || b->size() < 2) {
    return refuse(node, "has operands whose shapes are not known");
  }
  const SymbolicShape& own = from.output ? *out : from.index == 0 ? *a : *b;
  const std::size_t from_end = own.size() - cut.axis;
  CutRule rule;
  const auto link = [&](Slot slot, std::size_t end) {
    if (!rule.why_not.empty() || slot == from) return;
    const std::string why = link_aligned(context, node, slot, end, cut, rule);
    if (!why.empty()) rule = refuse(node, why);
  };
  if (from_end > 2) {  // one product for each place
    for (const Slot slot : {Slot{false, 0}, Slot{false, 1}, kOut}) link(slot, from_end);
    return rule;
  }
  const bool a_inner = !from.output && from.index == 0 && from_end == 1;
  const bool b_inner = !from.output && from.index == 1 && from_end == 2;
  if (a_inner || b_inner) {
    rule.sums = true;
    link({false, a_inner ? 1U : 0U}, a_inner ? 2 : 1);
  } else {
    link({false, from_end == 1 ? 1U : 0U}, from_end);
    link(kOut, from_end);
  }
  return rule;
}

CutRule gemm(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  const bool a_turned = node.attributes.get_int("transA", 0) != 0;
  const bool b_turned = node.attributes.get_int("transB", 0) != 0;
  CutRule rule;
  const auto link = [&](std::size_t input, std::size_t axis) {
    rule.others.push_back({{false, input}, {axis, cut.removed}});
  };
  if (!from.output && from.index < 2) {
    const bool turned = from.index == 0 ? a_turned : b_turned;
    const bool inner =
        from.index == 0 ? cut.axis == (turned ? 0U : 1U) : cut.axis == (turned ? 1U : 0U);
    if (inner) {
      rule.sums = true;
      if (from.index == 0) {
        link(1, b_turned ? 1 : 0);
      } else {
        link(0, a_turned ? 0 : 1);
      }
      return rule;
    }
    rule.others.push_back({kOut, {from.index, cut.removed}});
    return rule;  // the rest follows from the output
  }
  if (from.output) {
    if (cut.axis == 0) {
      link(0, a_turned ? 1 : 0);
    } else {
      link(1, b_turned ? 0 : 1);
    }
    if (node.input(2) != kNoValue) {
      const std::string why = link_aligned(context, node, {false, 2}, 2 - cut.axis, cut, rule);
      if (!why.empty()) return refuse(node, why);
    }
    return rule;
  }
  return refuse(node, "adds what would go");
}

CutRule einsum(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  std::string equation = node.attributes.get_string("equation", "");
  std::erase(equation, ' ');
  const std::size_t arrow = equation.find("->");
  if (arrow == std::string::npos || equation.find("...") != std::string::npos) {
    return refuse(node, "has an equation that is not understood");
  }
  std::vector<std::pair<Slot, std::string>> terms;
  std::string_view left = std::string_view(equation).substr(0, arrow);
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const std::size_t comma = std::min(left.find(','), left.size());
    terms.emplace_back(Slot{false, i}, left.substr(0, comma));
    left.remove_prefix(std::min(comma + 1, left.size()));
  }
  terms.emplace_back(kOut, equation.substr(arrow + 2));
  char letter = 0;
  for (const auto& [slot, letters] : terms) {
    if (slot == from && cut.axis < letters.size()) letter = letters[cut.axis];
  }
  CutRule rule;
  rule.sums = terms.back().second.find(letter) == std::string::npos;
  for (const auto& [slot, letters] : terms) {
    if (std::ranges::count(letters, letter) > 1) return refuse(node, "takes a diagonal");
    const std::size_t axis = letters.find(letter);
    if (axis == std::string::npos || slot == from) continue;
    const SymbolicShape* shape = context.shape(node, slot);
    if (shape == nullptr || shape->size() != letters.size() ||
        (*shape)[axis] != known(cut.size())) {
      return refuse(node, "has an operand whose size is not known along the axis of what would go");
    }
    rule.others.push_back({slot, {axis, cut.removed}});
  }
  return letter == 0 ? refuse(node, "has an equation that is not understood") : rule;
}

CutRule reduce(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  const SymbolicShape* in = context.shape(node, {false, 0});
  if (in == nullptr || (!from.output && from.index > 0)) {
    return refuse(node, "has an operand whose shape is not known");
  }
  std::vector<std::int64_t> axes = node.attributes.get_ints("axes");
  if (node.input(1) != kNoValue) {
    const auto given = context.shapes.integers(node.input(1));
    if (!given) return refuse(node, "reduces axes that are not known");
    axes = *given;
  }
  const bool all = axes.empty() && node.attributes.get_int("noop_with_empty_axes", 0) == 0;
  const bool keeps = node.attributes.get_int("keepdims", 1) != 0;
  std::vector<bool> reduced(in->size(), all);
  for (std::int64_t axis : axes) {
    if (axis < 0) axis += static_cast<std::int64_t>(in->size());
    if (axis < 0 || axis >= static_cast<std::int64_t>(in->size())) {
      return refuse(node, "reduces an axis that is not there");
    }
    reduced[static_cast<std::size_t>(axis)] = true;
  }
  std::size_t out_axis = 0;
  for (std::size_t axis = 0; axis < in->size(); ++axis) {
    const bool here = from.output ? out_axis == cut.axis && !reduced[axis] : axis == cut.axis;
    if (here) {
      if (reduced[axis]) return refuse(node, "reduces over what would go");
      CutRule rule;
      const Slot to = from.output ? Slot{false, 0} : kOut;
      rule.others.push_back({to, {from.output ? axis : out_axis, cut.removed}});
      return rule;
    }
    if (keeps || !reduced[axis]) ++out_axis;
  }
  return refuse(node, "reduces over what would go");
}

CutRule normalize(const CutContext& context, const Node& node, Slot from, const AxisCut& cut) {
  const SymbolicShape* in = context.shape(node, {false, 0});
  if (in == nullptr || (from.index > 0)) {
    return refuse(node, "normalizes by what would go");
  }
  std::int64_t axis = node.attributes.get_int("axis", -1);
  if (axis < 0) axis += static_cast<std::int64_t>(in->size());
  const bool softmax = node.op_type.ends_with("Softmax");
  const auto place = static_cast<std::int64_t>(cut.axis);
  if (softmax ? place == axis : place >= axis) {
    return refuse(node,
                  softmax ? "is a softmax over what would go" : "normalizes over what would go");
  }
  for (std::size_t i = 1; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    const Value& other = context.graph.value(node.outputs[i]);
    if (!other.uses.empty() || other.is_output) return refuse(node, "has a second result");
  }
  CutRule rule;
  rule.others.push_back({from.output ? Slot{false, 0} : kOut, cut});
  return rule;
}

}  // namespace onnxpress::cut_rules
