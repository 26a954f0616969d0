// SPDX-License-Identifier: Apache-2.0
#include "ir/patterns/activation.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "ir/patterns/constants.h"

namespace onnxpress::patterns {
namespace {

// Coefficients of x^0 … x^3.
using Polynomial = std::array<double, 4>;

std::optional<Polynomial> multiply(const Polynomial& a, const Polynomial& b) {
  Polynomial product{};
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < b.size(); ++j) {
      if (a[i] == 0 || b[j] == 0) continue;
      if (i + j >= product.size()) return std::nullopt;
      product[i + j] += a[i] * b[j];
    }
  }
  return product;
}

// Reads values as polynomials of x and remembers the nodes it went through.
class PolynomialReader {
 public:
  PolynomialReader(const Graph& graph, ValueId x) : graph_(graph), x_(x) {}

  std::optional<Polynomial> read(ValueId value, int depth = 0) {
    if (value == x_) return Polynomial{0, 1, 0, 0};
    if (depth > kMaxDepth || ++visited_ > kMaxVisited || value == kNoValue) return std::nullopt;
    if (const auto scalar = scalar_constant(graph_, value)) return Polynomial{*scalar, 0, 0, 0};
    const auto id = graph_.producer_id(value);
    if (!id) return std::nullopt;
    const auto result = read_node(graph_.node(*id), depth);
    if (result) nodes_.push_back(*id);
    return result;
  }
  [[nodiscard]] const std::vector<NodeId>& nodes() const { return nodes_; }

 private:
  static constexpr int kMaxDepth = 10;
  static constexpr int kMaxVisited = 64;

  std::optional<Polynomial> read_node(const Node& node, int depth) {
    if (node.inputs.empty() || node.inputs.size() > 2) return std::nullopt;
    const bool one = node.is("Identity") || node.is("Cast") || node.is("Neg");
    const bool two =
        node.is("Add") || node.is("Sub") || node.is("Mul") || node.is("Div") || node.is("Pow");
    if (!one && !two) return std::nullopt;
    const auto a = read(node.inputs[0], depth + 1);
    if (!a) return std::nullopt;
    if (node.is("Identity") || node.is("Cast")) return a;
    if (node.is("Neg")) return multiply(*a, {-1, 0, 0, 0});
    const auto b = read(node.input(1), depth + 1);
    if (!b) return std::nullopt;
    if (node.is("Mul")) return multiply(*a, *b);
    const bool scalar = (*b)[1] == 0 && (*b)[2] == 0 && (*b)[3] == 0;
    if (node.is("Div")) {
      if (!scalar || (*b)[0] == 0) return std::nullopt;
      return multiply(*a, {1 / (*b)[0], 0, 0, 0});
    }
    if (node.is("Pow")) {
      if (!scalar || ((*b)[0] != 2 && (*b)[0] != 3)) return std::nullopt;
      auto power = multiply(*a, *a);
      if (power && (*b)[0] == 3) power = multiply(*power, *a);
      return power;
    }
    Polynomial sum = *a;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += node.is("Add") ? (*b)[i] : -(*b)[i];
    return sum;
  }

  const Graph& graph_;
  ValueId x_;
  int visited_ = 0;
  std::vector<NodeId> nodes_;
};

// y = (constant + factor · f) · x^power, where f is what the anchor computes.
struct State {
  double constant = 0, factor = 1;
  int power = 0;
};

// A function of the form x · (constant + factor · f(slope · x + cube · x³)).
struct Form {
  std::string_view anchor;
  double slope, cube, constant, factor;
  ActivationKind kind;
};
constexpr std::array kForms = {
    Form{"Erf", 0.70710678, 0, 0.5, 0.5, ActivationKind::gelu},
    Form{"Tanh", 0.79788456, 0.035677408, 0.5, 0.5, ActivationKind::gelu_tanh},
    Form{"Sigmoid", 1.59576912, 0.071354816, 0, 1, ActivationKind::gelu_tanh},
    Form{"Sigmoid", 1.702, 0, 0, 1, ActivationKind::quick_gelu},
    Form{"Sigmoid", 1, 0, 0, 1, ActivationKind::silu},
    Form{"Tanh", 0.5, 0, 0.5, 0.5, ActivationKind::silu},
};

bool equal(double a, double b) {
  return a == b || nearly_equal(a, b);
}

class Product {
 public:
  Product(const Graph& graph, NodeId anchor, ValueId x) : graph_(graph), anchor_(anchor), x_(x) {}

  std::optional<ActivationMatch> match() {
    const Node& node = graph_.node(anchor_);
    PolynomialReader reader(graph_, x_);
    const auto argument = reader.read(node.inputs[0]);
    if (!argument || (*argument)[0] != 0 || (*argument)[2] != 0) return std::nullopt;
    cover(reader.nodes());
    cover({anchor_});
    ValueId value = node.outputs[0];
    for (int depth = 0; depth < 8; ++depth) {
      const auto next = graph_.single_user(value);
      if (!next || !advance(*next, value)) return std::nullopt;
      value = graph_.node(*next).outputs[0];
      for (const Form& form : kForms) {
        if (node.is(form.anchor) && state_.power == 1 && equal((*argument)[1], form.slope) &&
            equal((*argument)[3], form.cube) && equal(state_.constant, form.constant) &&
            equal(state_.factor, form.factor)) {
          return ActivationMatch{form.kind, x_, kNoValue, value, anchor_, std::move(nodes_)};
        }
      }
    }
    return std::nullopt;
  }

 private:
  // Takes one node that reads `value` into the state; false where it leaves the form.
  bool advance(NodeId id, ValueId value) {
    const Node& node = graph_.node(id);
    if (node.outputs.size() != 1 || node.outputs[0] == kNoValue) return false;
    if (node.is("Cast") || node.is("Identity")) {
      cover({id});
      return true;
    }
    const ValueId other = other_operand(node, value);
    if (other == kNoValue) return false;
    PolynomialReader reader(graph_, x_);
    const auto read = reader.read(other);
    if (!read) return false;
    const Polynomial& p = *read;
    if (p[2] != 0 || p[3] != 0 || (p[0] != 0 && p[1] != 0)) return false;
    const bool scalar = p[1] == 0;
    if (node.is("Mul")) {
      const double by = scalar ? p[0] : p[1];
      state_.constant *= by;
      state_.factor *= by;
      state_.power += scalar ? 0 : 1;
      if (state_.power > 1) return false;
    } else if (node.is("Div")) {
      if (!scalar || p[0] == 0 || node.inputs[0] != value) return false;
      state_.constant /= p[0];
      state_.factor /= p[0];
    } else if (node.is("Add")) {
      if (scalar != (state_.power == 0)) return false;
      state_.constant += scalar ? p[0] : p[1];
    } else {
      return false;
    }
    cover(reader.nodes());
    cover({id});
    return true;
  }

  void cover(const std::vector<NodeId>& ids) {
    for (const NodeId id : ids) {
      if (std::find(nodes_.begin(), nodes_.end(), id) == nodes_.end()) nodes_.push_back(id);
    }
  }

  const Graph& graph_;
  NodeId anchor_;
  ValueId x_;
  State state_;
  std::vector<NodeId> nodes_;
};

// What x may be: the operand that the anchor's result meets on its way, or what that operand is a
// multiple of.
std::vector<ValueId> candidates(const Graph& graph, NodeId anchor) {
  std::vector<ValueId> found;
  ValueId value = graph.node(anchor).outputs[0];
  for (int depth = 0; depth < 6; ++depth) {
    const auto next = graph.single_user(value);
    if (!next || graph.node(*next).outputs.size() != 1) break;
    if (graph.node(*next).outputs[0] == kNoValue) break;
    ValueId other = other_operand(graph.node(*next), value);
    for (int peel = 0; peel < 4 && other != kNoValue && !scalar_constant(graph, other); ++peel) {
      found.push_back(other);
      const Node* node = graph.producer(other);
      if (node == nullptr || node->inputs.empty() || node->inputs.size() > 2) break;
      if (node->is("Cast") || node->is("Identity")) {
        other = node->inputs[0];
      } else if ((node->is("Mul") || node->is("Div")) && node->inputs.size() == 2) {
        const bool second = scalar_constant(graph, node->inputs[1]).has_value();
        other = second ? node->inputs[0] : node->inputs[1];
      } else {
        break;
      }
    }
    value = graph.node(*next).outputs[0];
  }
  return found;
}

// x · f(x) in two nodes: f's node and a Mul. Returns the Mul.
std::optional<NodeId> gated_by_itself(const Graph& graph, ValueId function, ValueId x) {
  const auto product = graph.single_user(function);
  if (!product || !graph.node(*product).is("Mul")) return std::nullopt;
  const std::vector<ValueId>& outputs = graph.node(*product).outputs;
  if (outputs.size() != 1 || outputs[0] == kNoValue || x == kNoValue) return std::nullopt;
  if (other_operand(graph.node(*product), function) != x) return std::nullopt;
  return product;
}

std::optional<ActivationMatch> match_relu(const Graph& graph, NodeId anchor) {
  const Node& node = graph.node(anchor);
  ActivationMatch match{ActivationKind::relu, node.inputs[0], kNoValue,
                        node.outputs[0],      anchor,         {anchor}};
  const std::vector<Use>& uses = graph.value(match.output).uses;
  if (uses.empty() || graph.value(match.output).is_output) return match;
  const NodeId next = uses.front().node;
  const bool only =
      std::all_of(uses.begin(), uses.end(), [&](const Use& use) { return use.node == next; });
  const Node& user = graph.node(next);
  const bool square = (user.is("Mul") && uses.size() == 2) ||
                      (user.is("Pow") && scalar_constant(graph, user.input(1)) == 2.0);
  if (!only || !square || user.outputs.size() != 1 || user.outputs[0] == kNoValue) return match;
  return ActivationMatch{
      ActivationKind::relu_squared, match.input, kNoValue, user.outputs[0], anchor, {anchor, next}};
}

std::optional<ActivationMatch> match_contrib(const Graph& graph, NodeId anchor) {
  const Node& node = graph.node(anchor);
  ActivationMatch match{ActivationKind::gelu, node.inputs[0], kNoValue,
                        node.outputs[0],      anchor,         {anchor}};
  if (node.op_type == "Gelu") return match;
  if (node.op_type == "BiasGelu" || node.op_type == "FastGelu") {
    match.kind = node.op_type == "BiasGelu" ? ActivationKind::gelu : ActivationKind::gelu_tanh;
    match.bias = node.input(1);
    return match;
  }
  if (node.op_type == "QuickGelu") {
    const double alpha = node.attributes.get_float("alpha", 1.702F);
    if (equal(alpha, 1.702)) {
      match.kind = ActivationKind::quick_gelu;
    } else {
      match.kind = alpha == 1 ? ActivationKind::silu : ActivationKind::other;
    }
    return match;
  }
  return std::nullopt;
}

// Elementwise functions that are one operator and start no bigger form.
std::optional<ActivationKind> plain_kind(const Node& node) {
  constexpr std::array kOthers = {"Elu",   "LeakyRelu", "Selu",     "Celu",
                                  "PRelu", "Softplus",  "Softsign", "ThresholdedRelu"};
  if (node.is("Gelu")) {
    return node.attributes.get_string("approximate", "none") == "tanh" ? ActivationKind::gelu_tanh
                                                                       : ActivationKind::gelu;
  }
  if (node.is("Swish")) {
    return node.attributes.get_float("alpha", 1) == 1 ? ActivationKind::silu
                                                      : ActivationKind::other;
  }
  if (node.is("Tanh")) return ActivationKind::tanh;
  if (node.is("Sigmoid")) return ActivationKind::sigmoid;
  if (node.is("Mish")) return ActivationKind::mish;
  if (node.is("HardSwish")) return ActivationKind::hard_swish;
  if (std::any_of(kOthers.begin(), kOthers.end(), [&](const char* t) { return node.is(t); })) {
    return ActivationKind::other;
  }
  return std::nullopt;
}

// Mish and HardSwish in two or three nodes.
std::optional<ActivationMatch> match_pair(const Graph& graph, NodeId anchor) {
  const Node& node = graph.node(anchor);
  if (node.is("HardSigmoid") && equal(node.attributes.get_float("alpha", 0.2F), 1.0 / 6) &&
      equal(node.attributes.get_float("beta", 0.5F), 0.5)) {
    if (const auto product = gated_by_itself(graph, node.outputs[0], node.inputs[0])) {
      return ActivationMatch{ActivationKind::hard_swish,      node.inputs[0], kNoValue,
                             graph.node(*product).outputs[0], anchor,         {anchor, *product}};
    }
  }
  const auto inner = graph.producer_id(node.inputs[0]);
  if (node.is("Tanh") && inner && graph.node(*inner).is("Softplus")) {
    const ValueId x = graph.node(*inner).input(0);
    if (const auto product = gated_by_itself(graph, node.outputs[0], x)) {
      return ActivationMatch{
          ActivationKind::mish,      x, kNoValue, graph.node(*product).outputs[0], anchor,
          {*inner, anchor, *product}};
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view name(ActivationKind kind) {
  switch (kind) {
    case ActivationKind::relu:
      return "relu";
    case ActivationKind::relu_squared:
      return "relu_squared";
    case ActivationKind::gelu:
      return "gelu";
    case ActivationKind::gelu_tanh:
      return "gelu_tanh";
    case ActivationKind::quick_gelu:
      return "quick_gelu";
    case ActivationKind::silu:
      return "silu";
    case ActivationKind::mish:
      return "mish";
    case ActivationKind::hard_swish:
      return "hard_swish";
    case ActivationKind::tanh:
      return "tanh";
    case ActivationKind::sigmoid:
      return "sigmoid";
    case ActivationKind::other:
      break;
  }
  return "other";
}

std::optional<ActivationMatch> match_activation(const Graph& graph, NodeId anchor) {
  const Node& node = graph.node(anchor);
  if (node.inputs.empty() || node.inputs[0] == kNoValue || node.outputs.empty() ||
      node.outputs[0] == kNoValue) {
    return std::nullopt;
  }
  if (node.domain == "com.microsoft") return match_contrib(graph, anchor);
  if (!node.domain.empty()) return std::nullopt;
  if (node.is("Relu")) return match_relu(graph, anchor);
  if (node.is("Erf") || node.is("Tanh") || node.is("Sigmoid")) {
    for (const ValueId x : candidates(graph, anchor)) {
      if (auto match = Product(graph, anchor, x).match()) return match;
    }
  }
  if (auto match = match_pair(graph, anchor)) return match;
  if (node.is("Softplus")) {  // inside a Mish, which has its own anchor?
    const auto next = graph.single_user(node.outputs[0]);
    if (next && graph.node(*next).is("Tanh") && match_pair(graph, *next)) return std::nullopt;
  }
  if (const auto kind = plain_kind(node)) {
    return ActivationMatch{*kind, node.inputs[0], kNoValue, node.outputs[0], anchor, {anchor}};
  }
  return std::nullopt;
}

}  // namespace onnxpress::patterns
