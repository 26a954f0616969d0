// SPDX-License-Identifier: Apache-2.0
#include "passes/fold_constants.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "passes/foldable.h"
#include "passes/weight_bytes.h"

namespace onnxpress {
namespace {

struct Options {
  std::int64_t max_growth = 65536;
};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"max_growth",
       &Options::max_growth,
       "bytes that all folded results together may take beyond what they replace",
       {},
       0}};
  return rows;
}

// A single result may be this large without replacing anything.
constexpr std::int64_t kSmallResult = 4096;
// What is computed at all, before it is known how large it really is.
constexpr std::int64_t kLargestResult = std::int64_t{1} << 31;

// Bytes of constants that go when the node goes, because nothing else reads them.
std::int64_t freed_bytes(const Graph& graph, const Node& node) {
  std::int64_t freed = 0;
  std::set<ValueId> seen;
  for (const ValueId id : node.inputs) {
    if (id == kNoValue || !seen.insert(id).second) continue;
    const Value& value = graph.value(id);
    const auto reads = std::ranges::count(node.inputs, id);
    if (value.is_output || static_cast<std::ptrdiff_t>(value.uses.size()) != reads) continue;
    freed += static_cast<std::int64_t>(value.constant->bytes().size());
  }
  return freed;
}

// Folds all it can; returns how many nodes went.
std::size_t fold(Model& model, std::int64_t max_growth, PassContext* context) {
  Graph& graph = model.graph;
  graph.sort();
  std::int64_t growth = 0;
  std::size_t folded = 0;
  std::size_t seen = 0;
  const std::vector<NodeId> nodes(graph.nodes().begin(), graph.nodes().end());
  for (const NodeId id : nodes) {
    if (context != nullptr) {
      context->step(static_cast<double>(seen++) / static_cast<double>(nodes.size()));
    }
    const auto bytes = foldable_bytes(graph, graph.node(id));
    if (!bytes) continue;
    const std::int64_t freed = freed_bytes(graph, graph.node(id));
    const std::int64_t allowed = std::max(kSmallResult, freed);
    // The estimate may be high by the eight bytes a number and, for Gather, by more.
    if (*bytes > kLargestResult || *bytes > 64 * allowed) continue;
    const auto results = evaluate(model, graph.node(id));
    if (!results) continue;
    std::int64_t size = 0;
    for (const Tensor& tensor : *results) size += static_cast<std::int64_t>(tensor.bytes().size());
    if (size > allowed || growth + std::max<std::int64_t>(0, size - freed) > max_growth) continue;
    growth += std::max<std::int64_t>(0, size - freed);
    const std::vector<ValueId> outputs = graph.node(id).outputs;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] == kNoValue || graph.value(outputs[i]).uses.empty()) continue;
      const std::string hint = graph.value(outputs[i]).name + "_folded";
      graph.replace_all_uses(outputs[i], graph.add_constant(hint, (*results)[i]));
    }
    graph.erase(id);
    ++folded;
  }
  return folded;
}

class FoldConstants : public Pass {
 public:
  explicit FoldConstants(Options options) : options_(options) {}

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    Model copy = context.model();
    const std::int64_t before = weight_bytes(copy.graph);
    const std::size_t folded = fold(copy, options_.max_growth, nullptr);
    const std::size_t nodes = copy.graph.nodes().size();
    copy.graph.remove_unused();
    const std::size_t unused = nodes - copy.graph.nodes().size();
    const std::int64_t after = weight_bytes(copy.graph);
    PassPlan plan;
    if (folded + unused == 0 && before == after) return plan;
    plan.units.push_back(
        {.label = "graph",
         .kind = "nodes",
         .decision = Decision::change,
         .reason = fmt::format("{} nodes depend on constants only, {} compute what nobody reads",
                               folded, unused),
         .bytes_before = before,
         .bytes_after = after});
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    fold(context.model(), options_.max_growth, &context);
    context.edited();
    return {.changed = plan.changes()};
  }

 private:
  Options options_;
};

}  // namespace

PassInfo fold_constants_info() {
  return {"fold_constants", "computes what depends on constants only; lossless",
          "Evaluates nodes whose inputs are all constant with the built-in executor, where the "
          "result is the same to the bit whoever computes it, and removes nodes that nobody reads. "
          "The file never grows by more than max_growth.",
          describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
            return std::make_unique<FoldConstants>(
                read_options(table(), values, "pass fold_constants"));
          }};
}

}  // namespace onnxpress
