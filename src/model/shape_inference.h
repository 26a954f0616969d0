// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/symbolic_shapes.h"

namespace onnxpress {

// Goes through a graph once and derives what SymbolicShapes tells. One method for each operator
// whose shape is more than that of its input; all leave the output open where something does not
// fit.
class ShapeInference {
 public:
  explicit ShapeInference(const Graph& graph)
      : graph_(graph), shapes_(graph.value_capacity()), elements_(graph.value_capacity()) {}

  using Elements = std::vector<SymbolicDim>;  // of a small integer tensor, of rank 0 or 1
  struct Result {
    std::vector<std::optional<SymbolicShape>> shapes;
    std::vector<std::optional<Elements>> elements;
  };
  Result run(std::span<const GrantedSize> granted = {});

 private:
  using Ints = std::vector<std::int64_t>;
  static constexpr std::size_t kMaxElements = 64;
  static constexpr std::size_t kMaxRank = 32;

  std::optional<SymbolicShape>& shape_of(ValueId id);
  std::optional<Elements>& elements_of(ValueId id);
  // Of an input that may be left out.
  const SymbolicShape* shape(const Node& node, std::size_t input);
  const Elements* elements(const Node& node, std::size_t input);
  // The elements, if all are numbers.
  std::optional<Ints> ints(const Node& node, std::size_t input);
  SymbolicShape declared(const Shape& shape);
  // A broken model may ask for sizes below zero: nothing is known of these.
  void drop_negative(ValueId id);
  // What the file says of a computed value fills what the rules leave open.
  void merge_declared(ValueId id);
  void set_constant(ValueId id, const Tensor& tensor);
  std::optional<std::size_t> axis_of(std::int64_t axis, std::size_t rank);
  SymbolicDim product(const SymbolicDim& a, const SymbolicDim& b);
  SymbolicDim broadcast(const SymbolicDim& a, const SymbolicDim& b);
  std::optional<SymbolicShape> broadcast(const SymbolicShape* a, const SymbolicShape* b);
  void infer(const Node& node);
  std::optional<Elements> copy(const Node& node, std::size_t input);
  SymbolicDim fresh();

  // shape_rules_layout.cpp
  void infer_reshape(const Node& node, ValueId out);
  // The size that is written as -1: what is left of the input's sizes when those that the output
  // names are taken away.
  SymbolicDim remaining(const SymbolicShape& in, const SymbolicShape& out, std::size_t open);
  void infer_transpose(const Node& node, ValueId out);
  void infer_concat(const Node& node, ValueId out);
  void infer_gather(const Node& node, ValueId out);
  static std::int64_t clamp_index(std::int64_t index, std::int64_t size);
  SymbolicDim span(const SymbolicDim& whole, const SymbolicDim& start, const SymbolicDim& end);
  void infer_slice(const Node& node, ValueId out);
  void infer_split(const Node& node);
  void infer_squeeze(const Node& node, ValueId out);
  void infer_expand(const Node& node, ValueId out);
  void infer_flatten(const Node& node, ValueId out);

  // shape_rules_arithmetic.cpp
  void infer_elementwise(const Node& node, ValueId out);
  void infer_where_elements(const Node& node, ValueId out);
  void infer_binary_elements(const Node& node, ValueId out);
  SymbolicDim combine(const Node& node, const SymbolicDim& a, const SymbolicDim& b);
  void infer_shape(const Node& node, ValueId out);
  void infer_matmul(const Node& node, ValueId out);
  void infer_gemm(const Node& node, ValueId out);
  void infer_whole_attention(const Node& node, ValueId out);
  void infer_constant_of_shape(const Node& node, ValueId out);
  // Channels only; how many places the kernel takes is left open.
  void infer_conv(const Node& node, ValueId out);
  void infer_reduce(const Node& node, ValueId out);

  const Graph& graph_;
  std::vector<std::optional<SymbolicShape>> shapes_;
  std::vector<std::optional<Elements>> elements_;
  std::map<std::string, std::int32_t> named_;
  std::int32_t symbols_ = 0;
};

}  // namespace onnxpress
