// SPDX-License-Identifier: Apache-2.0
#include "model/linear_units.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "ir/patterns/constants.h"
#include "model/graph_walk.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kTinyElements = 1024;
constexpr std::int64_t kMostColumns = std::int64_t{1} << 40;
constexpr int kMaxPath = 16;          // nodes between a product and its stored weight
constexpr int kMaxBodyDepth = 32;     // of bodies within bodies
constexpr std::size_t kFewUses = 64;  // readers of a weight that are looked at one by one

// The stored tensor behind an operand, and how it was turned on the way.
struct Stored {
  ValueId value = kNoValue;
  std::vector<NodeId> path;
  bool transposed = false;
  bool reshaped = false;  // perhaps; Transposes of more or fewer than two dimensions count too
  bool dequantized = false;
};

bool swaps_two(const Node& node) {
  const auto perm = node.attributes.get_ints("perm");
  return perm.empty() || perm == std::vector<std::int64_t>{1, 0};
}

// nullopt where the operand is computed from something that is no constant, or in a way that can't
// be undone.
std::optional<Stored> stored_behind(const Graph& graph, ValueId operand) {
  Stored stored;
  stored.value = operand;
  for (int depth = 0; depth < kMaxPath && stored.value != kNoValue; ++depth) {
    const Value& value = graph.value(stored.value);
    if (value.constant) return stored;
    const auto id = value.producer;
    if (!id) return std::nullopt;
    const Node& node = graph.node(*id);
    if (node.is("Transpose")) {
      if (swaps_two(node)) {
        stored.transposed = !stored.transposed;
      } else {
        stored.reshaped = true;
      }
    } else if (node.op_type == "DequantizeLinear") {
      stored.dequantized = true;
    } else if (node.is("Reshape") || node.is("Squeeze") || node.is("Unsqueeze") ||
               node.is("Flatten")) {
      stored.reshaped = true;
    } else if (!node.is("Identity") && !node.is("Cast")) {
      return std::nullopt;
    }
    if (node.inputs.empty() || node.inputs[0] == kNoValue) return std::nullopt;
    stored.path.push_back(*id);
    stored.value = node.inputs[0];
  }
  return std::nullopt;
}

std::string show(const Dims& dims) {
  return to_string(dims);
}

class Finder {
 public:
  Finder(const Graph& graph, const SymbolicShapes& shapes, Labels& labels)
      : graph_(graph), shapes_(shapes), labels_(labels) {}

  LinearUnits run() {
    for (const NodeId id : graph_.nodes()) {
      if (is_listed_product(graph_.node(id))) add_product(id);
      if (graph_.node(id).op_type == "Attention" && graph_.node(id).domain == "com.microsoft") {
        add_row(id, {RefusalKind::fused, "its weights lie inside the operator Attention"});
      }
    }
    mark_shared();
    for (ProductRow& row : found_.products) {
      if (row.unit) row.why_not = found_.units[*row.unit].why_not;
    }
    for (const NodeId id : graph_.nodes()) add_bodies(graph_.node(id));
    return std::move(found_);
  }

 private:
  void add_row(NodeId id, Refusal refusal) {
    const Node& node = graph_.node(id);
    found_.products.push_back(
        {id, node.op_type, labels_.of_one_node(node), std::nullopt, {std::move(refusal)}});
  }

  void add_product(NodeId id) {
    const Node& node = graph_.node(id);
    if (node.input(0) == kNoValue || node.input(1) == kNoValue || node.outputs.empty() ||
        node.outputs[0] == kNoValue) {
      add_row(id, {RefusalKind::computed, "it lacks an operand"});
      return;
    }
    if (is_quantized_product(node)) {
      add_quantized(id);
      return;
    }
    const auto right = stored_behind(graph_, node.inputs[1]);
    if (!right) {
      const auto left = stored_behind(graph_, node.inputs[0]);
      if (left && !graph_.value(left->value).is_input) {
        add_row(id, {RefusalKind::left_operand,
                     "its constant multiplies from the left, so it is no x·W"});
      } else if (is_constant_like(graph_, node.inputs[1])) {
        add_row(id, {RefusalKind::computed,
                     fmt::format("its weight is computed from constants by {}: fold them first",
                                 graph_.producer(node.inputs[1])->op_type)});
      } else {
        add_row(id, {RefusalKind::computed, "both operands are computed"});
      }
      return;
    }
    const Value& weight = graph_.value(right->value);
    if (weight.is_input) {
      add_row(id, {RefusalKind::overridable,
                   fmt::format("its weight \"{}\" is a graph input that callers may replace",
                               weight.name)});
      return;
    }
    const Tensor& tensor = *weight.constant;
    const SymbolicShape* operand = shapes_.shape(node.inputs[1]);
    const bool reshaped_to_matrix = right->reshaped && operand != nullptr && operand->size() == 2;
    if (tensor.rank() != 2 && !reshaped_to_matrix) {
      add_row(id, {RefusalKind::not_a_matrix,
                   fmt::format("its constant operand has shape {}, not two dimensions",
                               show(tensor.dims()))});
      return;
    }
    add_unit(id, *right, tensor);
  }

  LinearUnit new_unit(NodeId id, const Stored& weight, const Tensor& tensor) {
    const Node& node = graph_.node(id);
    LinearUnit unit;
    unit.product = id;
    unit.input = node.inputs[0];
    unit.output = node.outputs[0];
    unit.biased_output = unit.output;
    unit.weight = weight.value;
    unit.weight_path = weight.path;
    unit.weight_bytes = static_cast<std::int64_t>(tensor.bytes().size());
    return unit;
  }

  void add_unit(NodeId id, const Stored& weight, const Tensor& tensor) {
    const Node& node = graph_.node(id);
    LinearUnit unit = new_unit(id, weight, tensor);
    const bool gemm = node.op_type == "Gemm" || node.op_type == "FusedGemm";
    const bool turned = weight.transposed != (node.attributes.get_int("transB", 0) != 0);
    unit.layout = turned ? WeightLayout::out_in : WeightLayout::in_out;
    if (weight.reshaped) {
      set_reshaped_sizes(unit, node, tensor);
    } else {
      unit.in = tensor.dims()[turned ? 1 : 0];
      unit.out = tensor.dims()[turned ? 0 : 1];
    }
    const bool scaled =
        node.attributes.get_float("alpha", 1) != 1 || node.attributes.get_int("transA", 0) != 0 ||
        (gemm && node.input(2) != kNoValue && node.attributes.get_float("beta", 1) != 1);
    if (gemm && node.input(2) != kNoValue) {
      if (is_vector(node.input(2), unit.out)) unit.bias = node.input(2);
    } else {
      find_bias(unit);
    }
    if (weight.dequantized || !is_float(tensor.dtype())) {
      const std::string type = name(tensor.dtype());
      if (weight.dequantized) {
        refuse(unit, RefusalKind::already_quantized, "its weight is already stored as " + type);
      } else {
        refuse(unit, RefusalKind::not_float, "its weight is of " + type);
      }
    } else if (bits(tensor.dtype()) < 16) {
      refuse(unit, RefusalKind::not_float,
             fmt::format("its weight is of {}", name(tensor.dtype())));
    }
    if (scaled) {
      refuse(unit, RefusalKind::scaled, "it multiplies by alpha or beta, or transposes its input");
    }
    if (node.attributes.has("activation")) {
      refuse(unit, RefusalKind::fused, "an activation is part of the same operator");
    }
    if (tensor.size() < kTinyElements) {
      refuse(unit, RefusalKind::tiny,
             fmt::format("its weight {} is too small to gain anything", show(tensor.dims())));
    }
    add(std::move(unit));
  }

  // The sizes of a matrix that is stored in another shape. Where they are those of the stored
  // tensor all the same, nothing is lost; else the unit must wait until constants are folded.
  void set_reshaped_sizes(LinearUnit& unit, const Node& node, const Tensor& tensor) {
    const bool turned = node.attributes.get_int("transB", 0) != 0;
    unit.in = std::max<std::int64_t>(0, shapes_.size(node.inputs[1], turned ? 1 : 0));
    unit.out = std::max<std::int64_t>(0, shapes_.size(node.inputs[1], turned ? 0 : 1));
    const Dims dims =
        unit.layout == WeightLayout::in_out ? Dims{unit.in, unit.out} : Dims{unit.out, unit.in};
    const bool only_two_swapped = std::all_of(
        unit.weight_path.begin(), unit.weight_path.end(),
        [&](NodeId id) { return !graph_.node(id).is("Transpose") || swaps_two(graph_.node(id)); });
    if (tensor.dims() == dims && only_two_swapped) return;
    refuse(unit, RefusalKind::not_a_matrix,
           fmt::format("its weight is stored as {} and reshaped: fold constants first",
                       show(tensor.dims())));
  }

  // Integer products and packed weights: found, so that attention and feed-forward are seen in
  // models that are quantized already, but never compressible.
  void add_quantized(NodeId id) {
    const Node& node = graph_.node(id);
    const std::size_t operand = node.op_type == "QLinearMatMul" || node.op_type == "QGemm" ? 3 : 1;
    const auto weight = stored_behind(
        graph_, node.input(operand) == kNoValue ? node.inputs[0] : node.input(operand));
    if (!weight || graph_.value(weight->value).is_input) {
      add_row(id, {RefusalKind::computed, "both operands are computed"});
      return;
    }
    const Tensor& tensor = *graph_.value(weight->value).constant;
    LinearUnit unit = new_unit(id, *weight, tensor);
    unit.weight_operand = operand;
    if (node.op_type == "MatMulNBits" || node.op_type == "MatMulBnb4") {
      unit.in = std::clamp<std::int64_t>(node.attributes.get_int("K", 0), 0, kMostColumns);
      unit.out = std::clamp<std::int64_t>(node.attributes.get_int("N", 0), 0, kMostColumns);
      unit.layout = WeightLayout::out_in;
    } else if (tensor.rank() == 2) {
      const bool turned = weight->transposed != (node.attributes.get_int("transB", 0) != 0);
      unit.layout = turned ? WeightLayout::out_in : WeightLayout::in_out;
      unit.in = tensor.dims()[turned ? 1 : 0];
      unit.out = tensor.dims()[turned ? 0 : 1];
    }
    find_float_ends(unit);
    refuse(unit, RefusalKind::already_quantized,
           fmt::format("it is already quantized: {} with a weight of {}", node.op_type,
                       name(tensor.dtype())));
    add(std::move(unit));
  }

  // Around an integer product: the float input in front of the quantization, and the float output
  // behind Cast and the multiplication with the scales.
  void find_float_ends(LinearUnit& unit) {
    const Node* quantizer = graph_.producer(unit.input);
    if (quantizer != nullptr &&
        (quantizer->op_type == "DynamicQuantizeLinear" || quantizer->op_type == "QuantizeLinear")) {
      if (quantizer->input(0) != kNoValue) unit.input = quantizer->input(0);
    }
    ValueId value = unit.output;
    for (int depth = 0; depth < 4; ++depth) {
      const auto next = graph_.single_user(value);
      if (!next) break;
      const Node& user = graph_.node(*next);
      const bool rescales = user.is("Cast") || user.is("Mul") || user.is("DequantizeLinear");
      if (!rescales || user.outputs.size() != 1 || user.outputs[0] == kNoValue) break;
      if (user.is("Mul") && !is_scale(patterns::other_operand(user, value))) break;
      value = user.outputs[0];
    }
    unit.biased_output = value;
    find_bias(unit);
  }

  // A constant, or the product of two scales one of which is computed at run time.
  bool is_scale(ValueId value) const {
    if (value == kNoValue) return false;
    if (is_constant_like(graph_, value)) return true;
    const Node* node = graph_.producer(value);
    if (node != nullptr && node->is("Mul") && node->inputs.size() == 2) {
      return is_constant_like(graph_, node->inputs[0]) || is_constant_like(graph_, node->inputs[1]);
    }
    return node != nullptr && node->op_type == "DynamicQuantizeLinear";
  }

  bool is_vector(ValueId value, std::int64_t size) const {
    const Tensor* tensor = patterns::constant_behind(graph_, value);
    return tensor != nullptr && tensor->rank() >= 1 && tensor->size() == size &&
           tensor->dims().back() == size;
  }

  void find_bias(LinearUnit& unit) {
    const auto next = graph_.single_user(unit.biased_output);
    if (!next || !graph_.node(*next).is("Add") || graph_.node(*next).outputs.size() != 1) return;
    if (graph_.node(*next).outputs[0] == kNoValue) return;
    const ValueId other = patterns::other_operand(graph_.node(*next), unit.biased_output);
    if (other == kNoValue || !is_vector(other, unit.out)) return;
    unit.bias = other;
    unit.bias_add = *next;
    unit.biased_output = graph_.node(*next).outputs[0];
  }

  static void refuse(LinearUnit& unit, RefusalKind kind, std::string text) {
    unit.why_not.push_back({kind, std::move(text)});
  }

  void add(LinearUnit unit) {
    const Node& node = graph_.node(unit.product);
    unit.label = labels_.of_product(node, unit.weight, unit.bias.value_or(kNoValue));
    found_.products.push_back({unit.product, node.op_type, unit.label, found_.units.size(), {}});
    found_.units.push_back(std::move(unit));
  }

  // Whether a use of a stored weight, or of a value on the way to a product, leads only to products
  // and to Gathers of its rows.
  const Node* foreign_reader(ValueId value, std::size_t& steps) const {
    const Value& v = graph_.value(value);
    for (const Use& use : v.uses) {
      const Node& user = graph_.node(use.node);
      if (++steps > kFewUses) return nullptr;
      if (use.input >= user.inputs.size()) return &user;  // a body reads it
      if (is_product(user)) continue;
      if ((user.is("Gather") || user.op_type == "DequantizeLinear") && use.input == 0) continue;
      const bool passes = user.is("Transpose") || user.is("Identity") || user.is("Cast") ||
                          user.is("Reshape") || user.is("Squeeze") || user.is("Unsqueeze") ||
                          user.is("Flatten");
      if (!passes || use.input != 0 || user.outputs.size() != 1) return &user;
      if (user.outputs[0] == kNoValue) continue;
      if (const Node* reader = foreign_reader(user.outputs[0], steps)) return reader;
    }
    return nullptr;
  }

  void mark_shared() {
    std::vector<int> readers(graph_.value_capacity());
    for (const LinearUnit& unit : found_.units) ++readers[static_cast<std::size_t>(unit.weight)];
    for (LinearUnit& unit : found_.units) {
      const Value& weight = graph_.value(unit.weight);
      unit.weight_shared =
          readers[static_cast<std::size_t>(unit.weight)] > 1 || weight.uses.size() > 1;
      std::size_t steps = 0;
      if (weight.is_output) {
        refuse(unit, RefusalKind::used_elsewhere, "its weight is an output of the graph");
      } else if (const Node* reader = foreign_reader(unit.weight, steps)) {
        refuse(unit, RefusalKind::used_elsewhere,
               fmt::format("its weight is read by {} \"{}\" too", reader->op_type, reader->name));
      }
    }
  }

  // Products in bodies of If, Loop and Scan, at any depth.
  void add_bodies(const Node& owner) {
    struct Entry {
      const Node* node;
      std::string owner;
      int depth;
    };
    std::vector<Entry> open = {{&owner, {}, 0}};
    while (!open.empty()) {
      const Entry entry = std::move(open.back());
      open.pop_back();
      const Node& node = *entry.node;
      if (entry.depth > 0 && is_listed_product(node)) {
        found_.products.push_back(
            {std::nullopt,
             node.op_type,
             labels_.of_one_node(node),
             std::nullopt,
             {{RefusalKind::in_body, fmt::format("it is inside a body of {}", entry.owner)}}});
      }
      if (entry.depth >= kMaxBodyDepth) continue;
      const auto descend = [&](const Graph& body) {
        const auto nodes = body.nodes();
        for (auto id = nodes.rbegin(); id != nodes.rend(); ++id) {
          open.push_back({&body.node(*id), fmt::format("{} \"{}\"", node.op_type, node.name),
                          entry.depth + 1});
        }
      };
      for (const Attribute& attribute : node.attributes.all()) {
        if (const auto* body = std::get_if<Subgraph>(&attribute.value)) descend(body->graph());
        if (const auto* bodies = std::get_if<std::vector<Subgraph>>(&attribute.value)) {
          for (const Subgraph& body : *bodies) descend(body.graph());
        }
      }
    }
  }

  const Graph& graph_;
  const SymbolicShapes& shapes_;
  Labels& labels_;
  LinearUnits found_;
};

}  // namespace

LinearUnits find_linear_units(const Graph& graph, const SymbolicShapes& shapes, Labels& labels) {
  return Finder(graph, shapes, labels).run();
}

}  // namespace onnxpress
