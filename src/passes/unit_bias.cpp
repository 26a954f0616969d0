// SPDX-License-Identifier: Apache-2.0
#include "passes/unit_bias.h"

#include <vector>

namespace onnxpress {
namespace {

// Gemm multiplies its C by beta.
float bias_factor(const Graph& graph, const LinearUnit& unit) {
  const Node& product = graph.node(unit.product);
  if (unit.bias_add || !product.is("Gemm")) return 1;
  return product.attributes.get_float("beta", 1);
}

}  // namespace

bool has_own_bias(const Graph& graph, const LinearUnit& unit) {
  if (!unit.bias) return false;
  const Value& bias = graph.value(*unit.bias);
  return bias.constant && !bias.producer && bias.uses.size() == 1 && !bias.is_output &&
         !bias.is_input && bias.constant->size() == unit.out &&
         bias.constant->dtype() == DType::float32 && bias_factor(graph, unit) != 0;
}

void add_to_bias(Graph& graph, const LinearUnit& unit, std::span<const float> change) {
  const Tensor old = *graph.constant(*unit.bias);
  const auto values = old.as<float>();
  std::vector<float> sum(values.begin(), values.end());
  const float factor = bias_factor(graph, unit);
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += change[i] / factor;
  graph.set_constant(*unit.bias, Tensor::of<float>(old.dims(), std::move(sum)));
}

}  // namespace onnxpress
