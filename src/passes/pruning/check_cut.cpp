// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/check_cut.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "passes/pruning/concrete_sizes.h"

namespace onnxpress {
namespace {

// Nodes through which a size goes on as a size, or that end it: targets, ranges.
bool takes_sizes(const Node& node) {
  constexpr std::array<std::string_view, 24> kSizes = {
      "Concat", "Gather", "Unsqueeze", "Squeeze", "Slice",           "Add",      "Sub",   "Mul",
      "Div",    "Cast",   "Identity",  "Reshape", "Expand",          "Shape",    "Split", "Equal",
      "Where",  "Not",    "Min",       "Max",     "ConstantOfShape", "Constant", "Mod",   "Tile"};
  if (!node.domain.empty() || std::ranges::find(kSizes, node.op_type) == kSizes.end()) return false;
  if (!node.is("Cast")) return true;
  const auto to = static_cast<DType>(node.attributes.get_int("to", 0));
  return to == DType::int64 || to == DType::int32;
}

class Check {
 public:
  Check(const SymbolicShapes& before, const Graph& after, const CutSpread& spread)
      : before_(before), graph_(after), now_(after, concrete_sizes(after)), spread_(spread) {}

  std::string run() {
    for (const ValueId id : graph_.values()) {
      if (graph_.constant(id) != nullptr || is_new(id)) continue;
      if (std::string wrong = wrong_shape(id); !wrong.empty()) return wrong;
      if (std::string wrong = wrong_number(id); !wrong.empty()) return wrong;
    }
    return "";
  }

 private:
  [[nodiscard]] bool is_new(ValueId id) const { return before_.shape(id) == nullptr; }

  std::string wrong_shape(ValueId id) {
    const SymbolicShape& old = *before_.shape(id);
    const SymbolicShape* now = now_.shape(id);
    const auto cut = spread_.values.find(id);
    if (now == nullptr || now->size() != old.size()) return wrong(id, "its shape is not known");
    for (std::size_t axis = 0; axis < old.size(); ++axis) {
      const bool here = cut != spread_.values.end() && cut->second.axis == axis;
      const SymbolicDim expected = here ? known(cut->second.kept_count()) : old[axis];
      if (expected.known() && (*now)[axis] != expected) {
        return wrong(id, fmt::format("axis {} would have {} places instead of {}", axis,
                                     (*now)[axis].known() ? fmt::to_string((*now)[axis].size)
                                                          : std::string("?"),
                                     expected.size));
      }
    }
    return "";
  }

  std::string wrong_number(ValueId id) {
    const auto old = before_.integers(id);
    if (!old || now_.integers(id) == old) return "";
    for (const Use& use : graph_.value(id).uses) {
      const Node& node = graph_.node(use.node);
      if (use.input >= node.inputs.size() || !takes_sizes(node)) {
        return wrong(id, fmt::format("{} computes with it", describe(node)));
      }
    }
    return graph_.value(id).is_output ? wrong(id, "it is an output") : "";
  }

  std::string wrong(ValueId id, const std::string& what) {
    return fmt::format("\"{}\" depends on a size that would change: {}", graph_.value(id).name,
                       what);
  }

  const SymbolicShapes& before_;
  const Graph& graph_;
  const SymbolicShapes now_;
  const CutSpread& spread_;
};

}  // namespace

std::string check_cut(const SymbolicShapes& before, const Graph& after, const CutSpread& spread) {
  return Check(before, after, spread).run();
}

}  // namespace onnxpress
