// SPDX-License-Identifier: Apache-2.0
#include "targets/quantized_products.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "model/symbolic_shapes.h"

namespace onnxpress {
namespace {

// A product's operand that comes out of a DequantizeLinear.
struct Dequantized {
  const Node* node = nullptr;     // the DequantizeLinear; nullptr: the operand is none
  const Tensor* codes = nullptr;  // where they are constant
  DType type = DType::undefined;  // of the codes
  std::int64_t scales = 1;        // how many
  std::int64_t axis = 0;          // of the stored codes, where there are several
  std::int64_t block = 0;         // 0: no blocks
  DType float_type = DType::undefined;
  bool turned = false;  // a Transpose of a matrix stands between
  bool shared = false;  // others read what it gives, too
  bool has_zero_point = false;
  explicit operator bool() const { return node != nullptr; }
};

bool has_several_readers(const Graph& graph, ValueId id) {
  return graph.value(id).uses.size() > 1 || graph.value(id).is_output;
}

DType codes_type(const Graph& graph, const Node& dequantize) {
  for (const std::size_t input : {0U, 2U}) {
    const ValueId id = dequantize.input(input);
    if (id == kNoValue) continue;
    if (const Tensor* tensor = graph.constant(id)) return tensor->dtype();
    if (graph.value(id).dtype != DType::undefined) return graph.value(id).dtype;
  }
  const Node* quantize = graph.producer(dequantize.input(0));
  if (quantize != nullptr && quantize->is("QuantizeLinear")) {
    const Tensor* zero = graph.constant(quantize->input(2));
    return zero != nullptr ? zero->dtype() : DType::uint8;
  }
  return DType::undefined;
}

Dequantized dequantized(const Graph& graph, ValueId operand) {
  Dequantized result;
  const Node* node = graph.producer(operand);
  if (node == nullptr) return result;
  result.shared = has_several_readers(graph, operand);
  if (node->is("Transpose")) {
    const Node* behind = graph.producer(node->input(0));
    if (behind == nullptr) return result;
    result.turned = true;
    result.shared = result.shared || has_several_readers(graph, node->input(0));
    node = behind;
  }
  if (!node->is("DequantizeLinear")) return {};
  result.node = node;
  result.codes = graph.constant(node->input(0));
  result.type = codes_type(graph, *node);
  result.block = node->attributes.get_int("block_size", 0);
  result.axis = node->attributes.get_int("axis", 1);
  result.has_zero_point = node->input(2) != kNoValue;
  if (result.codes != nullptr && result.axis < 0) result.axis += result.codes->rank();
  if (const Tensor* scale = graph.constant(node->input(1))) {
    result.scales = scale->size();
    result.float_type = scale->dtype();
  }
  return result;
}

bool is_byte(DType type) {
  return type == DType::uint8 || type == DType::int8;
}

// The arithmetic between a DequantizeLinear and what reads its numbers; nullptr where there is
// none.
const Node* arithmetic_between(const Graph& graph, ValueId operand) {
  static constexpr std::array<std::string_view, 5> kArithmetic = {"Mul", "Div", "Add", "Sub",
                                                                  "Cast"};
  const Node* node = graph.producer(operand);
  if (node == nullptr || !node->domain.empty()) return nullptr;
  if (std::ranges::find(kArithmetic, node->op_type) == kArithmetic.end()) return nullptr;
  const bool from_codes = std::ranges::any_of(node->inputs, [&](ValueId input) {
    const Node* before = graph.producer(input);
    return before != nullptr && before->is("DequantizeLinear");
  });
  return from_codes ? node : nullptr;
}

class Judge {
 public:
  explicit Judge(const Graph& graph) : graph_(graph), shapes_(graph) {}

  std::optional<QuantizedProduct> judge(NodeId id) const {
    const Node& node = graph_.node(id);
    if (node.is("MatMul") || node.is("Gemm")) return judge_floating(id);
    // Codes in, integers inside.
    for (const auto& [type, domain, weight] : kIntegerProducts) {
      if (node.op_type != type || node.domain != domain) continue;
      QuantizedProduct product{.node = id};
      const Tensor* codes = graph_.constant(node.input(weight));
      bool turned = false;
      const Node* transpose = graph_.producer(node.input(weight));
      if (transpose != nullptr && transpose->is("Transpose")) {
        codes = graph_.constant(transpose->input(0));
        turned = true;
      }
      const bool unsigned_input = !is_signed(node.input(0));
      if (codes != nullptr && codes->dtype() == DType::int8 && unsigned_input) {
        product.int8_weight = codes;
        product.turned = turned;
      }
      return product;
    }
    return {};
  }

 private:
  struct IntegerProduct {
    std::string_view type, domain;
    std::size_t weight;  // the input that it is
  };
  static constexpr std::array<IntegerProduct, 5> kIntegerProducts{{
      {"MatMulInteger", "", 1},
      {"QLinearMatMul", "", 3},
      {"MatMulIntegerToFloat", "com.microsoft", 1},
      {"DynamicQuantizeMatMul", "com.microsoft", 1},
      {"QGemm", "com.microsoft", 3},
  }};

  [[nodiscard]] bool is_signed(ValueId codes) const {
    return graph_.value(codes).dtype == DType::int8;
  }

  [[nodiscard]] std::optional<QuantizedProduct> judge_floating(NodeId id) const {
    const Node& node = graph_.node(id);
    const Dequantized x = dequantized(graph_, node.input(0));
    const Dequantized w = dequantized(graph_, node.input(1));
    QuantizedProduct product{.node = id};
    const Node* between = arithmetic_between(graph_, node.input(w ? 0 : 1));
    if (between != nullptr) {
      product.why = between->op_type + " stands between DequantizeLinear and the product";
    }
    if (!w && between != nullptr) {
      product.fate = ProductFate::floating;
      return product;
    }
    if (!w || x.turned) return {};
    if (!x) return weight_only(node, w, std::move(product));
    const bool turned = w.turned != (node.is("Gemm") && node.attributes.get_int("transB", 0) != 0);
    product.turned = turned;
    if (std::string why = why_floating(id, x, w); !why.empty()) {
      product.fate = ProductFate::floating;
      product.why = std::move(why);
    } else if (why = why_failing(x, w, turned); !why.empty()) {
      product.fate = ProductFate::fails;
      product.why = std::move(why);
    } else if (w.codes != nullptr && w.type == DType::int8) {
      product.int8_weight = w.codes;
    }
    return product;
  }

  [[nodiscard]] static QuantizedProduct weight_only(const Node& node, const Dequantized& w,
                                                    QuantizedProduct product) {
    product.fate = ProductFate::blocks;
    const auto stays = [&](std::string why) {
      product.fate = ProductFate::floating;
      product.why = std::move(why);
      return product;
    };
    const int width = bits(w.type);
    if (!is_integer(w.type) || width > 8) {
      return stays("there are kernels for integer weights of up to 8 bits only");
    }
    if (node.is("Gemm")) return stays("Gemm is not matched, only MatMul");
    if (w.turned) return stays("a Transpose stands between DequantizeLinear and MatMul");
    if (w.shared) return stays("others read the dequantized weight, too");
    if (w.codes == nullptr) return stays("the codes are no constant");
    if (w.block != 0 && (w.axis != 0 || w.block < 16 || (w.block & (w.block - 1)) != 0)) {
      return stays("blocks must be powers of two from 16 on, along the inputs");
    }
    if (w.block == 0 && w.scales > 1 && w.axis != 1)
      return stays("there is a scale for each input");
    return product;
  }

  // Why the optimizer leaves the product as it is.
  [[nodiscard]] std::string why_floating(NodeId id, const Dequantized& x,
                                         const Dequantized& w) const {
    if (!is_byte(x.type)) return "the input's codes are not of 8 bits";
    if (!is_byte(w.type)) return "the weight's codes are not of 8 bits";
    if (x.float_type == DType::float16 || w.float_type == DType::float16) {
      return "the scales are FLOAT16";
    }
    const Node* quantize = graph_.producer(x.node->input(0));
    if (x.type == DType::int8 && quantize != nullptr && quantize->is("QuantizeLinear")) {
      const Tensor* scale = graph_.constant(quantize->input(1));
      if (scale != nullptr && scale->size() > 1) {
        return "the input is INT8 with a scale for each channel: only UINT8 is matched then";
      }
    }
    const Node& node = graph_.node(id);
    if (node.is("Gemm")) return why_no_integer_gemm(node, node.input(2), node.outputs[0], x, w);
    if (const Node* add = becomes_gemm(node)) {
      const ValueId bias = add->input(add->input(0) == node.outputs[0] ? 1 : 0);
      return why_no_integer_gemm(node, bias, add->outputs[0], x, w);
    }
    return {};
  }

  // The Add that the optimizer makes one Gemm with: of a product of matrices and a vector.
  [[nodiscard]] const Node* becomes_gemm(const Node& product) const {
    const SymbolicShape* input = shapes_.shape(product.input(0));
    const auto reader = graph_.single_user(product.outputs[0]);
    if (input == nullptr || input->size() != 2 || !reader) return nullptr;
    const Node& add = graph_.node(*reader);
    if (!add.is("Add")) return nullptr;
    const ValueId bias = add.input(add.input(0) == product.outputs[0] ? 1 : 0);
    const SymbolicShape* shape = shapes_.shape(bias);
    if (shape == nullptr || shape->empty() || shape->size() > 2) return nullptr;
    return shape->back() == known(1) ? nullptr : &add;
  }

  [[nodiscard]] std::string why_no_integer_gemm(const Node& node, ValueId bias, ValueId output,
                                                const Dequantized& x, const Dequantized& w) const {
    if (!x.has_zero_point || !w.has_zero_point) {
      return "Gemm, and MatMul with Add of rank 2, need zero points on both sides";
    }
    const bool transposed = node.is("Gemm") && node.attributes.get_int("transB", 0) != 0;
    if (w.scales > 1 && w.axis != (transposed ? 0 : 1)) return "there is a scale for each input";
    if (bias == kNoValue) return {};
    const Node* dequantize = graph_.producer(bias);
    const bool integer = dequantize != nullptr && dequantize->is("DequantizeLinear") &&
                         codes_type(graph_, *dequantize) == DType::int32;
    const auto reader = graph_.single_user(output);
    const bool quantized = reader && graph_.node(*reader).is("QuantizeLinear");
    if (!integer && !quantized)
      return "Gemm, and MatMul with Add of rank 2, need a bias of INT32 codes";
    if (node.is("Gemm") &&
        (node.attributes.get_float("alpha", 1) != 1 || node.attributes.get_float("beta", 1) != 1)) {
      return "a Gemm with alpha or beta is not matched";
    }
    return {};
  }

  // Why the integer operator that it becomes refuses to run.
  [[nodiscard]] static std::string why_failing(const Dequantized& x, const Dequantized& w,
                                               bool turned) {
    constexpr std::string_view kOne = "integer products take one scale for the whole input";
    if (x.block != 0 || x.scales > 1) return std::string(kOne);
    if (w.block != 0) return "integer products take no blocks of weights";
    if (w.codes != nullptr && w.codes->rank() == 2 && w.scales > 1 && w.axis != (turned ? 0 : 1)) {
      return "integer products take no scale for each input of the weight";
    }
    return {};
  }

  const Graph& graph_;
  SymbolicShapes shapes_;
};

}  // namespace

std::vector<QuantizedProduct> quantized_products(const Graph& graph) {
  const Judge judge(graph);
  std::vector<QuantizedProduct> products;
  for (const NodeId id : graph.nodes()) {
    if (auto product = judge.judge(id)) products.push_back(std::move(*product));
  }
  return products;
}

}  // namespace onnxpress
