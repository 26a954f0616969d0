// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <vector>

#include "exec/fusion/fused_ops.h"
#include "exec/fusion/rewrite.h"
#include "ir/patterns/constants.h"
#include "ir/patterns/norm.h"

namespace onnxpress::exec {
namespace {

// The gain or shift as a vector, or nothing if it can't be one.
std::optional<ValueId> as_vector(Graph& graph, ValueId id) {
  if (id == kNoValue) return id;
  const Tensor* tensor = patterns::constant_behind(graph, id);
  if (tensor == nullptr || tensor->dtype() != DType::float32 || tensor->rank() == 0 ||
      tensor->dims().back() != tensor->size()) {
    return std::nullopt;
  }
  if (tensor->rank() == 1 && graph.constant(id) != nullptr) return id;
  return graph.add_constant(graph.value(id).name, tensor->reshaped({tensor->size()}));
}

bool fuse_norm(Graph& graph, NodeId anchor) {
  const auto match = patterns::match_norm(graph, anchor);
  if (!match || !match->decomposed || match->axis != -1 || match->residual != kNoValue ||
      match->gain == kNoValue) {
    return false;
  }
  if (!is_float32(graph, match->input) || !is_float32(graph, match->output)) return false;
  if (!patterns::is_replaceable(graph, match->nodes, match->output)) return false;
  const auto gain = as_vector(graph, match->gain);
  const auto shift = as_vector(graph, match->shift);
  if (!gain || !shift) return false;
  const bool rms = match->kind == patterns::NormKind::rms;
  replace(graph, match->nodes, fused::kNorm, {match->input, kNoValue, *gain, *shift},
          {{"kind", std::string(rms ? "rms" : "layer")},
           {"epsilon", static_cast<float>(match->epsilon)}},
          match->output);
  return true;
}

// Add(a, b) that nobody else reads, before a norm.
bool fuse_residual(Graph& graph, NodeId id) {
  const Node norm = graph.node(id);
  const bool fused = is_fused(norm, fused::kNorm);
  if (fused ? norm.input(1) != kNoValue : !norm.is("LayerNormalization")) return false;
  if (!fused && (norm.attributes.get_int("axis", -1) != -1 || norm.outputs.size() != 1)) {
    return false;
  }
  const Node* add = graph.producer(norm.input(0));
  if (add == nullptr || !add->is("Add") || !graph.single_user(norm.input(0))) return false;
  if (!is_float32(graph, norm.input(0))) return false;
  const auto is_vector = [&](ValueId value) {
    const Tensor* tensor = graph.constant(value);
    return tensor != nullptr && tensor->rank() == 1 && tensor->dtype() == DType::float32;
  };
  const ValueId gain = norm.input(fused ? 2 : 1);
  const ValueId shift = norm.input(fused ? 3 : 2);
  if (!is_vector(gain) || (shift != kNoValue && !is_vector(shift))) return false;
  const std::array nodes{id, *graph.producer_id(norm.input(0))};
  const ValueId a = add->inputs[0];
  const ValueId b = add->inputs[1];
  replace(graph, nodes, fused::kNorm, {a, b, gain, shift},
          {{"kind", norm.attributes.get_string("kind", "layer")},
           {"epsilon", norm.attributes.get_float("epsilon", 1e-5F)}},
          norm.outputs[0]);
  return true;
}

}  // namespace

std::size_t fuse_norms(Graph& graph) {
  return static_cast<std::size_t>(std::ranges::count_if(
      nodes_of(graph), [&](NodeId id) { return is_live(graph, id) && fuse_norm(graph, id); }));
}

std::size_t fuse_residual_norms(Graph& graph) {
  return static_cast<std::size_t>(std::ranges::count_if(
      nodes_of(graph), [&](NodeId id) { return is_live(graph, id) && fuse_residual(graph, id); }));
}

}  // namespace onnxpress::exec
