// SPDX-License-Identifier: Apache-2.0
#include "ir/patterns/norm.h"

#include <algorithm>
#include <string>
#include <utility>

#include "ir/patterns/constants.h"

namespace onnxpress::patterns {
namespace {

// One number for each element of a row: a vector, or [1, …, 1, n]. Also 1 + w and the like.
bool is_row_constant(const Graph& graph, ValueId value, int depth = 0) {
  if (value == kNoValue || depth > 4) return false;
  if (const Tensor* tensor = constant_behind(graph, value)) {
    const Dims& dims = tensor->dims();
    return tensor->size() > 1 && is_float(tensor->dtype()) && dims.back() == tensor->size();
  }
  const Node* node = graph.producer(behind_casts(graph, value));
  if (node == nullptr || node->inputs.size() != 2) return false;
  if (!node->is("Add") && !node->is("Mul") && !node->is("Sub")) return false;
  for (const std::size_t side : {0U, 1U}) {
    if (scalar_constant(graph, node->inputs[side]) &&
        is_row_constant(graph, node->inputs[1 - side], depth + 1)) {
      return true;
    }
  }
  return false;
}

// The axes of a ReduceMean that keeps them as 1; nothing for any other node.
std::optional<std::vector<std::int64_t>> mean_axes(const Graph& graph, const Node* node) {
  if (node == nullptr || !node->is("ReduceMean") || node->inputs.empty()) return std::nullopt;
  if (node->attributes.get_int("keepdims", 1) != 1) return std::nullopt;
  std::vector<std::int64_t> axes = node->attributes.get_ints("axes");
  if (const Tensor* given = constant_behind(graph, node->input(1))) {
    if (!is_integer(given->dtype())) return std::nullopt;
    axes = given->to_int64s();
  }
  std::sort(axes.begin(), axes.end());
  if (axes.empty()) return std::nullopt;
  return axes;
}

void cover(NormMatch& match, NodeId id) {
  if (std::find(match.nodes.begin(), match.nodes.end(), id) == match.nodes.end()) {
    match.nodes.push_back(id);
  }
}

// Takes the multiplication with a gain and the addition of a shift that follow into the match.
void follow_gain_and_shift(const Graph& graph, NormMatch& match) {
  ValueId value = match.output;
  std::vector<NodeId> casts;
  const auto accept = [&](NodeId node, ValueId& field, ValueId constant) {
    for (const NodeId cast : casts) cover(match, cast);
    casts.clear();
    cover(match, node);
    field = constant;
    match.output = graph.node(node).outputs[0];
  };
  while (const auto next = graph.single_user(value)) {
    const Node& user = graph.node(*next);
    if (user.outputs.empty() || user.outputs[0] == kNoValue || casts.size() > 4) return;
    const ValueId other = other_operand(user, value);
    if (user.is("Cast") || user.is("Identity")) {
      casts.push_back(*next);
    } else if (user.is("Mul") && match.gain == kNoValue && match.shift == kNoValue &&
               is_row_constant(graph, other)) {
      accept(*next, match.gain, other);
    } else if (user.is("Add") && match.kind == NormKind::layer && match.shift == kNoValue &&
               is_row_constant(graph, other)) {
      accept(*next, match.shift, other);
    } else {
      return;
    }
    value = user.outputs[0];
  }
}

class Decomposed {
 public:
  Decomposed(const Graph& graph, NodeId anchor) : graph_(graph), anchor_(anchor) {}

  std::optional<NormMatch> match() {
    if (!match_root() || !match_square()) return std::nullopt;
    cover(anchor_);
    if (!match_quotient(graph_.node(anchor_).outputs[0])) return std::nullopt;
    if (!match_axis()) return std::nullopt;
    match_.decomposed = true;
    return std::move(match_);
  }

 private:
  void cover(NodeId id) { patterns::cover(match_, id); }
  // Covers what computes `value`, Casts included, and returns the node in front of the Casts.
  const Node* step(ValueId value) {
    const ValueId source = behind_casts(graph_, value);
    const auto id = graph_.producer_id(source);
    if (!id) return nullptr;
    while (value != source) {
      const NodeId cast = *graph_.producer_id(value);
      pending_.push_back(cast);
      value = graph_.node(cast).inputs[0];
    }
    pending_.push_back(*id);
    return &graph_.node(*id);
  }
  bool same(ValueId a, ValueId b) const {
    return a == b || behind_casts(graph_, a) == behind_casts(graph_, b);
  }

  // The anchor takes the root of variance_ + epsilon, or one over it.
  bool match_root() {
    const Node& node = graph_.node(anchor_);
    if (node.inputs.empty() || node.outputs.size() != 1 || node.outputs[0] == kNoValue)
      return false;
    if (node.is("Pow")) {
      const auto exponent = scalar_constant(graph_, node.input(1));
      if (!exponent || (*exponent != 0.5 && *exponent != -0.5)) return false;
      inverse_ = *exponent < 0;
    } else if (!node.is("Sqrt")) {
      return false;
    }
    variance_ = node.inputs[0];
    const Node* sum = graph_.producer(behind_casts(graph_, variance_));
    if (sum == nullptr || !sum->is("Add") || sum->inputs.size() != 2) return true;
    for (const std::size_t side : {0U, 1U}) {
      if (const auto epsilon = scalar_constant(graph_, sum->inputs[side])) {
        step(variance_);
        match_.epsilon = *epsilon;
        variance_ = sum->inputs[1 - side];
        return true;
      }
    }
    return false;
  }

  // variance_ is the mean of the square of centred_, which is x or x - mean(x).
  bool match_square() {
    const Node* mean_of_squares = step(variance_);
    const auto axes = mean_axes(graph_, mean_of_squares);
    if (!axes) return false;
    axes_ = *axes;
    const Node* square = step(mean_of_squares->inputs[0]);
    if (square == nullptr || square->inputs.size() != 2) return false;
    const bool squared = (square->is("Mul") && square->inputs[0] == square->inputs[1]) ||
                         (square->is("Pow") && scalar_constant(graph_, square->inputs[1]) == 2.0);
    if (!squared) return false;
    centred_ = square->inputs[0];
    if (centred_ == kNoValue) return false;
    match_.input = centred_;
    match_.kind = NormKind::rms;
    const ValueId source = behind_casts(graph_, centred_);
    const Node* difference = graph_.producer(source);
    if (difference != nullptr && difference->is("Sub") && difference->inputs.size() == 2) {
      const ValueId mean = difference->inputs[1];
      const Node* mean_node = graph_.producer(behind_casts(graph_, mean));
      if (mean_axes(graph_, mean_node) == axes &&
          same(mean_node->inputs[0], difference->inputs[0])) {
        match_.kind = NormKind::layer;
        match_.input = difference->inputs[0];
        mean_ = mean;
        step(centred_);
        step(mean);
      }
    }
    if (match_.input == kNoValue) return false;
    for (auto id = pending_.rbegin(); id != pending_.rend(); ++id) cover(*id);
    return true;
  }

  bool is_centred(ValueId value) const {
    if (same(value, centred_)) return true;
    if (match_.kind == NormKind::rms) return false;
    const Node* node = graph_.producer(behind_casts(graph_, value));  // a second x - mean(x)
    return node != nullptr && node->is("Sub") && node->inputs.size() == 2 &&
           same(node->inputs[0], match_.input) && same(node->inputs[1], mean_);
  }

  // From the root (or one over it) forward to the normalised value, then to its gain and shift.
  bool match_quotient(ValueId root) {
    for (int depth = 0; depth < 6; ++depth) {
      // Several nodes may read a root that is shared; the first that fits counts.
      bool moved = false;
      for (const Use& use : graph_.value(root).uses) {
        const Node& user = graph_.node(use.node);
        if (user.outputs.empty() || user.outputs[0] == kNoValue) continue;
        const ValueId result = user.outputs[0];
        const ValueId other = other_operand(user, root);
        if (user.is("Cast") || user.is("Identity")) {
          moved = true;
        } else if (!inverse_ && user.is("Reciprocal")) {
          inverse_ = moved = true;
        } else if (!inverse_ && user.is("Div") && use.input == 1) {
          if (is_centred(other)) return finish(use.node, other, result);
          if (scalar_constant(graph_, other) == 1.0) inverse_ = moved = true;
        } else if (inverse_ && user.is("Mul") && other != kNoValue) {
          if (is_centred(other)) return finish(use.node, other, result);
          if (match_.gain == kNoValue && is_row_constant(graph_, other)) {
            match_.gain = other;
            moved = true;
          } else if (match_.kind == NormKind::layer && same(other, match_.input)) {
            return match_distributed(root, use.node, result);
          }
        }
        if (moved) {
          cover(use.node);
          root = result;
          break;
        }
      }
      if (!moved) return false;
    }
    return false;
  }

  // x·r + (shift - mean·r), where r = gain / root.
  bool match_distributed(ValueId factor, NodeId product, ValueId scaled) {
    const auto sum = graph_.single_user(scaled);
    if (!sum || !graph_.node(*sum).is("Add") || graph_.node(*sum).outputs.size() != 1) return false;
    if (graph_.node(*sum).outputs[0] == kNoValue) return false;
    const ValueId rest = behind_casts(graph_, other_operand(graph_.node(*sum), scaled));
    const auto difference = graph_.producer_id(rest);
    if (!difference || !graph_.node(*difference).is("Sub")) return false;
    const Node& node = graph_.node(*difference);
    const auto scaled_mean = graph_.producer_id(behind_casts(graph_, node.input(1)));
    if (!scaled_mean || !graph_.node(*scaled_mean).is("Mul")) return false;
    const ValueId mean = other_operand(graph_.node(*scaled_mean), factor);
    if (mean == kNoValue || !same(mean, mean_) || !is_row_constant(graph_, node.input(0))) {
      return false;
    }
    match_.shift = node.input(0);
    match_.output = graph_.node(*sum).outputs[0];
    for (const NodeId id : {product, *scaled_mean, *difference, *sum}) cover(id);
    return true;
  }

  bool finish(NodeId quotient, ValueId numerator, ValueId normalised) {
    const ValueId source = behind_casts(graph_, numerator);
    if (match_.kind == NormKind::layer) {
      for (ValueId value = numerator; value != source;) {
        const NodeId cast = *graph_.producer_id(value);
        cover(cast);
        value = graph_.node(cast).inputs[0];
      }
      cover(*graph_.producer_id(source));  // no other than `centred_`, or its twin
    } else if (numerator != match_.input) {
      match_.input = numerator;
    }
    cover(quotient);
    match_.output = normalised;
    follow_gain_and_shift(graph_, match_);
    return true;
  }

  // The axes must be the last ones. Where they are counted from the front and the rank is not
  // known, a gain of one row says so, since it is spread from the last axis.
  bool match_axis() {
    const auto count = static_cast<std::int64_t>(axes_.size());
    std::int64_t rank = 0;
    if (const auto& shape = graph_.value(match_.input).shape) {
      rank = static_cast<std::int64_t>(shape->size());
    }
    if (rank > 0) {
      for (std::int64_t& axis : axes_) axis = axis < 0 ? axis : axis - rank;
      std::sort(axes_.begin(), axes_.end());
    }
    if (axes_.back() >= 0 && count == 1 && match_.gain != kNoValue) axes_.back() = -1;
    for (std::int64_t i = 0; i < count; ++i) {
      if (axes_[static_cast<std::size_t>(i)] != i - count) return false;
    }
    match_.axis = -count;
    return true;
  }

  const Graph& graph_;
  NodeId anchor_;
  NormMatch match_;
  std::vector<NodeId> pending_;  // covered, found from the back to the front
  std::vector<std::int64_t> axes_;
  ValueId variance_ = kNoValue, centred_ = kNoValue, mean_ = kNoValue;
  bool inverse_ = false;
};

bool is_contrib(const Node& node, std::string_view type) {
  return (node.domain.empty() || node.domain == "com.microsoft") && node.op_type == type;
}

std::optional<NormMatch> match_operator(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.outputs.empty() || node.outputs[0] == kNoValue || node.input(0) == kNoValue) {
    return std::nullopt;
  }
  NormMatch match;
  match.input = node.inputs[0];
  match.output = node.outputs[0];
  match.nodes = {id};
  const auto read_axis = [&] {
    match.axis = node.attributes.get_int("axis", -1);
    match.epsilon = node.attributes.get_float("epsilon", 1e-5F);
    match.gain = node.input(1);
  };
  if (is_contrib(node, "LayerNormalization")) {
    read_axis();
    match.shift = node.input(2);
    return match;
  }
  if (node.is("RMSNormalization") || is_contrib(node, "SimplifiedLayerNormalization")) {
    read_axis();
    match.kind = NormKind::rms;
    return match;
  }
  const bool skip_layer = is_contrib(node, "SkipLayerNormalization");
  const bool skip_rms = is_contrib(node, "SkipSimplifiedLayerNormalization");
  if (!skip_layer && !skip_rms) return std::nullopt;
  match.kind = skip_layer ? NormKind::layer : NormKind::rms;
  match.epsilon = node.attributes.get_float("epsilon", 1e-12F);
  match.residual = node.input(1);
  match.gain = node.input(2);
  match.shift = skip_layer ? node.input(3) : kNoValue;
  match.input_bias = node.input(skip_layer ? 4 : 3);
  return match;
}

}  // namespace

std::optional<NormMatch> match_norm(const Graph& graph, NodeId anchor) {
  const Node& node = graph.node(anchor);
  if (node.is("Sqrt") || node.is("Pow")) return Decomposed(graph, anchor).match();
  return match_operator(graph, anchor);
}

std::vector<NormMatch> match_norms(const Graph& graph, NodeId anchor) {
  std::vector<NormMatch> found;
  auto match = match_norm(graph, anchor);
  if (!match) return found;
  const std::vector<Use>& uses = graph.value(match->output).uses;
  if (match->decomposed && match->gain == kNoValue && match->shift == kNoValue && uses.size() > 1) {
    for (const Use& use : uses) {
      const Node& user = graph.node(use.node);
      const ValueId gain = other_operand(user, match->output);
      if (!user.is("Mul") || user.outputs.size() != 1 || user.outputs[0] == kNoValue ||
          !is_row_constant(graph, gain))
        break;
      NormMatch one = *match;
      one.gain = gain;
      one.output = user.outputs[0];
      cover(one, use.node);
      follow_gain_and_shift(graph, one);
      found.push_back(std::move(one));
    }
    if (found.size() == uses.size()) return found;
    found.clear();
  }
  found.push_back(std::move(*match));
  return found;
}

}  // namespace onnxpress::patterns
