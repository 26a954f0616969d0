// SPDX-License-Identifier: Apache-2.0
#include "passes/quantize_weights.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/error_codes.h"
#include "numerics/quantize_rtn.h"
#include "pack/qdq.h"
#include "pack/storage.h"
#include "passes/linear_units.h"

namespace onnxpress {
namespace {

struct Options : UnitOptions {
  std::int64_t bits = 8;
  std::int64_t group = 0;
  std::string storage = "qdq";
};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"bits", &Options::bits, "bits of a weight", {}, 2, 8},
      {"group",
       &Options::group,
       "weights along the input that share a scale; 0: the whole channel",
       {},
       0},
      {"storage", &Options::storage, "how the weights stand in the file", {"qdq"}},
      {"include", &Options::include, "globs over units: only these"},
      {"exclude", &Options::exclude, "globs over units: not these"},
      {"min_saving",
       &Options::min_saving,
       "units that would save a smaller share of all weights stay in float",
       {},
       0,
       1}};
  return rows;
}

class QuantizeWeights : public Pass {
 public:
  explicit QuantizeWeights(Options options)
      : options_(std::move(options)),
        grid_{static_cast<int>(options_.bits), options_.group, true} {}

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    return plan_units(context, options_, false,
                      [&](const LinearUnit& unit) { return judge(unit, context); });
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    Graph& graph = context.graph();
    const auto& view = context.view();
    PassResult result;
    std::set<ValueId> done;
    std::size_t seen = 0;
    for (const UnitPlan& row : plan.units) {
      context.step(static_cast<double>(seen++) / static_cast<double>(plan.units.size()));
      if (row.decision != Decision::change) continue;
      ++result.changed;
      const LinearUnit& unit = view.units()[static_cast<std::size_t>(row.target)];
      if (!done.insert(unit.weight).second) continue;
      const Tensor weight = *graph.constant(unit.weight);
      const std::string name = graph.value(unit.weight).name;
      const WeightRef w = *weight_ref(weight, matrix_layout(unit.layout));
      ValueId value = pack_qdq(graph, quantize_rtn(w, grid_, context.pool()), name);
      value = cast(graph, value, DType::float32, weight.dtype(), name + "_cast");
      graph.replace_all_uses(unit.weight, value);
    }
    context.edited();
    return result;
  }

 private:
  UnitOutcome judge(const LinearUnit& unit, PassContext& context) const {
    const Graph& graph = context.graph();
    if (auto why = why_not_storable(Storage::qdq, grid_, context.model().opset())) {
      return {.refusal = *why};
    }
    if (graph.value(unit.weight).is_output) return {.refusal = "the weight is a graph output"};
    for (const Embedding& embedding : context.view().embeddings()) {
      if (embedding.table == unit.weight) {
        return {.refusal = "shared with an embedding: quantize_embeddings stores it once for both"};
      }
    }
    const Tensor* weight = graph.constant(unit.weight);
    const auto w =
        weight == nullptr ? std::nullopt : weight_ref(*weight, matrix_layout(unit.layout));
    if (!w) return {.refusal = "the weight is not a matrix of floats"};
    if (find_non_finite(*w, context.pool())) {
      return {.refusal = "the weight holds NaN or infinity"};
    }
    return {.reason = to_string(grid_),
            .bytes_after = stored_bytes(Storage::qdq, grid_, w->in, w->out)};
  }

  Options options_;
  Grid grid_;
};

}  // namespace

PassInfo quantize_weights_info() {
  return {"quantize_weights", "INT8 weights of linear units; products stay in float",
          "Rounds the weights of linear units to the nearest of a grid with one scale per output "
          "channel (or group) and stores them behind DequantizeLinear. Needs opset 13 for INT8, 21 "
          "for INT4 and for groups.",
          describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
            return std::make_unique<QuantizeWeights>(
                read_options(table(), values, "pass quantize_weights"));
          }};
}

}  // namespace onnxpress
