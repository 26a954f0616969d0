// SPDX-License-Identifier: Apache-2.0
#include "passes/quantize_embeddings.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/error_codes.h"
#include "numerics/output_error.h"
#include "numerics/quantize_rtn.h"
#include "pack/codes.h"
#include "pack/storage.h"
#include "passes/linear_units.h"
#include "passes/odd_weights.h"
#include "passes/selection.h"
#include "passes/weight_bytes.h"

namespace onnxpress {
namespace {

using Options = UnitOptions;
constexpr Grid kInt8{8, 0, true};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"include", &Options::include, "globs over embeddings: only these"},
      {"exclude", &Options::exclude, "globs over embeddings: not these"},
      {"min_saving",
       &Options::min_saving,
       "tables that would save a smaller share of all weights stay in float",
       {},
       0,
       1}};
  return rows;
}

class Rewriter {
 public:
  Rewriter(Model& model, ThreadPool& pool)
      : graph_(model.graph), opset_(model.opset()), pool_(pool) {}

  // Returns the table's signal to noise ratio in dB.
  double rewrite(const Embedding& embedding) {
    const Tensor table = *graph_.constant(embedding.table);
    const std::string name = graph_.value(embedding.table).name;
    QuantizedMatrix q = quantize_rtn(*weight_ref(table, MatrixLayout::out_in), kInt8, pool_);
    const double sqnr = sqnr_db(*weight_ref(table, MatrixLayout::out_in), q);
    const Dims dims{q.out, q.in};
    const ValueId codes =
        graph_.add_constant(name + "_q", codes_tensor(kInt8, dims, std::move(q.codes)));
    const ValueId scales =
        graph_.add_constant(name + "_scale", Tensor::of<float>({q.out}, std::move(q.scales)));
    for (const NodeId gather : embedding.gathers) look_up(gather, codes, scales, table.dtype());
    drop_dead(embedding);
    if (graph_.value(embedding.table).uses.empty()) return sqnr;
    ValueId value = graph_.add("DequantizeLinear", {codes, scales}, {{"axis", std::int64_t{0}}},
                               name + "_dequantized", "", DType::float32, to_shape(dims));
    value = cast(graph_, value, DType::float32, table.dtype(), name + "_cast");
    graph_.replace_all_uses(embedding.table, value);
    return sqnr;
  }

 private:
  void look_up(NodeId id, ValueId codes, ValueId scales, DType table_type) {
    const Node gather = graph_.node(id);
    const ValueId output = gather.outputs[0];
    const std::string name = graph_.value(output).name;
    const auto shape = graph_.value(output).shape;
    const DType type = gathered_type(gather, table_type);
    const ValueId ids = gather.inputs[1];
    graph_.erase(id);
    const ValueId rows =
        graph_.add("Gather", {codes, ids}, {}, name + "_q", "", DType::int8, shape);
    const ValueId numbers = cast(graph_, rows, DType::int8, DType::float32, name + "_codes");
    const ValueId row_scales =
        graph_.add("Gather", {scales, ids}, {}, name + "_row_scale", "", DType::float32);
    const ValueId scale = unsqueeze(row_scales, name + "_scale");
    if (type == DType::float32) {
      add_node("Mul", {numbers, scale}, {}, output, name + "_dequantize");
      return;
    }
    const ValueId product =
        graph_.add("Mul", {numbers, scale}, {}, name + "_dequantize", "", DType::float32, shape);
    add_node("Cast", {product}, {{"to", static_cast<std::int64_t>(type)}}, output, name + "_cast");
  }

  [[nodiscard]] DType gathered_type(const Node& gather, DType table_type) const {
    const Node* above = graph_.producer(gather.inputs[0]);
    while (above != nullptr && !above->is("Cast")) above = graph_.producer(above->input(0));
    return above == nullptr ? table_type : static_cast<DType>(above->attributes.require_int("to"));
  }

  ValueId unsqueeze(ValueId value, const std::string& name) {
    if (opset_ < 13) {
      return graph_.add("Unsqueeze", {value}, {{"axes", std::vector<std::int64_t>{-1}}}, name, "",
                        DType::float32);
    }
    if (last_axis_ == kNoValue) {
      last_axis_ = graph_.add_constant("last_axis", Tensor::of<std::int64_t>({1}, {-1}));
    }
    return graph_.add("Unsqueeze", {value, last_axis_}, {}, name, "", DType::float32);
  }

  void add_node(std::string_view op_type, std::vector<ValueId> inputs, Attributes attributes,
                ValueId output, const std::string& name) {
    graph_.add_node({.name = name,
                     .op_type = std::string(op_type),
                     .domain = "",
                     .inputs = std::move(inputs),
                     .outputs = {output},
                     .attributes = std::move(attributes)});
  }

  // Nodes between the table and its lookups that nothing reads any more.
  void drop_dead(const Embedding& embedding) {
    std::set<NodeId> left(embedding.table_path.begin(), embedding.table_path.end());
    for (bool changed = true; changed;) {
      changed = false;
      for (const NodeId id : embedding.table_path) {
        if (!left.contains(id)) continue;
        const Value& value = graph_.value(graph_.node(id).outputs[0]);
        if (!value.uses.empty() || value.is_output) continue;
        graph_.erase(id);
        left.erase(id);
        changed = true;
      }
    }
  }

  Graph& graph_;
  std::int64_t opset_;
  ThreadPool& pool_;
  ValueId last_axis_ = kNoValue;
};

class QuantizeEmbeddings : public Pass {
 public:
  explicit QuantizeEmbeddings(Options options) : options_(std::move(options)) {}

  [[nodiscard]] std::int64_t needed_opset(PassContext& context) const override {
    const auto embeddings = context.view().embeddings();
    const bool shared = std::ranges::any_of(embeddings, [&](const Embedding& embedding) {
      return embedding.compressible() && read_by_units(embedding, context);
    });
    return shared ? 13 : 0;
  }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    const auto embeddings = context.view().embeddings();
    std::vector<std::string> labels;
    for (const Embedding& embedding : embeddings) labels.push_back(embedding.label);
    const Selection selection(options_.include, options_.exclude);
    const double threshold =
        options_.min_saving * static_cast<double>(weight_bytes(context.graph()));
    PassPlan plan;
    plan.unmatched_globs = selection.unmatched(labels);
    for (std::size_t i = 0; i < embeddings.size(); ++i) {
      const Embedding& embedding = embeddings[i];
      UnitPlan row{.label = embedding.label,
                   .kind = "embedding",
                   .bytes_before = embedding.bytes,
                   .bytes_after = embedding.bytes,
                   .target = static_cast<std::int64_t>(i)};
      const std::int64_t after = stored_bytes(Storage::qdq, kInt8, embedding.width, embedding.rows);
      const std::int64_t saved = embedding.bytes - after;
      row.reason = selection.why_not(embedding.label);
      if (row.reason.empty()) row.reason = refusal(embedding, context, plan);
      if (row.reason.empty() && static_cast<double>(saved) < std::max(threshold, 1.0)) {
        row.reason = fmt::format("would save only {} bytes", saved);
      }
      if (row.reason.empty()) {
        row.reason = refuse_odd_weight(
            *weight_ref(*context.graph().constant(embedding.table), MatrixLayout::out_in),
            embedding.label, "row", context.pool(), plan);
      }
      if (row.reason.empty()) {
        row.decision = Decision::change;
        row.reason = embedding.tied_with_head && read_by_units(embedding, context)
                         ? "INT8 per row, stored once for the output head as well"
                         : "INT8 per row";
        row.bytes_after = after;
        // The axis that scales are unsqueezed along, once for all tables.
        if (plan.changes() == 0 && context.model().opset() >= 13) row.bytes_after += 8;
      }
      plan.units.push_back(std::move(row));
    }
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    const auto& view = context.view();
    Rewriter rewriter(context.model(), context.pool());
    PassResult result;
    std::size_t seen = 0;
    for (const UnitPlan& row : plan.units) {
      context.step(static_cast<double>(seen++) / static_cast<double>(plan.units.size()));
      if (row.decision != Decision::change) continue;
      const double sqnr = rewriter.rewrite(view.embeddings()[static_cast<std::size_t>(row.target)]);
      result.figures[seen - 1] = {{"sqnr_db", sqnr}};
      ++result.changed;
    }
    context.edited();
    return result;
  }

 private:
  static bool read_by_units(const Embedding& embedding, PassContext& context) {
    for (const LinearUnit& unit : context.view().units()) {
      if (unit.weight == embedding.table) return true;
    }
    return false;
  }

  static std::string refusal(const Embedding& embedding, PassContext& context, PassPlan& plan) {
    const Graph& graph = context.graph();
    if (!embedding.compressible()) {
      for (const Refusal& why : embedding.why_not) {
        if (why.kind == RefusalKind::already_quantized) plan.already_quantized = true;
      }
      return embedding.why_not.front().text;
    }
    const Tensor* tensor = graph.constant(embedding.table);
    const auto w = tensor == nullptr ? std::nullopt : weight_ref(*tensor, MatrixLayout::out_in);
    if (!w) return "the table is not a matrix of floats";
    if (graph.value(embedding.table).is_output) return "the table is a graph output";
    for (const NodeId id : embedding.gathers) {
      if (graph.node(id).attributes.get_int("axis", 0) != 0) return "looks up columns, not rows";
    }
    if (context.model().opset() < 13 && read_by_units(embedding, context)) {
      return fmt::format(
          "shared with a product: a scale per channel needs opset 13, the model has {}",
          context.model().opset());
    }
    return "";
  }

  Options options_;
};

}  // namespace

PassInfo quantize_embeddings_info() {
  return {"quantize_embeddings", "INT8 embedding tables, one scale per row",
          "Rounds embedding tables to INT8 with one scale per row; lookups gather codes and scales "
          "and multiply them. A table that the output head multiplies with, too, is stored once. "
          "Needs opset 13 for such a table.",
          describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
            return std::make_unique<QuantizeEmbeddings>(
                read_options(table(), values, "pass quantize_embeddings"));
          }};
}

}  // namespace onnxpress
