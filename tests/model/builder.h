// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace onnxpress::test {

// Writes transformers by hand, in the arrangement that a test wants. States are [batch, sequence,
// width]; weights are pseudo-random, each different from the others.
class Builder {
 public:
  using Ints = std::vector<std::int64_t>;

  Graph graph;

  ValueId op(std::string_view type, std::vector<ValueId> in, Attributes attributes = {},
             std::string_view domain = "");
  // A node with several outputs.
  std::vector<ValueId> ops(std::string_view type, std::vector<ValueId> in, std::size_t outputs,
                           Attributes attributes = {});

  ValueId ids();                      // a graph input of word ids, [batch, sequence]
  ValueId state(std::int64_t width);  // a graph input, [batch, sequence, width]
  ValueId number(float value);
  ValueId ints(Ints values);
  ValueId tensor(Dims dims);  // a constant of floats
  ValueId embed(ValueId ids, std::int64_t rows, std::int64_t width);

  ValueId linear(ValueId x, std::int64_t in, std::int64_t out, bool bias = true);
  ValueId layer_norm(ValueId x, std::int64_t width);
  ValueId rms_norm(ValueId x, std::int64_t width, bool plus_one = false);
  ValueId add(ValueId a, ValueId b) { return op("Add", {a, b}); }
  ValueId mul(ValueId a, ValueId b) { return op("Mul", {a, b}); }
  ValueId matmul(ValueId a, ValueId b) { return op("MatMul", {a, b}); }
  ValueId reshape(ValueId x, Ints dims) { return op("Reshape", {x, ints(std::move(dims))}); }
  ValueId transpose(ValueId x, Ints perm);
  ValueId slice(ValueId x, std::int64_t from, std::int64_t to, std::int64_t axis,
                std::int64_t step = 1);
  ValueId concat(std::vector<ValueId> parts, std::int64_t axis = -1);
  ValueId softmax(ValueId x) { return op("Softmax", {x}, {{"axis", std::int64_t{-1}}}); }
  ValueId gelu(ValueId x);
  ValueId silu(ValueId x) { return mul(x, op("Sigmoid", {x})); }
  // [batch, sequence, heads·size] → [batch, heads, sequence, size] and back.
  ValueId split_heads(ValueId x, std::int64_t heads, std::int64_t size);
  ValueId join_heads(ValueId x, std::int64_t width);
  // x·cos + rotate(x)·sin with tables that are sliced to the sequence.
  ValueId rotary(ValueId x, std::int64_t size);
  // softmax(q·kᵀ·scale + mask)·v for [batch, heads, sequence, size].
  ValueId attend(ValueId q, ValueId k, ValueId v, float scale);
  // The feed-forward layer of BERT with its residual.
  ValueId feed_forward(ValueId x, std::int64_t width, std::int64_t hidden);

  void output(ValueId value);  // ends the graph: sorted and verified

 private:
  float seed_ = 0;
};

}  // namespace onnxpress::test
