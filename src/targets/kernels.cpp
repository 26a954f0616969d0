// SPDX-License-Identifier: Apache-2.0
#include "targets/kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace onnxpress {
namespace {

constexpr std::int64_t kNewestIr = 14;
constexpr std::int64_t kNewestOpset = 28;
constexpr std::int64_t kBlocksSinceOpset = 21;
constexpr std::array<std::string_view, 6> kDomains = {
    "", "ai.onnx", "ai.onnx.ml", "com.microsoft", "ai.onnx.training", "com.microsoft.nchwc"};

using Reason = std::optional<std::string>;

DType type_of(const Graph& graph, ValueId id) {
  if (id == kNoValue) return DType::undefined;
  if (const Tensor* tensor = graph.constant(id)) return tensor->dtype();
  return graph.value(id).dtype;
}

bool is_block(std::int64_t size) {
  return size >= 16 && (size & (size - 1)) == 0;
}

Reason block_reason(std::int64_t size) {
  if (is_block(size)) return {};
  return fmt::format("blocks must be powers of two from 16 on, not {}", size);
}

Reason refuse_matmul_nbits(const Graph& graph, const Node& node) {
  const std::int64_t bits = node.attributes.get_int("bits", 4);
  if (bits != 2 && bits != 4 && bits != 8) {
    return fmt::format("there are kernels for 2, 4 and 8 bits, not for {}", bits);
  }
  if (auto reason = block_reason(node.attributes.get_int("block_size", 0))) return reason;
  const bool float_zeros = is_float(type_of(graph, node.input(3)));
  if (float_zeros && bits == 8) return "zero points must be integers where there are 8 bits";
  if (node.input(4) != kNoValue && bits == 8) return "8 bits with g_idx fail when the model runs";
  return {};
}

Reason refuse_gather_block_quantized(const Graph& graph, const Node& node) {
  const DType codes = type_of(graph, node.input(0));
  const std::int64_t bits = node.attributes.get_int("bits", 4);
  const std::int64_t gather_axis = node.attributes.get_int("gather_axis", 0);
  if (codes == DType::uint8) {
    if (bits != 2 && bits != 4 && bits != 8) {
      return fmt::format("UINT8 tables hold codes of 2, 4 or 8 bits, not {}", bits);
    }
    if (gather_axis != 0) return "rows of a UINT8 table are gathered along axis 0";
    if (node.attributes.get_int("quantize_axis", 1) == gather_axis) {
      return "blocks of a UINT8 table can't run along the axis that is gathered";
    }
  } else if ((codes == DType::int4 || codes == DType::uint4) && bits != 4) {
    return fmt::format("INT4 tables have 4 bits, not {}", bits);
  }
  if (auto reason = block_reason(node.attributes.get_int("block_size", 128))) return reason;
  if (type_of(graph, node.input(2)) == DType::bfloat16) return "scales can't be BFLOAT16";
  if (is_float(type_of(graph, node.input(3)))) return "zero points can't be floats";
  return {};
}

Reason refuse_linear(const Graph& graph, const Node& node, std::int64_t opset) {
  if (node.attributes.get_int("block_size", 0) != 0 && opset < kBlocksSinceOpset) {
    return fmt::format("block_size needs opset {}, not {}", kBlocksSinceOpset, opset);
  }
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const DType type = type_of(graph, node.input(i));
    if (type == DType::float4e2m1) return "there is no kernel for FLOAT4";
    if (type == DType::bfloat16) return "there is no kernel for BFLOAT16";
  }
  return {};
}

// Operators of a type that only some have kernels for.
struct MissingType {
  DType type;
  std::string_view name;
  std::span<const std::string_view> operators;
};
constexpr std::array<std::string_view, 20> kNoBfloat16 = {
    "Add",  "Div", "Erf",        "Exp",        "Gelu",  "Gemm",     "MatMul",
    "Mul",  "Neg", "Pow",        "Reciprocal", "Relu",  "Sigmoid",  "Softmax",
    "Sqrt", "Sub", "ReduceMean", "Tanh",       "Where", "QuickGelu"};
constexpr std::array<std::string_view, 2> kNoFloat64 = {"Erf", "Gelu"};
constexpr std::array<MissingType, 2> kMissingTypes = {
    {{DType::bfloat16, "BFLOAT16", kNoBfloat16}, {DType::float64, "DOUBLE", kNoFloat64}}};

Reason refuse_type(const Graph& graph, const Node& node) {
  for (const MissingType& row : kMissingTypes) {
    if (std::ranges::find(row.operators, node.op_type) == row.operators.end()) continue;
    const auto has_type = [&](ValueId id) { return type_of(graph, id) == row.type; };
    if (std::ranges::any_of(node.inputs, has_type) || std::ranges::any_of(node.outputs, has_type)) {
      return fmt::format("there is no kernel for {} of {}", node.op_type, row.name);
    }
  }
  return {};
}

Reason refuse(const Model& model, const Node& node) {
  const Graph& graph = model.graph;
  if (std::ranges::find(kDomains, node.domain) == kDomains.end()) {
    // A model may bring the function itself.
    if (!model.functions.empty()) return {};
    return fmt::format("no operators of domain \"{}\" are built in", node.domain);
  }
  if (node.domain == "com.microsoft") {
    if (node.op_type == "MatMulNBits") return refuse_matmul_nbits(graph, node);
    if (node.op_type == "GatherBlockQuantized") return refuse_gather_block_quantized(graph, node);
  }
  if (node.is("DequantizeLinear") || node.is("QuantizeLinear")) {
    return refuse_linear(graph, node, model.opset());
  }
  if (node.is("DynamicQuantizeLinear") && type_of(graph, node.input(0)) == DType::float16) {
    return "DynamicQuantizeLinear takes FLOAT only";
  }
  return refuse_type(graph, node);
}

}  // namespace

std::vector<TargetFinding> missing_kernels(const Model& model) {
  std::vector<TargetFinding> findings;
  if (model.ir_version > kNewestIr) {
    findings.push_back({true, "",
                        fmt::format("IR version {} is newer than ONNX Runtime 1.32 reads ({})",
                                    model.ir_version, kNewestIr)});
  }
  if (model.opset() > kNewestOpset) {
    findings.push_back({true, "",
                        fmt::format("opset {} is newer than ONNX Runtime 1.32 knows ({})",
                                    model.opset(), kNewestOpset)});
  }
  for (const NodeId id : model.graph.nodes()) {
    const Node& node = model.graph.node(id);
    auto reason = refuse(model, node);
    if (!reason) continue;
    const bool named = !node.name.empty() || node.outputs.empty();
    findings.push_back({true, named ? node.name : model.graph.value(node.outputs[0]).name,
                        fmt::format("{}: {}", node.op_type, *reason)});
  }
  return findings;
}

}  // namespace onnxpress
