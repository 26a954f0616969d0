// SPDX-License-Identifier: Apache-2.0
#include "passes/quantize_dynamic.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/error_codes.h"
#include "numerics/output_error.h"
#include "numerics/quantize_rtn.h"
#include "pack/integer.h"
#include "pack/qdq.h"
#include "pack/storage.h"
#include "passes/linear_units.h"
#include "passes/weight_form.h"

namespace onnxpress {
namespace {

struct Options : UnitOptions {
  std::string weights = "s8";
  bool per_channel = true;
  std::string gated = "integer";
};
constexpr Grid kInt8{8, 0, true};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"weights", &Options::weights,
       "how they are stored: s8-7bit and u8 are exact on CPUs without VNNI, too; auto takes that "
       "of the two which measures better",
       weight_form_names()},
      {"per_channel", &Options::per_channel,
       "a scale for each output; false: one for the whole weight, smaller and less accurate"},
      {"gated",
       &Options::gated,
       "products with gate · up, whose range few tokens set for all: integer, or float with INT8 "
       "weights: slower and much closer",
       {"integer", "float"}},
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

// The DequantizeLinear between a product and its weight, if the nodes on the way only turn or cast
// what it gives.
std::optional<NodeId> find_dequantize(const Graph& graph, const LinearUnit& unit) {
  std::optional<NodeId> found;
  for (const NodeId id : unit.weight_path) {
    const Node& node = graph.node(id);
    if (node.is("DequantizeLinear")) {
      found = id;
    } else if (!node.is("Transpose") && !node.is("Identity") && !node.is("Cast")) {
      return std::nullopt;
    }
  }
  return found;
}

// Edits one graph, unit by unit; remembers what units share.
class Rewriter {
 public:
  Rewriter(Graph& graph, ThreadPool& pool, WeightForm form, bool per_tensor)
      : graph_(graph), pool_(pool), form_(form), per_tensor_(per_tensor) {}

  // How the weight was solved; "" for one that was taken over.
  std::string rewrite(const LinearUnit& unit) {
    way_.clear();
    const Node product = graph_.node(unit.product);
    const Attributes& a = product.attributes;
    const bool gemm = product.is("Gemm");
    const float alpha = gemm ? a.get_float("alpha", 1) : 1;
    const float beta = gemm ? a.get_float("beta", 1) : 1;
    const bool turned = gemm && a.get_int("transA", 0) != 0;
    const std::string name = graph_.value(unit.output).name;
    const DType type = float_type(unit);

    const DynamicInput x = input(unit, turned, type);
    const IntegerWeight w = weight(unit, alpha);
    const ValueId bias = gemm ? product.input(2) : kNoValue;
    graph_.erase(unit.product);
    if (bias == kNoValue && type == DType::float32) {
      integer_product(graph_, x, w, unit.output, name);
      return way_;
    }
    const auto shape = graph_.value(unit.output).shape;
    ValueId y = graph_.add_value(name + "_product", DType::float32, shape);
    integer_product(graph_, x, w, y, name);
    y = cast(graph_, y, DType::float32, type, name + "_cast");
    if (bias == kNoValue) {
      finish("Identity", {y}, unit.output, name);
      return way_;
    }
    finish("Add", {y, scaled_bias(bias, beta, type)}, unit.output, name + "_bias");
    return way_;
  }

  // Rounds the weight and leaves the product as it is.
  void round_weight(const LinearUnit& unit) {
    if (find_dequantize(graph_, unit) || !rounded_.insert(unit.weight).second) return;
    const Tensor weight = *graph_.constant(unit.weight);
    const WeightRef w = *weight_ref(weight, matrix_layout(unit.layout));
    const std::string name = graph_.value(unit.weight).name;
    QuantizedMatrix q = quantize_rtn(w, kInt8, pool_);
    sqnr_db_[unit.weight] = onnxpress::sqnr_db(w, q, pool_);
    const ValueId value = pack_qdq(graph_, std::move(q), name);
    graph_.replace_all_uses(unit.weight,
                            cast(graph_, value, DType::float32, weight.dtype(), name + "_cast"));
  }

  // What rounding left of the unit's weight; nothing where it was quantized before.
  [[nodiscard]] std::optional<double> sqnr_db_of(const LinearUnit& unit) const {
    const auto at = sqnr_db_.find(unit.weight);
    return at == sqnr_db_.end() ? std::nullopt : std::optional(at->second);
  }

 private:
  // The type that the unit computes in.
  [[nodiscard]] DType float_type(const LinearUnit& unit) const {
    const DType declared = graph_.value(unit.output).dtype;
    if (declared != DType::undefined) return declared;
    DType type = graph_.value(unit.weight).dtype;
    for (const NodeId id : unit.weight_path) {  // from the product towards the weight
      if (!graph_.node(id).is("Cast")) continue;
      return static_cast<DType>(graph_.node(id).attributes.require_int("to"));
    }
    return is_float(type) ? type : DType::float32;
  }

  // Named for the weight of the first unit that reads it: such names tend to be short.
  DynamicInput input(const LinearUnit& unit, bool turned, DType type) {
    const ValueId x = unit.input;
    const auto at = inputs_.find({x, turned});
    if (at != inputs_.end()) return at->second;
    const std::string name = graph_.value(unit.weight).name + "_x";
    ValueId value = x;
    if (turned) {
      value = graph_.add("Transpose", {value}, {{"perm", std::vector<std::int64_t>{1, 0}}},
                         name + "_transposed", "", type);
    }
    value = cast(graph_, value, type, DType::float32, name + "_float");
    return inputs_[{x, turned}] = quantize_input(graph_, value, name);
  }

  IntegerWeight weight(const LinearUnit& unit, float alpha) {
    const auto key = std::pair{unit.weight, alpha};
    const auto at = weights_.find(key);
    if (at != weights_.end()) return at->second;
    const std::string name = graph_.value(unit.weight).name;
    if (const auto id = find_dequantize(graph_, unit)) {
      return weights_[key] = taken_over(*id, matrix_layout(unit.layout), alpha, name);
    }
    const WeightRef w = *weight_ref(*graph_.constant(unit.weight), matrix_layout(unit.layout));
    const auto round = [&](const Grid& grid) {
      SolvedWeight rounded;
      rounded.q = quantize_rtn(w, grid, pool_);
      rounded.way = "rtn";
      rounded.figures = {{"sqnr_db", sqnr_db(w, rounded.q, pool_)}};
      return rounded;
    };
    SolvedWeight solved = solve_in_form(form_, round, per_tensor_);
    sqnr_db_[unit.weight] = solved.figures.front().second;
    way_ = std::move(solved.way);
    QuantizedMatrix q = std::move(solved.q);
    for (float& scale : q.scales) scale *= alpha;
    return weights_[key] = pack_integer(graph_, std::move(q), name);
  }

  // Codes that stand behind a DequantizeLinear already. Where others read them, too (a Gather of
  // embeddings), they stay as they are and a Transpose turns them, which runtimes do once at load.
  IntegerWeight taken_over(NodeId id, MatrixLayout layout, float alpha, const std::string& name) {
    const Node dequantize = graph_.node(id);
    const bool shared = graph_.value(dequantize.input(0)).uses.size() > 1;
    QuantizedMatrix q = *unpack_qdq(graph_, id, layout);
    for (float& scale : q.scales) scale *= alpha;
    if (!shared && !stored_grid(form_).symmetric) {
      return pack_integer(graph_, as_unsigned(std::move(q)), name);
    }
    if (!shared && layout == MatrixLayout::out_in) return pack_integer(graph_, std::move(q), name);
    IntegerWeight w{dequantize.input(0), dequantize.input(1), kNoValue};
    if (alpha != 1) {
      w.scales =
          graph_.add_constant(name + "_scale", Tensor::of<float>({q.out}, std::move(q.scales)));
    }
    if (layout == MatrixLayout::out_in) {
      w.codes = graph_.add("Transpose", {w.codes}, {{"perm", std::vector<std::int64_t>{1, 0}}},
                           name + "_transposed", "", DType::int8, to_shape({q.in, q.out}));
    }
    return w;
  }

  ValueId scaled_bias(ValueId bias, float beta, DType type) {
    if (beta == 1) return bias;
    const std::string name = graph_.value(bias).name;
    const ValueId factor = cast(graph_, graph_.add_constant(name + "_beta", Tensor::scalar(beta)),
                                DType::float32, type, name + "_beta_cast");
    return graph_.add("Mul", {bias, factor}, {}, name + "_scaled", "", type);
  }

  void finish(std::string_view op_type, std::vector<ValueId> inputs, ValueId output,
              const std::string& name) {
    graph_.add_node({.name = name,
                     .op_type = std::string(op_type),
                     .domain = "",
                     .inputs = std::move(inputs),
                     .outputs = {output}});
  }

  Graph& graph_;
  ThreadPool& pool_;
  WeightForm form_;
  bool per_tensor_;
  std::string way_;
  std::map<std::pair<ValueId, bool>, DynamicInput> inputs_;
  std::map<std::pair<ValueId, float>, IntegerWeight> weights_;
  std::map<ValueId, double> sqnr_db_;  // of weights
  std::set<ValueId> rounded_;          // by round_weight()
};

class QuantizeDynamic : public Pass {
 public:
  explicit QuantizeDynamic(Options options)
      : options_(std::move(options)), form_(parse_weight_form(options_.weights)) {}

  [[nodiscard]] std::int64_t needed_opset(PassContext& /*context*/) const override {
    return onnxpress::needed_opset(Storage::integer, kInt8);
  }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    return plan_units(context, options_, true,
                      [&](const LinearUnit& unit) { return judge(unit, context); });
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    const auto& view = context.view();
    Rewriter rewriter(context.graph(), context.pool(), form_, !options_.per_channel);
    PassResult result;
    std::size_t seen = 0;
    for (std::size_t i = 0; i < plan.units.size(); ++i) {
      const UnitPlan& row = plan.units[i];
      context.step(static_cast<double>(seen++) / static_cast<double>(plan.units.size()));
      if (row.decision != Decision::change) continue;
      const LinearUnit& unit = view.units()[static_cast<std::size_t>(row.target)];
      if (stays_float(unit, context)) {
        rewriter.round_weight(unit);
        if (const auto sqnr = rewriter.sqnr_db_of(unit)) result.figures[i] = {{"sqnr_db", *sqnr}};
        ++result.changed;
        continue;
      }
      std::string way = rewriter.rewrite(unit);
      if (form_ == WeightForm::choose && !way.empty()) result.ways[i] = std::move(way);
      if (const auto sqnr = rewriter.sqnr_db_of(unit)) result.figures[i] = {{"sqnr_db", *sqnr}};
      ++result.changed;
    }
    context.edited();
    return result;
  }

 private:
  // Whether the unit reads gate · up and nothing but its weight is to be rounded. A weight that
  // another unit multiplies, too, is for integers.
  [[nodiscard]] bool stays_float(const LinearUnit& unit, PassContext& context) const {
    if (options_.gated != "float") return false;
    const TransformerView& view = context.view();
    const auto reads_gated = [&](const FeedForward& block) {
      return block.gate && view.units()[block.down].product == unit.product;
    };
    return std::ranges::any_of(view.feed_forwards(), reads_gated) &&
           std::ranges::count(view.units(), unit.weight, &LinearUnit::weight) == 1;
  }

  UnitOutcome judge(const LinearUnit& unit, PassContext& context) const {
    const Graph& graph = context.graph();
    const Node& product = graph.node(unit.product);
    if (!product.is("MatMul") && !product.is("Gemm")) {
      return {.refusal = "is an integer product already"};
    }
    if (unit.weight_operand != 1) return {.refusal = "the weight is the left operand"};
    if (std::string why = why_sums_overflow(unit.in); !why.empty())
      return {.refusal = std::move(why)};
    if (auto why = why_not_storable(Storage::integer, kInt8, context.model().opset())) {
      return {.refusal = *why};
    }
    const bool stays = stays_float(unit, context);
    if (find_dequantize(graph, unit)) {
      if (stays) return {.refusal = "is quantized already, and its product is to stay float"};
      return judge_quantized(unit, graph);
    }
    if (graph.value(unit.weight).is_output) return {.refusal = "the weight is a graph output"};
    for (const Embedding& embedding : context.view().embeddings()) {
      if (embedding.table == unit.weight) {
        return {.refusal =
                    "shared with an embedding: run quantize_embeddings first, which stores "
                    "it once for both"};
      }
    }
    if (is_read_transposed(context.view(), unit)) {
      return {.refusal = "another unit reads the weight transposed"};
    }
    const Tensor* weight = graph.constant(unit.weight);
    const auto w =
        weight == nullptr ? std::nullopt : weight_ref(*weight, matrix_layout(unit.layout));
    if (!w) return {.refusal = "the weight is not a matrix of floats"};
    if (stays) {
      return {.reason = to_string(kInt8) + ", a float product: its input is gated",
              .bytes_after = stored_bytes(Storage::qdq, kInt8, w->in, w->out)};
    }
    const bool per_tensor = !options_.per_channel;
    const Grid grid = stored_grid(form_, per_tensor);
    return {
        .reason = describe(form_, per_tensor) + ", inputs UINT8 at run time",
        .bytes_after = stored_bytes(Storage::integer, grid, w->in, w->out) + factor_bytes(product)};
  }

  // Gemm's beta becomes a constant of its own.
  static std::int64_t factor_bytes(const Node& product) {
    const bool scaled = product.is("Gemm") && product.input(2) != kNoValue &&
                        product.attributes.get_float("beta", 1) != 1;
    return scaled ? 4 : 0;
  }

  static UnitOutcome judge_quantized(const LinearUnit& unit, const Graph& graph) {
    const auto id = find_dequantize(graph, unit);
    const auto q = id ? unpack_qdq(graph, *id, matrix_layout(unit.layout)) : std::nullopt;
    if (!q) return {.refusal = "the weight is quantized in a form that is not taken over"};
    if (auto why = why_not_storable(Storage::integer, q->grid, 21); why || q->grid.bits != 8) {
      return {.refusal = why.value_or("an integer product needs INT8 weights")};
    }
    return {.reason = "inputs UINT8 at run time; the weight is INT8 already",
            .bytes_after = unit.weight_bytes};
  }

  Options options_;
  WeightForm form_;
};

}  // namespace

PassInfo quantize_dynamic_info() {
  return {"quantize_dynamic", "INT8 weights and integer products, input ranges at run time",
          "Replaces the product of a linear unit by DynamicQuantizeLinear, MatMulInteger and the "
          "product with the scales, one per output channel or weight. Units that read the same "
          "tensor share its quantization; weights that are INT8 already are taken as they are. "
          "Needs opset 11.",
          describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
            return std::make_unique<QuantizeDynamic>(
                read_options(table(), values, "pass quantize_dynamic"));
          }};
}

}  // namespace onnxpress
