// SPDX-License-Identifier: Apache-2.0
#include "exec/kernel_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "exec/fast/fast_kernels.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

std::string opset_reason(const NodeInfo& info, const KernelRow& row) {
  if (info.opset < row.since) return fmt::format("needs opset {} at least", row.since);
  return fmt::format("its meaning is known up to opset {}", row.until);
}

}  // namespace

std::span<const KernelRows> kernel_table() {
  static const std::vector<KernelRows> table = [] {
    const auto fast = fast_kernels();
    std::vector<KernelRows> all(fast.begin(), fast.end());
    all.insert(
        all.end(),
        {arithmetic_rows(), comparison_rows(),    unary_rows(),          activation_rows(),
         cast_rows(),       reduction_rows(),     arg_reduction_rows(),  shape_rows(),
         movement_rows(),   concat_rows(),        gather_rows(),         scatter_rows(),
         generator_rows(),  matmul_rows(),        integer_matmul_rows(), block_quantized_rows(),
         softmax_rows(),    normalization_rows(), quantization_rows(),   convolution_rows(),
         pooling_rows(),    sorting_rows()});
    return all;
  }();
  return table;
}

std::size_t fast_parts() {
  return fast_kernels().size();
}

KernelChoice choose_kernel(const NodeInfo& info, bool reference_only) {
  KernelChoice choice;
  choice.reason = "no such operator";
  const auto table = kernel_table().subspan(reference_only ? fast_parts() : 0);
  for (const KernelRows& rows : table) {
    for (const KernelRow& row : rows) {
      if (row.op_type != info.node.op_type || row.domain != info.node.domain) continue;
      if (row.needs > info.instruction_set) continue;
      if (info.opset < row.since || info.opset > row.until) {
        choice.reason = opset_reason(info, row);
        continue;
      }
      const DType type = info.type(row.type_input);
      if (type != DType::undefined && !row.types.has(type)) {
        choice.reason = fmt::format("elements of type {}", name(type));
        continue;
      }
      if (row.refuses != nullptr) {
        if (auto reason = row.refuses(info)) {
          choice.reason = std::move(*reason);
          continue;
        }
      }
      return {&row, {}};
    }
  }
  return choice;
}

DType output_type(const KernelRow& row, const NodeInfo& info, std::size_t i) {
  return row.output_type != nullptr ? row.output_type(info, i) : info.type(row.type_input);
}

}  // namespace onnxpress::exec
