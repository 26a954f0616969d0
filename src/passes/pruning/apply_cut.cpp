// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/apply_cut.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "passes/pruning/check_cut.h"
#include "passes/pruning/shape_operands.h"
#include "passes/pruning/slices.h"

namespace onnxpress {
namespace {

class Surgery {
 public:
  Surgery(const Graph& graph, const SymbolicShapes& before, const CutSpread& spread,
          bool sizes_only)
      : graph_(graph), before_(before), spread_(spread), sizes_only_(sizes_only) {}

  std::string run() {
    cut_tensors();
    cut_operands();
    announce_sizes();
    const SymbolicShapes ahead(graph_, ahead_);
    elements_.emplace(graph_, ahead);
    const std::vector<NodeId> nodes(graph_.nodes().begin(), graph_.nodes().end());
    for (const NodeId id : nodes) change_parameters(id, ahead);
    if (!why_not_.empty()) return why_not_;
    graph_.remove_unused();
    graph_.sort();
    graph_.verify();
    return check_cut(before_, graph_, spread_);
  }

  Graph take() { return std::move(graph_); }

 private:
  using OperandCut = decltype(CutSpread::operands)::value_type;

  void fail(std::string why) {
    if (why_not_.empty()) why_not_ = std::move(why);
  }

  std::optional<Tensor> slice(ValueId value, const AxisCut& cut) {
    auto result = sliced(*graph_.constant(value), cut, sizes_only_);
    if (!result) fail(fmt::format("\"{}\" can't be cut", graph_.value(value).name));
    return result;
  }

  // The tensor of a Constant node can't be replaced where it is.
  void put(ValueId value, Tensor tensor) {
    if (graph_.value(value).producer) {
      const ValueId fresh = graph_.add_constant(graph_.value(value).name, std::move(tensor));
      graph_.replace_all_uses(value, fresh);
    } else {
      graph_.set_constant(value, std::move(tensor));
    }
  }

  void cut_tensors() {
    for (const auto& [value, cut] : spread_.values) {
      if (graph_.constant(value) == nullptr) continue;
      if (auto tensor = slice(value, cut)) put(value, std::move(*tensor));
    }
  }

  // Tensors that nodes read for themselves: in place where all their readers want the same.
  void cut_operands() {
    std::map<ValueId, std::vector<const OperandCut*>> readers;
    for (const auto& row : spread_.operands) {
      const Node& node = graph_.node(row.first.first);
      readers[stored_value(graph_, node.inputs[row.first.second])].push_back(&row);
    }
    for (const auto& [stored, rows] : readers) cut_operand(stored, rows);
  }

  void cut_operand(ValueId stored, const std::vector<const OperandCut*>& rows) {
    const AxisCut& first = rows.front()->second;
    bool in_place = graph_.value(stored).uses.size() == rows.size();
    for (const OperandCut* row : rows) {
      const auto [node, input] = row->first;
      in_place = in_place && row->second == first && graph_.node(node).inputs[input] == stored;
    }
    if (in_place && !graph_.value(stored).is_output) {
      if (auto tensor = slice(stored, first)) put(stored, std::move(*tensor));
      return;
    }
    std::vector<std::pair<const AxisCut*, ValueId>> made;
    for (const OperandCut* row : rows) {
      const auto known =
          std::ranges::find_if(made, [row](const auto& one) { return *one.first == row->second; });
      ValueId fresh = known == made.end() ? kNoValue : known->second;
      if (fresh == kNoValue) {
        auto tensor = slice(stored, row->second);
        if (!tensor) return;
        fresh = graph_.add_constant(graph_.value(stored).name, std::move(*tensor));
        made.emplace_back(&row->second, fresh);
      }
      graph_.set_input(row->first.first, row->first.second, fresh);
    }
  }

  void announce_sizes() {
    for (const auto& [value, cut] : spread_.values) {
      const Value& content = graph_.value(value);
      if (content.constant) continue;
      ahead_.push_back({value, cut.axis, cut.kept_count()});
      if (!content.shape || cut.axis >= content.shape->size()) continue;
      Shape shape = *content.shape;
      shape[cut.axis] = {cut.kept_count(), ""};
      graph_.set_type(value, content.dtype, std::move(shape));
    }
  }

  const AxisCut* cut_of(ValueId value) const {
    const auto found = spread_.values.find(value);
    return found == spread_.values.end() ? nullptr : &found->second;
  }

  // Sizes that a node is told by operands and attributes.
  void change_parameters(NodeId id, const SymbolicShapes& ahead) {
    const Node& node = graph_.node(id);
    if (node.outputs.empty() || node.inputs.empty()) return;
    const AxisCut* in = cut_of(node.inputs[0]);
    const AxisCut* out = cut_of(node.outputs[0]);
    if (node.is("Split")) {
      change_split(id, in);
    } else if (node.domain == "com.microsoft" && node.attributes.has("num_heads")) {
      if (out != nullptr) change_heads(id, *out);
    } else if (out == nullptr) {
      return;
    } else if (node.is("Reshape")) {
      change_target(id, 1, out->axis, *out, ahead, true);
    } else if (node.is("Expand")) {
      const std::int64_t entries = ahead.size(node.input(1), 0);
      const SymbolicShape* shape = ahead.shape(node.outputs[0]);
      if (entries < 0 || shape == nullptr) return;
      const std::size_t missing =
          shape->size() - std::min(shape->size(), static_cast<std::size_t>(entries));
      if (out->axis < missing) return;
      change_target(id, 1, out->axis - missing, *out, ahead, false);
    } else if (node.is("ConstantOfShape")) {
      change_target(id, 0, out->axis, *out, ahead, false);
    } else if (node.is("Slice") && in != nullptr) {
      change_slice(id, *in, *out, ahead);
    }
  }

  // An element that names the old size. One that follows from others (-1), that copies the input's
  // size (0) or that is computed from a shape is right already.
  void change_target(NodeId id, std::size_t input, std::size_t element, const AxisCut& cut,
                     const SymbolicShapes& ahead, bool copies) {
    const Node& node = graph_.node(id);
    const auto number = ahead.integer(node.input(input), element);
    if (!number || *number == cut.kept_count() || *number == -1) return;
    if (copies && *number == 0 && node.attributes.get_int("allowzero", 0) == 0) {
      if (ahead.size(node.inputs[0], static_cast<std::int64_t>(element)) == cut.kept_count())
        return;
    }
    if (*number == 1 && !copies) return;  // Expand leaves the input's size
    if (!elements_->set(id, input, element, cut.kept_count())) {
      fail(fmt::format("{} is told its sizes in a way that can't be changed",
                       describe(graph_.node(id))));
    }
  }

  void change_slice(NodeId id, const AxisCut& in, const AxisCut& out, const SymbolicShapes& ahead) {
    const auto old = slice_along(before_, graph_.node(id), in.axis);
    if (!old || !old->given) return;
    const std::int64_t begin = part(in, 0, old->begin).kept_count();
    const auto now = slice_along(ahead, graph_.node(id), in.axis);
    if (now && now->begin == begin && now->count == out.kept_count()) return;
    if (!elements_->set(id, 1, old->entry, begin) ||
        !elements_->set(id, 2, old->entry, begin + out.kept_count())) {
      fail(fmt::format("{} is told its range in a way that can't be changed",
                       describe(graph_.node(id))));
    }
  }

  void change_split(NodeId id, const AxisCut* in) {
    const Node& node = graph_.node(id);
    const SymbolicShape* shape = before_.shape(node.inputs[0]);
    if (in == nullptr || shape == nullptr) return;
    std::int64_t axis = node.attributes.get_int("axis", 0);
    if (axis < 0) axis += static_cast<std::int64_t>(shape->size());
    if (axis != static_cast<std::int64_t>(in->axis)) return;
    std::vector<std::int64_t> sizes;
    for (const ValueId output : node.outputs) {
      const AxisCut* cut = cut_of(output);
      sizes.push_back(cut != nullptr ? cut->kept_count() : before_.size(output, axis));
    }
    if (node.input(1) != kNoValue) {
      const auto count = static_cast<std::int64_t>(sizes.size());
      graph_.set_input(id, 1,
                       graph_.add_constant(graph_.value(node.inputs[1]).name,
                                           Tensor::of<std::int64_t>({count}, std::move(sizes))));
    } else if (node.attributes.has("split")) {
      graph_.attributes(id).set("split", std::move(sizes));
    } else if (std::ranges::adjacent_find(sizes, std::ranges::not_equal_to{}) != sizes.end()) {
      fail(fmt::format("{} splits into equal parts, which they would not be", describe(node)));
    }
  }

  void change_heads(NodeId id, const AxisCut& out) {
    const std::int64_t heads = graph_.node(id).attributes.get_int("num_heads", 1);
    graph_.attributes(id).set("num_heads", out.kept_count() / (out.size() / heads));
  }

  Graph graph_;
  const SymbolicShapes& before_;
  const CutSpread& spread_;
  bool sizes_only_;
  std::vector<GrantedSize> ahead_;
  std::optional<ElementChanges> elements_;
  std::string why_not_;
};

}  // namespace

std::string apply_cut(Graph& graph, const SymbolicShapes& shapes, const CutSpread& spread,
                      bool sizes_only) {
  if (!spread.possible()) return spread.why_not;
  Surgery surgery(graph, shapes, spread, sizes_only);
  std::string why_not = surgery.run();
  if (why_not.empty()) graph = surgery.take();
  return why_not;
}

}  // namespace onnxpress
