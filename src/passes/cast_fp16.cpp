// SPDX-License-Identifier: Apache-2.0
#include "passes/cast_fp16.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "base/half.h"
#include "numerics/output_error.h"
#include "passes/half_plan.h"
#include "passes/linear_units.h"

namespace onnxpress {
namespace {

struct Options {
  std::string compute = "float16";
  double max_vanishing = 0.01;
};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"compute",
       &Options::compute,
       "what products are computed in; float32: only the weights are stored in half precision, "
       "each "
       "behind a Cast",
       {"float16", "float32"}},
      {"max_vanishing",
       &Options::max_vanishing,
       "share of a tensor's numbers that may round to zero; a tensor with more stays float32",
       {},
       0,
       1}};
  return rows;
}

Tensor to_half(const Tensor& tensor, ThreadPool& pool) {
  std::vector<Half> halves(static_cast<std::size_t>(tensor.size()));
  static_assert(sizeof(Half) == sizeof(std::uint16_t));
  auto* bits = reinterpret_cast<std::uint16_t*>(halves.data());
  const auto values = tensor.as<float>();
  pool.parallel_for(tensor.size(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    const auto at = static_cast<std::size_t>(begin);
    const auto count = static_cast<std::size_t>(end - begin);
    float_to_half(values.subspan(at, count), {bits + at, count});
  });
  return Tensor::of<Half>(tensor.dims(), std::move(halves));
}

// Rewrites a graph by a plan. Every value has one type that it is computed in; where a node wants
// the other one, it reads a Cast, which all its readers share.
class Rewriter {
 public:
  Rewriter(PassContext& context, const HalfPlan& plan)
      : graph_(context.graph()), plan_(plan), pool_(context.pool()), context_(context) {}

  void run() {
    const std::vector<NodeId> nodes(graph_.nodes().begin(), graph_.nodes().end());
    std::size_t seen = 0;
    for (const NodeId id : nodes) {
      context_.step(static_cast<double>(seen++) / static_cast<double>(nodes.size()));
      if (graph_.constant(first_output(id)) == nullptr) rewrite(id);
    }
    for (const ValueId id : std::vector(graph_.outputs().begin(), graph_.outputs().end())) {
      restore_output(id);
    }
    // What reads a constant of any type, reads it in its old type.
    for (const auto& [id, constant] : plan_.constants) {
      if (constant.storage == HalfStorage::float16 && !graph_.value(id).uses.empty()) {
        graph_.replace_all_uses(id, converted(id, DType::float32));
      }
    }
  }

 private:
  [[nodiscard]] ValueId first_output(NodeId id) const {
    const Node& node = graph_.node(id);
    return node.outputs.empty() ? kNoValue : node.outputs[0];
  }
  [[nodiscard]] DType type_before(ValueId id) const {
    const auto at = static_cast<std::size_t>(id);
    return at < plan_.types.size() ? plan_.types[at] : DType::undefined;
  }
  [[nodiscard]] bool in_float32(NodeId id) const {
    return plan_.node_in_float32[static_cast<std::size_t>(id)];
  }

  void rewrite(NodeId id) {
    const bool float32 = in_float32(id);
    const Node node = graph_.node(id);
    if (!reads_any_type(node)) {
      const std::size_t reads = node.inputs.size() + node.captures.size();
      for (std::size_t i = 0; i < reads; ++i) {
        const ValueId input =
            i < node.inputs.size() ? node.inputs[i] : node.captures[i - node.inputs.size()];
        if (input == kNoValue || type_before(input) != DType::float32) continue;
        const ValueId wanted = converted(input, float32 ? DType::float32 : DType::float16);
        if (wanted != input) graph_.set_input(id, i, wanted);
      }
    }
    if (float32) return;
    set_half_attributes(id);
    for (const ValueId output : node.outputs) {
      if (output == kNoValue || type_before(output) != DType::float32) continue;
      half_.insert(output);
      graph_.set_type(output, DType::float16, graph_.value(output).shape);
    }
  }

  // A Cast to another type takes what is there; Shape and its like do not look at the elements.
  static bool reads_any_type(const Node& node) {
    return node.is("Shape") || node.is("Size") ||
           (node.is("Cast") &&
            node.attributes.get_int("to", 0) != static_cast<std::int64_t>(DType::float32));
  }

  void set_half_attributes(NodeId id) {
    Attributes& attributes = graph_.attributes(id);
    const Node& node = graph_.node(id);
    if (node.is("Cast") &&
        attributes.get_int("to", 0) == static_cast<std::int64_t>(DType::float32)) {
      attributes.set("to", static_cast<std::int64_t>(DType::float16));
    }
    if (!node.is("ConstantOfShape")) return;
    const Tensor* value = attributes.get_tensor("value");
    if (value == nullptr) {
      attributes.set("value", Tensor::of<Half>({1}, {Half{0}}));
    } else if (value->dtype() == DType::float32) {
      attributes.set("value", to_half(*value, pool_));
    }
  }

  // The value in that type: itself, a constant of that type, or a Cast.
  ValueId converted(ValueId id, DType type) {
    const bool is_half = half_.contains(id);
    const auto constant = plan_.constants.find(id);
    if (constant == plan_.constants.end()) {
      if (is_half == (type == DType::float16)) return id;
      return cast_once(id, is_half ? DType::float16 : DType::float32, type);
    }
    if (constant->second.storage == HalfStorage::float32) {
      return type == DType::float32 ? id : cast_once(id, DType::float32, type);
    }
    if (constant->second.storage == HalfStorage::both && type == DType::float32) return id;
    const ValueId stored = stored_half(id);
    return type == DType::float16 ? stored : cast_once(stored, DType::float16, type);
  }

  ValueId stored_half(ValueId id) {
    const auto at = stored_.find(id);
    if (at != stored_.end()) return at->second;
    const Tensor half = to_half(*graph_.constant(id), pool_);
    return stored_[id] = graph_.add_constant(graph_.value(id).name + "_half", half);
  }

  ValueId cast_once(ValueId id, DType from, DType to) {
    const auto at = casts_.find(id);
    if (at != casts_.end()) return at->second;
    const std::string hint = graph_.value(id).name + (to == DType::float16 ? "_half" : "_float");
    return casts_[id] = cast(graph_, id, from, to, hint);
  }

  // Gives a graph output its float32 back: its producer computes another value, and a Cast this.
  void restore_output(ValueId id) {
    if (!half_.contains(id)) return;
    const NodeId producer = *graph_.producer_id(id);
    Node node = graph_.node(producer);
    const auto shape = graph_.value(id).shape;
    const ValueId half = graph_.add_value(graph_.value(id).name + "_half", DType::float16, shape);
    for (ValueId& output : node.outputs) {
      if (output == id) output = half;
    }
    graph_.erase(producer);
    graph_.replace_all_uses(id, half);
    graph_.add_node(std::move(node));
    graph_.set_type(id, DType::float32, shape);
    graph_.add_node({.name = graph_.value(id).name + "_cast",
                     .op_type = "Cast",
                     .domain = "",
                     .inputs = {half},
                     .outputs = {id},
                     .attributes = {{"to", static_cast<std::int64_t>(DType::float32)}}});
    half_.erase(id);
  }

  Graph& graph_;
  const HalfPlan& plan_;
  ThreadPool& pool_;
  PassContext& context_;
  std::set<ValueId> half_;             // values that are computed in float16
  std::map<ValueId, ValueId> stored_;  // float32 constant → float16 constant
  std::map<ValueId, ValueId> casts_;   // a value → the same in its other type
};

std::string describe_counts(const HalfCounts& c, std::int64_t size) {
  std::string text;
  const auto add = [&](std::int64_t count, std::string_view what) {
    if (count == 0) return;
    text += fmt::format("{}{} of {} {}", text.empty() ? "" : ", ", count, size, what);
  };
  add(c.overflows, "over 65504");
  add(c.vanishes, "round to zero");
  add(c.subnormals, "become subnormal");
  return text;
}

double sqnr_db_as_half(const Tensor& tensor) {
  double signal = 0;
  double noise = 0;
  for (const float value : tensor.as<float>()) {
    const double difference = static_cast<double>(value) - half_to_float(float_to_half(value));
    signal += static_cast<double>(value) * value;
    noise += difference * difference;
  }
  return decibels(signal, noise);
}

class CastFp16 : public Pass {
 public:
  explicit CastFp16(Options options) : options_(std::move(options)) {}

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    const HalfPlan half = make_plan(context);
    PassPlan plan;
    for (const auto& [id, constant] : half.constants) {
      const Tensor& tensor = *context.graph().constant(id);
      UnitPlan row{.label = context.graph().value(id).name,
                   .kind = "tensor",
                   .bytes_before = tensor.size() * 4,
                   .bytes_after = constant.bytes(tensor),
                   .target = static_cast<std::int64_t>(id)};
      const std::string counts = describe_counts(constant.counts, tensor.size());
      const std::string detail = counts.empty() ? "" : ": " + counts;
      if (constant.storage != HalfStorage::float32) {
        row.decision = Decision::change;
        row.reason = "float16" + detail;
      } else if (constant.kept) {
        row.reason = "float32" + detail;
      } else {
        row.reason = "float32: a graph output, of a norm, or too small for a Cast";
      }
      plan.units.push_back(std::move(row));
    }
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    if (plan.changes() == 0) return {};
    const HalfPlan half = make_plan(context);
    PassResult result{.changed = plan.changes()};
    for (std::size_t i = 0; i < plan.units.size(); ++i) {
      if (plan.units[i].decision != Decision::change) continue;
      const auto id = static_cast<ValueId>(plan.units[i].target);
      result.figures[i] = {{"sqnr_db", sqnr_db_as_half(*context.graph().constant(id))}};
    }
    Rewriter(context, half).run();
    context.edited();
    return result;
  }

 private:
  [[nodiscard]] HalfPlan make_plan(PassContext& context) const {
    return plan_half(context, options_.max_vanishing, options_.compute == "float16");
  }
  Options options_;
};

}  // namespace

PassInfo cast_fp16_info() {
  return {
      "cast_fp16", "half precision, with float32 where numbers would not fit",
      "Stores weights in float16 and computes in it; graph inputs and outputs keep their types. "
      "Norms, activations, masks and sums stay in float32 between Casts. Tensors that would "
      "overflow stay float32, as do those of which too many numbers would round to zero.",
      describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
        return std::make_unique<CastFp16>(read_options(table(), values, "pass cast_fp16"));
      }};
}

}  // namespace onnxpress
