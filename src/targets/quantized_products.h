// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace onnxpress {

// What ONNX Runtime's optimizer makes of a product with codes on one side or both.
enum class ProductFate {
  integer,   // an integer operator: MatMulIntegerToFloat, QLinearMatMul, QGemm, MatMulInteger, …
  blocks,    // weights unpacked as they are multiplied: MatMulNBits
  floating,  // DequantizeLinear stays: all weights are unpacked in every run, the product is float
  fails,     // the model loads, and the product refuses to run
};

struct QuantizedProduct {
  NodeId node{};
  ProductFate fate = ProductFate::integer;
  // Of `floating` and `fails`; of `blocks` where an integer product was meant.
  std::string why{};
  // Of an integer product of UINT8 inputs (or of INT8 ones, which the optimizer makes UINT8) with a
  // constant INT8 weight: that weight, stored [out, in] where `turned`. Otherwise nullptr.
  const Tensor* int8_weight = nullptr;
  bool turned = false;
};

// In the order of the graph, those of bodies apart. Rules found by looking at the optimized graphs
// that ONNX Runtime 1.32 writes.
[[nodiscard]] std::vector<QuantizedProduct> quantized_products(const Graph& graph);

}  // namespace onnxpress
