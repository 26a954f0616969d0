// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace onnxpress {

// How the stored tensor of a weight lies, after `weight_path` has been seen through.
enum class WeightLayout {
  in_out,  // [in, out], as MatMul wants it: rows belong to inputs
  out_in,  // [out, in], as Gemm with transB or a Transpose in front: rows belong to outputs
};

enum class UnitRole {
  attention_q,
  attention_k,
  attention_v,
  attention_qkv,  // all three in one product
  attention_kv,   // two of the three in one product
  attention_output,
  feed_forward_up,
  feed_forward_gate,
  feed_forward_gate_up,  // both in one product, split afterwards
  feed_forward_down,
  head,   // its result is a graph output, without another unit between
  other,  // a pooler, a projection of embeddings, …
};
[[nodiscard]] std::string_view name(UnitRole role);  // "attention.q", "feed_forward.up", …

enum class RefusalKind {
  computed,           // no operand is constant: attention scores and the like
  overridable,        // the weight is a graph input that callers may replace
  not_a_matrix,       // the constant is not two-dimensional
  not_float,          // the constant is of a type that can't be compressed further
  already_quantized,  // an integer product, or a weight behind DequantizeLinear
  used_elsewhere,     // something that is no linear unit and no embedding reads the weight too
  in_body,            // inside the body of an If, Loop or Scan
  left_operand,       // the constant multiplies from the left
  scaled,             // a Gemm that transposes its input or multiplies by alpha or beta
  fused,              // the weight lies inside an operator that computes more than a product
  tiny,               // so small that scales would eat what is saved
};
[[nodiscard]] std::string_view name(RefusalKind kind);

// Why a product is not compressed: a reason for programs and a sentence for people.
struct Refusal {
  RefusalKind kind = RefusalKind::computed;
  std::string text;  // "both operands are computed: attention scores"
};

// A product of activations with a constant matrix, y = x·W (+ bias): MatMul or Gemm, whose weight
// may stand behind Transpose, Identity, Cast, Reshape or DequantizeLinear.
struct LinearUnit {
  NodeId product{};
  ValueId input = kNoValue;        // what the product reads beside the weight
  ValueId output = kNoValue;       // what the product computes
  ValueId weight = kNoValue;       // the stored tensor: the initializer at the end of `weight_path`
  std::size_t weight_operand = 1;  // the product's input that leads to `weight`
  std::vector<NodeId> weight_path;  // nodes between the product and the stored tensor, if any
  WeightLayout layout = WeightLayout::in_out;
  std::optional<ValueId> bias;       // a constant vector, by Gemm's C or by `bias_add`
  std::optional<NodeId> bias_add;    // the Add behind the product
  ValueId biased_output = kNoValue;  // behind the bias; `output` where there is no `bias_add`
  std::int64_t in = 0, out = 0;
  std::int64_t weight_bytes = 0;  // of the stored tensor, also where units share it
  bool weight_shared = false;     // another unit or an embedding reads the same stored tensor
  UnitRole role = UnitRole::other;
  std::string label;  // for people and globs; unique in the view, made from the graph's names
  std::vector<Refusal> why_not;

  [[nodiscard]] bool compressible() const { return why_not.empty(); }
};

// One row for each product of the graph, whether or not it is a linear unit.
struct ProductRow {
  std::optional<NodeId> node;  // nothing for a product inside a body
  std::string op_type, label;
  std::optional<std::size_t> unit;  // index into TransformerView::units()
  std::vector<Refusal> why_not;     // empty: compressible
};

}  // namespace onnxpress
