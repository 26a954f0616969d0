// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/cut_spread.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>

#include "model/graph_walk.h"

namespace onnxpress {
namespace {

constexpr int kMostIdentities = 16;

class Spreader {
 public:
  Spreader(const Graph& graph, const SymbolicShapes& shapes) : context_{graph, shapes} {}

  CutSpread run(ValueId start, const AxisCut& cut) {
    add(start, cut);
    while (!open_.empty() && result_.possible()) {
      const auto [node, slot] = open_.front();
      open_.pop_front();
      queued_.erase({node, slot});
      follow(node, slot);
    }
    if (result_.possible()) list_readers();
    return std::move(result_);
  }

 private:
  const Graph& graph() const { return context_.graph; }

  void follow(NodeId id, Slot slot) {
    const Node& node = graph().node(id);
    const AxisCut cut =
        result_.values.at(slot.output ? node.outputs[slot.index] : node.inputs[slot.index]);
    const CutRule rule = cut_rule(context_, node, slot, cut);
    if (!rule.why_not.empty()) {
      fail(rule.why_not);
      result_.quantized = rule.quantized;
      return;
    }
    if (rule.sums) sums_.insert(id);
    for (const SlotCut& other : rule.others) add(id, other);
  }

  void add(NodeId id, const SlotCut& other) {
    if (!result_.possible()) return;
    const Node& node = graph().node(id);
    if (other.slot.output) {
      add(node.outputs[other.slot.index], other.cut);
      return;
    }
    const ValueId value = node.inputs[other.slot.index];
    const ValueId stored = stored_value(graph(), value);
    if (stored == kNoValue || is_weight(node, other.slot.index)) {
      add(value, other.cut);
      return;
    }
    const auto [at, fresh] = result_.operands.try_emplace({id, other.slot.index}, other.cut);
    if (!fresh && !unite(at->second, other.cut)) {
      fail(fmt::format("{} would lose places of two axes", name(stored)));
    }
  }

  void add(ValueId value, const AxisCut& cut) {
    if (!cut.any() || !may_be_cut(value, cut)) return;
    const auto [at, fresh] = result_.values.try_emplace(value, cut);
    const AxisCut before = at->second;
    if (!fresh && !unite(at->second, cut)) {
      fail(fmt::format("{} would lose places of two axes", name(value)));
      return;
    }
    if (!fresh && at->second == before) return;
    const Value& content = graph().value(value);
    if (content.producer && !content.constant) {
      const Node& node = graph().node(*content.producer);
      const auto slot = std::ranges::find(node.outputs, value) - node.outputs.begin();
      push(*content.producer, {true, static_cast<std::size_t>(slot)});
    }
    for (const Use& use : content.uses) push(use.node, {false, use.input});
  }

  // What a model's callers or the body of a loop see keeps its size.
  bool may_be_cut(ValueId value, const AxisCut& cut) {
    const Value& content = graph().value(value);
    const SymbolicShape* shape = context_.shapes.shape(value);
    if (content.is_input || content.is_capture) {
      return fail(fmt::format("{} is an input of the graph", name(value)));
    }
    if (content.is_output) return fail(fmt::format("{} is an output of the graph", name(value)));
    if (shape == nullptr || cut.axis >= shape->size() || (*shape)[cut.axis] != known(cut.size())) {
      return fail(fmt::format("the shape of {} is not known", name(value)));
    }
    if (cut.kept_count() == 0) return fail(fmt::format("nothing of {} would stay", name(value)));
    for (const Use& use : content.uses) {
      const Node& reader = graph().node(use.node);
      if (use.input >= reader.inputs.size()) {
        return fail(fmt::format("the body of {} reads {}", describe(reader), name(value)));
      }
    }
    return true;
  }

  // Large stored tensors: all that read them are cut together, rather than storing them twice.
  static bool is_weight(const Node& node, std::size_t input) {
    if (is_product(node)) return input < 2;
    return (node.is("Gather") && input == 0) || node.is("Identity") || node.is("Transpose") ||
           node.is("Cast");
  }

  static bool unite(AxisCut& cut, const AxisCut& more) {
    if (cut.axis != more.axis || cut.size() != more.size()) return false;
    for (std::size_t i = 0; i < cut.removed.size(); ++i) {
      cut.removed[i] = cut.removed[i] || more.removed[i];
    }
    return true;
  }

  void push(NodeId node, Slot slot) {
    if (queued_.insert({node, slot}).second) open_.emplace_back(node, slot);
  }

  bool fail(std::string why) {
    if (result_.why_not.empty()) result_.why_not = std::move(why);
    return false;
  }

  [[nodiscard]] std::string name(ValueId value) const {
    return fmt::format("\"{}\"", graph().value(value).name);
  }

  void list_readers() {
    for (const NodeId id : graph().nodes()) {
      if (!sums_.contains(id)) continue;
      const Node& node = graph().node(id);
      const bool constant_right = is_constant_like(graph(), node.input(1));
      if (!constant_right && !is_constant_like(graph(), node.input(0))) {
        fail(fmt::format("{} adds up what would go", describe(node)));
        return;
      }
      const auto cut = result_.values.find(node.input(constant_right ? 0 : 1));
      if (cut == result_.values.end()) {
        fail(fmt::format("{} reads a weight that would be cut", describe(node)));
        return;
      }
      result_.readers.emplace_back(id, cut->second);
    }
  }

  CutContext context_;
  CutSpread result_;
  std::deque<std::pair<NodeId, Slot>> open_;
  std::set<std::pair<NodeId, Slot>> queued_;
  std::set<NodeId> sums_;
};

}  // namespace

ValueId stored_value(const Graph& graph, ValueId value) {
  for (int step = 0; step < kMostIdentities && value != kNoValue; ++step) {
    if (graph.constant(value) != nullptr) return value;
    const Node* node = graph.producer(value);
    if (node == nullptr || !node->is("Identity")) return kNoValue;
    value = node->input(0);
  }
  return kNoValue;
}

CutSpread spread_cut(const Graph& graph, const SymbolicShapes& shapes, ValueId start,
                     const AxisCut& cut) {
  return Spreader(graph, shapes).run(start, cut);
}

}  // namespace onnxpress
