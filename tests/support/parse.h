// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace onnxpress::test {

// A model from ONNX's text syntax: a whole model, or just a graph, which then gets opset 18 and IR
// version 8. Fails the program on a syntax error.
//
//   Model m = parse("g (float[n,2] x) => (float[n,3] y) <float[2,3] w = {1,2,3,4,5,6}> { y =
//   MatMul(x, w) }");
Model parse(std::string_view onnx_text);

// The same as a serialized ModelProto.
std::string parse_to_bytes(std::string_view onnx_text);

// The op types of a graph's nodes, sorted.
std::vector<std::string> op_types(const Graph& graph);

// The graph (or the model's graph) has exactly these nodes, in any order:
// EXPECT_THAT(graph, HasOps("MatMul", "Add"));
MATCHER_P(HasSortedOps, expected, "has the operators " + ::testing::PrintToString(expected)) {
  std::vector<std::string> actual;
  if constexpr (std::is_same_v<std::decay_t<arg_type>, Model>) {
    actual = op_types(arg.graph);
    *result_listener << to_text(arg.graph);
  } else {
    actual = op_types(arg);
    *result_listener << to_text(arg);
  }
  return actual == expected;
}

template <class... Ops>
auto HasOps(Ops... ops) {
  std::vector<std::string> expected{std::string(ops)...};
  std::sort(expected.begin(), expected.end());
  return HasSortedOps(expected);
}

}  // namespace onnxpress::test
