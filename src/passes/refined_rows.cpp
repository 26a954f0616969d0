// SPDX-License-Identifier: Apache-2.0
#include "passes/refined_rows.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>

namespace onnxpress {
namespace {

// The input whose elements, under whatever sizes, are the indices; "" if there is none.
std::string input_behind(const Graph& graph, ValueId indices) {
  constexpr int kMaxSteps = 16;
  for (int step = 0; step < kMaxSteps && indices != kNoValue; ++step) {
    if (graph.value(indices).is_input) return graph.value(indices).name;
    const Node* node = graph.producer(indices);
    if (node == nullptr) return "";
    const bool moves = node->is("Cast") || node->is("Identity") || node->is("Reshape") ||
                       node->is("Squeeze") || node->is("Unsqueeze") || node->is("Flatten");
    indices = moves ? node->input(0) : kNoValue;
  }
  return "";
}

void add_uses(const Tensor& tensor, std::vector<std::int64_t>& counts) {
  const auto rows = static_cast<std::int64_t>(counts.size());
  const auto add = [&](auto indices) {
    for (const std::int64_t index : indices) {
      const std::int64_t row = index < 0 ? index + rows : index;
      if (row >= 0 && row < rows) ++counts[static_cast<std::size_t>(row)];
    }
  };
  if (tensor.dtype() == DType::int64) add(tensor.as<std::int64_t>());
  if (tensor.dtype() == DType::int32) add(tensor.as<std::int32_t>());
}

}  // namespace

std::vector<std::int64_t> rows_to_refine(const Embedding& embedding, const Graph& graph,
                                         const Calibration* calibration, std::int64_t count) {
  std::vector<std::int64_t> uses(static_cast<std::size_t>(embedding.rows));
  std::set<std::string> names;
  for (const NodeId id : embedding.gathers) {
    const std::string name = input_behind(graph, graph.node(id).input(1));
    if (!name.empty()) names.insert(name);
  }
  const bool counted = calibration != nullptr && calibration->set && count > 0 && !names.empty();
  const std::size_t batches = counted ? calibration->set->batches() : 0;
  for (std::size_t i = 0; i < batches; ++i) {
    const Batch batch = calibration->set->batch(i);
    for (const std::string& name : names) {
      if (batch.inputs.contains(name)) add_uses(batch.inputs.at(name), uses);
    }
  }
  std::vector<std::int64_t> rows(uses.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::ranges::stable_sort(rows, [&](std::int64_t a, std::int64_t b) {
    return uses[static_cast<std::size_t>(a)] > uses[static_cast<std::size_t>(b)];
  });
  rows.resize(static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, embedding.rows)));
  std::ranges::sort(rows);
  return rows;
}

}  // namespace onnxpress
