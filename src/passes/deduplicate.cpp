// SPDX-License-Identifier: Apache-2.0
#include "passes/deduplicate.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "passes/equal_nodes.h"
#include "passes/equal_tensors.h"
#include "passes/weight_bytes.h"

namespace onnxpress {
namespace {

struct Options {
  bool transposed = true;
  bool nodes = true;
};

// Below this, a Transpose node takes about as many bytes as it saves.
constexpr std::int64_t kMinTransposedBytes = 4096;

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"transposed", &Options::transposed,
       "share a matrix with its transpose, through a Transpose node that runtimes compute at load"},
      {"nodes", &Options::nodes, "merge nodes that compute the same"}};
  return rows;
}

class Deduplicate : public Pass {
 public:
  explicit Deduplicate(Options options) : options_(options) {}

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    const Graph& graph = context.graph();
    PassPlan plan;
    Graph copy = graph;
    for (const EqualTensor& equal : find(graph)) {
      const Value& duplicate = graph.value(equal.duplicate);
      plan.units.push_back(
          {.label = duplicate.name,
           .kind = "tensor",
           .decision = Decision::change,
           .reason = fmt::format("{} \"{}\"", equal.transposed ? "is the transpose of" : "equals",
                                 graph.value(equal.original).name),
           .bytes_before = static_cast<std::int64_t>(duplicate.constant->bytes().size()),
           .bytes_after = 0,
           .target = static_cast<std::int64_t>(equal.duplicate)});
      share(copy, equal);
    }
    if (!options_.nodes) return plan;
    copy.remove_unused();
    const std::int64_t before = weight_bytes(copy);
    const std::size_t merged = merge(copy);
    copy.remove_unused();
    if (merged == 0) return plan;
    plan.units.push_back({.label = "equal nodes",
                          .kind = "nodes",
                          .decision = Decision::change,
                          .reason = fmt::format("{} nodes compute what others do", merged),
                          .bytes_before = before,
                          .bytes_after = weight_bytes(copy)});
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    Graph& graph = context.graph();
    for (const EqualTensor& equal : find(graph)) share(graph, equal);
    if (options_.nodes) merge(graph);
    context.edited();
    return {.changed = plan.changes()};
  }

 private:
  [[nodiscard]] std::vector<EqualTensor> find(const Graph& graph) const {
    constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
    return find_equal_tensors(graph, options_.transposed ? kMinTransposedBytes : kNever);
  }

  static void share(Graph& graph, const EqualTensor& equal) {
    ValueId replacement = equal.original;
    if (equal.transposed) {
      const Value duplicate = graph.value(equal.duplicate);
      replacement =
          graph.add("Transpose", {equal.original}, {{"perm", std::vector<std::int64_t>{1, 0}}},
                    duplicate.name + "_shared", "", duplicate.constant->dtype(),
                    to_shape(duplicate.constant->dims()));
    }
    graph.replace_all_uses(equal.duplicate, replacement);
    // A Constant node that nobody reads any more goes with what it held.
    if (const auto producer = graph.producer_id(equal.duplicate)) graph.erase(*producer);
  }

  static std::size_t merge(Graph& graph) {
    graph.sort();
    return merge_equal_nodes(graph);
  }

  Options options_;
};

}  // namespace

PassInfo deduplicate_info() {
  return {"deduplicate", "equal tensors and equal nodes only once; lossless",
          "Stores constants with equal contents once, also where one is the other's transpose, and "
          "merges nodes that compute the same from the same inputs. Outputs stay bit-identical.",
          describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
            return std::make_unique<Deduplicate>(read_options(table(), values, "pass deduplicate"));
          }};
}

}  // namespace onnxpress
