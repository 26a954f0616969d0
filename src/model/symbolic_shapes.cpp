// SPDX-License-Identifier: Apache-2.0
#include "model/symbolic_shapes.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/checked.h"
#include "ir/patterns/constants.h"

namespace onnxpress {
namespace {

using Elements = std::vector<SymbolicDim>;
using Ints = std::vector<std::int64_t>;

constexpr std::size_t kMaxElements = 64;  // of integer tensors whose elements are followed
constexpr std::size_t kMaxRank = 32;

SymbolicDim known(std::int64_t size) {
  return {size, 0};
}

template <std::size_t n>
bool any_of(const Node& node, const std::array<std::string_view, n>& types) {
  return std::any_of(types.begin(), types.end(), [&](auto type) { return node.op_type == type; });
}

constexpr std::array<std::string_view, 52> kKeepsShape = {"Identity",
                                                          "Cast",
                                                          "Dropout",
                                                          "Softmax",
                                                          "LogSoftmax",
                                                          "Relu",
                                                          "Gelu",
                                                          "Tanh",
                                                          "Sigmoid",
                                                          "Erf",
                                                          "Sqrt",
                                                          "Reciprocal",
                                                          "Neg",
                                                          "Abs",
                                                          "Exp",
                                                          "Log",
                                                          "Sin",
                                                          "Cos",
                                                          "Not",
                                                          "Floor",
                                                          "Ceil",
                                                          "Round",
                                                          "Clip",
                                                          "CumSum",
                                                          "Trilu",
                                                          "Elu",
                                                          "LeakyRelu",
                                                          "Softplus",
                                                          "HardSigmoid",
                                                          "HardSwish",
                                                          "IsNaN",
                                                          "Sign",
                                                          "Swish",
                                                          "Mish",
                                                          "LayerNormalization",
                                                          "FastGelu",
                                                          "BiasGelu",
                                                          "QuickGelu",
                                                          "QuantizeLinear",
                                                          "SimplifiedLayerNormalization",
                                                          "Selu",
                                                          "Celu",
                                                          "Softsign",
                                                          "CastLike",
                                                          "RMSNormalization",
                                                          "PRelu",
                                                          "RotaryEmbedding",
                                                          "DequantizeLinear",
                                                          "DynamicQuantizeLinear",
                                                          "SkipLayerNormalization",
                                                          "BatchNormalization",
                                                          "SkipSimplifiedLayerNormalization"};
constexpr std::array<std::string_view, 19> kBroadcasts = {"Add",
                                                          "Sub",
                                                          "Mul",
                                                          "Div",
                                                          "Pow",
                                                          "Where",
                                                          "Equal",
                                                          "And",
                                                          "Or",
                                                          "Xor",
                                                          "GreaterOrEqual",
                                                          "Greater",
                                                          "LessOrEqual",
                                                          "Less",
                                                          "Max",
                                                          "Min",
                                                          "Mod",
                                                          "Sum",
                                                          "Mean"};

class Inference {
 public:
  explicit Inference(const Graph& graph)
      : graph_(graph), shapes_(graph.value_capacity()), elements_(graph.value_capacity()) {}

  std::vector<std::optional<SymbolicShape>> run() {
    for (const ValueId id : graph_.values()) {
      const Value& value = graph_.value(id);
      if (const Tensor* tensor = graph_.constant(id)) {
        set_constant(id, *tensor);
      } else if (!value.producer && value.shape) {
        shape_of(id) = declared(*value.shape);
      }
    }
    for (const NodeId id : graph_.nodes()) {
      const Node& node = graph_.node(id);
      infer(node);
      for (const ValueId output : node.outputs) merge_declared(output);
    }
    return std::move(shapes_);
  }

 private:
  std::optional<SymbolicShape>& shape_of(ValueId id) {
    return shapes_[static_cast<std::size_t>(id)];
  }
  std::optional<Elements>& elements_of(ValueId id) {
    return elements_[static_cast<std::size_t>(id)];
  }
  // Of an input that may be left out.
  const SymbolicShape* shape(const Node& node, std::size_t input) {
    const ValueId id = node.input(input);
    return id == kNoValue || !shape_of(id) ? nullptr : &*shape_of(id);
  }
  const Elements* elements(const Node& node, std::size_t input) {
    const ValueId id = node.input(input);
    return id == kNoValue || !elements_of(id) ? nullptr : &*elements_of(id);
  }
  // The elements, if all are numbers.
  std::optional<Ints> ints(const Node& node, std::size_t input) {
    const Elements* found = elements(node, input);
    if (found == nullptr) return std::nullopt;
    Ints numbers;
    for (const SymbolicDim& element : *found) {
      if (!element.known()) return std::nullopt;
      numbers.push_back(element.size);
    }
    return numbers;
  }
  SymbolicDim fresh() { return {0, ++symbols_}; }

  SymbolicShape declared(const Shape& shape) {
    SymbolicShape result;
    for (const Dim& dim : shape) {
      if (dim.known()) {
        result.push_back(known(dim.size));
      } else if (dim.symbol.empty()) {
        result.push_back(fresh());
      } else {
        const auto [at, added] = named_.try_emplace(dim.symbol, symbols_ + 1);
        if (added) ++symbols_;
        result.push_back({0, at->second});
      }
    }
    return result;
  }

  // What the file says of a computed value fills what the rules leave open.
  void merge_declared(ValueId id) {
    if (id == kNoValue || !graph_.value(id).shape) return;
    const Shape& said = *graph_.value(id).shape;
    auto& found = shape_of(id);
    if (!found) {
      found = declared(said);
    } else if (found->size() == said.size()) {
      for (std::size_t i = 0; i < said.size(); ++i) {
        if (!(*found)[i].known() && said[i].known()) (*found)[i] = known(said[i].size);
      }
    }
  }

  void set_constant(ValueId id, const Tensor& tensor) {
    SymbolicShape dims;
    for (const std::int64_t size : tensor.dims()) dims.push_back(known(size));
    shape_of(id) = std::move(dims);
    const bool small = tensor.size() <= static_cast<std::int64_t>(kMaxElements);
    const bool integer = tensor.dtype() == DType::int64 || tensor.dtype() == DType::int32;
    if (!small || !integer || tensor.rank() > 1) return;
    Elements values;
    for (const std::int64_t value : tensor.to_int64s()) values.push_back(known(value));
    elements_of(id) = std::move(values);
  }

  std::optional<std::size_t> axis_of(std::int64_t axis, std::size_t rank) {
    const auto signed_rank = static_cast<std::int64_t>(rank);
    if (axis < 0) axis += signed_rank;
    if (axis < 0 || axis >= signed_rank) return std::nullopt;
    return static_cast<std::size_t>(axis);
  }

  SymbolicDim product(const SymbolicDim& a, const SymbolicDim& b) {
    if (a.known() && b.known()) {
      const auto size = checked_mul(a.size, b.size);
      return size ? known(*size) : fresh();
    }
    if (a == known(1)) return b;
    if (b == known(1)) return a;
    return fresh();
  }

  SymbolicDim broadcast(const SymbolicDim& a, const SymbolicDim& b) {
    if (a == b || b == known(1)) return a;
    if (a == known(1)) return b;
    if (a.known()) return a;
    if (b.known()) return b;
    return fresh();
  }
  std::optional<SymbolicShape> broadcast(const SymbolicShape* a, const SymbolicShape* b) {
    if (a == nullptr || b == nullptr) return std::nullopt;
    if (a->size() < b->size()) std::swap(a, b);
    SymbolicShape result = *a;
    for (std::size_t i = 0; i < b->size(); ++i) {
      SymbolicDim& dim = result[result.size() - 1 - i];
      dim = broadcast(dim, (*b)[b->size() - 1 - i]);
    }
    return result;
  }

  void infer(const Node& node) {
    if (node.outputs.empty() || node.outputs[0] == kNoValue || node.op_type == "Constant") return;
    if (!node.domain.empty() && node.domain != "com.microsoft") return;
    const ValueId out = node.outputs[0];
    if (any_of(node, kKeepsShape)) {
      if (const SymbolicShape* in = shape(node, 0)) shape_of(out) = *in;
      if (node.op_type == "Identity" || node.op_type == "Cast") elements_of(out) = copy(node, 0);
    } else if (any_of(node, kBroadcasts)) {
      infer_elementwise(node, out);
    } else if (node.op_type == "Shape") {
      infer_shape(node, out);
    } else if (node.op_type == "Reshape") {
      infer_reshape(node, out);
    } else if (node.op_type == "Transpose") {
      infer_transpose(node, out);
    } else if (node.op_type == "MatMul" || node.op_type == "MatMulInteger" ||
               node.op_type == "FusedMatMul") {
      infer_matmul(node, out);
    } else if (node.op_type == "MatMulNBits") {
      if (const SymbolicShape* in = shape(node, 0); in != nullptr && !in->empty()) {
        shape_of(out) = *in;
        shape_of(out)->back() = known(node.attributes.get_int("N", 0));
      }
    } else if (node.op_type == "Gemm") {
      infer_gemm(node, out);
    } else if (node.op_type == "Concat") {
      infer_concat(node, out);
    } else if (node.op_type == "Gather") {
      infer_gather(node, out);
    } else if (node.op_type == "Slice") {
      infer_slice(node, out);
    } else if (node.op_type == "Split") {
      infer_split(node);
    } else if (node.op_type == "Unsqueeze" || node.op_type == "Squeeze") {
      infer_squeeze(node, out);
    } else if (node.op_type == "Expand") {
      infer_expand(node, out);
    } else if (node.op_type == "ConstantOfShape") {
      infer_constant_of_shape(node, out);
    } else if (node.op_type == "Flatten") {
      infer_flatten(node, out);
    } else if (node.op_type == "GatherElements") {
      if (const SymbolicShape* indices = shape(node, 1)) shape_of(out) = *indices;
    } else if (node.op_type == "Range") {
      shape_of(out) = SymbolicShape{fresh()};
    } else if (node.op_type == "Conv") {
      infer_conv(node, out);
    } else if (node.op_type.starts_with("Reduce")) {
      infer_reduce(node, out);
    }
  }

  std::optional<Elements> copy(const Node& node, std::size_t input) {
    const Elements* found = elements(node, input);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }

  void infer_elementwise(const Node& node, ValueId out) {
    std::optional<SymbolicShape> result;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const SymbolicShape* in = shape(node, i);
      if (in == nullptr) return;
      result = i == 0 ? *in : broadcast(&*result, in);
    }
    shape_of(out) = std::move(result);
    if (node.op_type == "Where") {
      infer_where_elements(node, out);
    } else if (node.inputs.size() == 2) {
      infer_binary_elements(node, out);
    }
  }

  void infer_where_elements(const Node& node, ValueId out) {
    const Elements* condition = elements(node, 0);
    const Elements* yes = elements(node, 1);
    const Elements* no = elements(node, 2);
    if (condition == nullptr || yes == nullptr || no == nullptr) return;
    if (condition->size() != yes->size() || yes->size() != no->size()) return;
    Elements result;
    for (std::size_t i = 0; i < yes->size(); ++i) {
      const SymbolicDim& c = (*condition)[i];
      result.push_back(!c.known() ? fresh() : (c.size != 0 ? (*yes)[i] : (*no)[i]));
    }
    elements_of(out) = std::move(result);
  }

  void infer_binary_elements(const Node& node, ValueId out) {
    const Elements* a = elements(node, 0);
    const Elements* b = elements(node, 1);
    if (a == nullptr || b == nullptr || a->empty() || b->empty()) return;
    const std::size_t count = std::max(a->size(), b->size());
    if ((a->size() != count && a->size() != 1) || (b->size() != count && b->size() != 1)) return;
    Elements result;
    for (std::size_t i = 0; i < count; ++i) {
      result.push_back(combine(node, (*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]));
    }
    elements_of(out) = std::move(result);
  }

  SymbolicDim combine(const Node& node, const SymbolicDim& a, const SymbolicDim& b) {
    if (node.is("Mul")) return product(a, b);
    if (node.is("Equal")) {
      if (a == b) return known(1);
      if (a.known() && b.known()) return known(0);
      const SymbolicDim& number = a.known() ? a : b;  // a size is never negative
      return number.known() && number.size < 0 ? known(0) : fresh();
    }
    if (node.is("Div") && b == known(1)) return a;
    if ((node.is("Add") || node.is("Sub")) && b == known(0)) return a;
    if (node.is("Add") && a == known(0)) return b;
    if (!a.known() || !b.known()) return fresh();
    std::optional<std::int64_t> result;
    if (node.is("Add")) result = checked_add(a.size, b.size);
    if (node.is("Sub") && b.size != std::numeric_limits<std::int64_t>::min()) {
      result = checked_add(a.size, -b.size);
    }
    if (node.is("Div") && b.size > 0) result = a.size / b.size;
    if (node.is("Max")) result = std::max(a.size, b.size);
    if (node.is("Min")) result = std::min(a.size, b.size);
    return result ? known(*result) : fresh();
  }

  void infer_shape(const Node& node, ValueId out) {
    const SymbolicShape* in = shape(node, 0);
    if (in == nullptr) {
      shape_of(out) = SymbolicShape{fresh()};
      return;
    }
    const auto rank = static_cast<std::int64_t>(in->size());
    std::int64_t start = node.attributes.get_int("start", 0);
    std::int64_t end = node.attributes.get_int("end", rank);
    start = std::clamp<std::int64_t>(start < 0 ? start + rank : start, 0, rank);
    end = std::clamp<std::int64_t>(end < 0 ? end + rank : end, start, rank);
    elements_of(out) = Elements(in->begin() + start, in->begin() + end);
    shape_of(out) = SymbolicShape{known(end - start)};
  }

  void infer_reshape(const Node& node, ValueId out) {
    elements_of(out) = copy(node, 0);
    const Elements* wanted = elements(node, 1);
    if (wanted == nullptr) {
      const SymbolicShape* length = shape(node, 1);  // at least the rank
      if (length != nullptr && length->size() == 1 && (*length)[0].known() &&
          (*length)[0].size <= static_cast<std::int64_t>(kMaxRank)) {
        shape_of(out) = SymbolicShape(static_cast<std::size_t>((*length)[0].size));
        for (SymbolicDim& dim : *shape_of(out)) dim = fresh();
      }
      return;
    }
    const SymbolicShape* in = shape(node, 0);
    const bool zero_copies = node.attributes.get_int("allowzero", 0) == 0;
    SymbolicShape result;
    std::optional<std::size_t> open;
    for (std::size_t i = 0; i < wanted->size(); ++i) {
      SymbolicDim dim = (*wanted)[i];
      if (dim == known(0) && zero_copies) {
        dim = in != nullptr && i < in->size() ? (*in)[i] : fresh();
      } else if (dim.known() && dim.size < 0) {
        open = i;
      }
      result.push_back(dim);
    }
    if (open) result[*open] = in == nullptr ? fresh() : remaining(*in, result, *open);
    shape_of(out) = std::move(result);
  }

  // The size that is written as -1: what is left of the input's sizes when those that the output
  // names are taken away.
  SymbolicDim remaining(const SymbolicShape& in, const SymbolicShape& out, std::size_t open) {
    Ints symbols;
    std::int64_t numerator = 1;
    std::int64_t denominator = 1;
    for (const SymbolicDim& dim : in) {
      if (!dim.known()) {
        symbols.push_back(dim.symbol);
        continue;
      }
      const auto next = checked_mul(numerator, dim.size);
      if (!next) return fresh();
      numerator = *next;
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i == open) continue;
      if (out[i].known()) {
        const auto next = checked_mul(denominator, out[i].size);
        if (!next) return fresh();
        denominator = *next;
        continue;
      }
      const auto at = std::find(symbols.begin(), symbols.end(), out[i].symbol);
      if (at == symbols.end()) return fresh();
      symbols.erase(at);
    }
    if (denominator <= 0 || numerator % denominator != 0) return fresh();
    const std::int64_t quotient = numerator / denominator;
    if (symbols.empty()) return known(quotient);
    if (symbols.size() == 1 && quotient == 1) {
      return {0, static_cast<std::int32_t>(symbols.front())};
    }
    return fresh();
  }

  void infer_transpose(const Node& node, ValueId out) {
    const SymbolicShape* in = shape(node, 0);
    if (in == nullptr) return;
    Ints perm = node.attributes.get_ints("perm");
    SymbolicShape result(in->rbegin(), in->rend());
    if (!perm.empty()) {
      if (perm.size() != in->size()) return;
      for (std::size_t i = 0; i < perm.size(); ++i) {
        const auto axis = axis_of(perm[i], in->size());
        if (!axis) return;
        result[i] = (*in)[*axis];
      }
    }
    shape_of(out) = std::move(result);
  }

  void infer_matmul(const Node& node, ValueId out) {
    const SymbolicShape* a = shape(node, 0);
    const SymbolicShape* b = shape(node, 1);
    if (a == nullptr || b == nullptr || a->size() < 2 || b->size() < 2) return;
    SymbolicShape left = *a;
    SymbolicShape right = *b;
    if (node.attributes.get_int("transA", 0) != 0) std::swap(left.back(), left.rbegin()[1]);
    if (node.attributes.get_int("transB", 0) != 0) std::swap(right.back(), right.rbegin()[1]);
    const SymbolicDim rows = left.rbegin()[1];
    const SymbolicDim columns = right.back();
    left.resize(left.size() - 2);
    right.resize(right.size() - 2);
    auto result = broadcast(&left, &right);
    result->push_back(rows);
    result->push_back(columns);
    shape_of(out) = std::move(result);
  }

  void infer_gemm(const Node& node, ValueId out) {
    const SymbolicShape* a = shape(node, 0);
    const SymbolicShape* b = shape(node, 1);
    if (b == nullptr || b->size() != 2) return;
    const bool trans_a = node.attributes.get_int("transA", 0) != 0;
    const bool trans_b = node.attributes.get_int("transB", 0) != 0;
    const SymbolicDim rows = a != nullptr && a->size() == 2 ? (*a)[trans_a ? 1 : 0] : fresh();
    shape_of(out) = SymbolicShape{rows, (*b)[trans_b ? 0 : 1]};
  }

  void infer_concat(const Node& node, ValueId out) {
    const SymbolicShape* first = shape(node, 0);
    if (first == nullptr) return;
    const auto axis = axis_of(node.attributes.get_int("axis", 0), first->size());
    if (!axis) return;
    SymbolicShape result = *first;
    std::optional<Elements> joined = Elements{};
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const SymbolicShape* in = shape(node, i);
      if (in == nullptr || in->size() != result.size()) return;
      if (i > 0) {
        const SymbolicDim& a = result[*axis];
        const SymbolicDim& b = (*in)[*axis];
        const auto sum = a.known() && b.known() ? checked_add(a.size, b.size) : std::nullopt;
        result[*axis] = sum ? known(*sum) : fresh();
      }
      const Elements* part = elements(node, i);
      // Unknown elements of known number keep the places of the others.
      if (part != nullptr && joined) {
        joined->insert(joined->end(), part->begin(), part->end());
      } else if (joined && in->size() == 1 && (*in)[0].known() && (*in)[0].size >= 0 &&
                 (*in)[0].size <= static_cast<std::int64_t>(kMaxElements)) {
        for (std::int64_t k = 0; k < (*in)[0].size; ++k) joined->push_back(fresh());
      } else {
        joined.reset();
      }
    }
    if (joined && result.size() == 1 && joined->size() <= kMaxElements) {
      elements_of(out) = std::move(joined);
    }
    shape_of(out) = std::move(result);
  }

  void infer_gather(const Node& node, ValueId out) {
    const SymbolicShape* in = shape(node, 0);
    const SymbolicShape* indices = shape(node, 1);
    if (in == nullptr || indices == nullptr) return;
    const auto axis = axis_of(node.attributes.get_int("axis", 0), in->size());
    if (!axis || in->size() + indices->size() > kMaxRank) return;
    SymbolicShape result(in->begin(), in->begin() + static_cast<std::ptrdiff_t>(*axis));
    result.insert(result.end(), indices->begin(), indices->end());
    result.insert(result.end(), in->begin() + static_cast<std::ptrdiff_t>(*axis) + 1, in->end());
    shape_of(out) = std::move(result);
    const Elements* from = elements(node, 0);
    const auto at = ints(node, 1);
    if (from == nullptr || !at || in->size() != 1) return;
    Elements picked;
    for (const std::int64_t index : *at) {
      const auto i = axis_of(index, from->size());
      if (!i) return;
      picked.push_back((*from)[*i]);
    }
    elements_of(out) = std::move(picked);
  }

  void infer_slice(const Node& node, ValueId out) {
    const SymbolicShape* in = shape(node, 0);
    if (in == nullptr) return;
    SymbolicShape result = *in;
    std::optional<Elements> kept = copy(node, 0);
    const bool by_attribute = node.inputs.size() == 1;
    const auto read = [&](std::size_t input,
                          std::string_view attribute) -> std::optional<Elements> {
      if (!by_attribute) return copy(node, input);
      Elements values;
      for (const std::int64_t v : node.attributes.get_ints(attribute)) values.push_back(known(v));
      return values;
    };
    const auto starts = read(1, "starts");
    const auto ends = read(2, "ends");
    const auto axes = read(3, "axes");
    const auto steps = by_attribute ? std::nullopt : copy(node, 4);
    const bool axes_given = by_attribute ? !axes->empty() : node.input(3) != kNoValue;
    if (axes_given && !axes) return;
    const std::size_t count = axes_given ? axes->size() : (starts ? starts->size() : in->size());
    for (std::size_t i = 0; i < count; ++i) {
      const SymbolicDim which = axes_given ? (*axes)[i] : known(static_cast<std::int64_t>(i));
      if (!which.known()) return;
      const auto axis = axis_of(which.size, in->size());
      if (!axis) return;
      const bool stepped = steps ? i >= steps->size() || (*steps)[i] != known(1)
                                 : !by_attribute && node.input(4) != kNoValue;
      const bool bounded = starts && ends && i < starts->size() && i < ends->size() && !stepped;
      const SymbolicDim whole = (*in)[*axis];
      result[*axis] = bounded ? span(whole, (*starts)[i], (*ends)[i]) : fresh();
      if (kept && bounded && (*starts)[i].known() && (*ends)[i].known()) {
        const auto size = static_cast<std::int64_t>(kept->size());
        const std::int64_t from = clamp_index((*starts)[i].size, size);
        const std::int64_t to = std::max(from, clamp_index((*ends)[i].size, size));
        *kept = Elements(kept->begin() + from, kept->begin() + to);
      } else {
        kept.reset();
      }
    }
    elements_of(out) = std::move(kept);
    shape_of(out) = std::move(result);
  }

  static std::int64_t clamp_index(std::int64_t index, std::int64_t size) {
    if (index < 0) index = index < -size ? 0 : index + size;
    return std::clamp<std::int64_t>(index, 0, size);
  }

  SymbolicDim span(const SymbolicDim& whole, const SymbolicDim& start, const SymbolicDim& end) {
    if (start.known() && end.known() && whole.known()) {
      const std::int64_t from = clamp_index(start.size, whole.size);
      return known(std::max<std::int64_t>(0, clamp_index(end.size, whole.size) - from));
    }
    const bool to_end = end.known() && end.size >= std::numeric_limits<std::int32_t>::max();
    if (start == known(0) && (to_end || end == whole)) return whole;
    if (start == known(0) && !end.known()) return end;
    return fresh();
  }

  void infer_split(const Node& node) {
    const SymbolicShape* in = shape(node, 0);
    if (in == nullptr) return;
    const auto axis = axis_of(node.attributes.get_int("axis", 0), in->size());
    if (!axis) return;
    auto sizes = ints(node, 1);
    if (!sizes && node.attributes.has("split")) sizes = node.attributes.get_ints("split");
    const SymbolicShape whole = *in;
    const auto parts = static_cast<std::int64_t>(node.outputs.size());
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      SymbolicShape part = whole;
      if (sizes) {
        part[*axis] = i < sizes->size() ? known((*sizes)[i]) : fresh();
      } else if (whole[*axis].known() && whole[*axis].size % parts == 0) {
        part[*axis] = known(whole[*axis].size / parts);
      } else {
        part[*axis] = fresh();
      }
      shape_of(node.outputs[i]) = std::move(part);
    }
  }

  void infer_squeeze(const Node& node, ValueId out) {
    elements_of(out) = copy(node, 0);
    const SymbolicShape* in = shape(node, 0);
    if (in == nullptr) return;
    auto axes = ints(node, 1);
    if (!axes && node.attributes.has("axes")) axes = node.attributes.get_ints("axes");
    const bool adds = node.is("Unsqueeze");
    if (!axes && (adds || node.input(1) != kNoValue)) return;
    if (adds && in->size() + axes->size() > kMaxRank) return;
    std::vector<bool> marked(in->size() + (adds ? axes->size() : 0));
    if (axes) {
      for (const std::int64_t a : *axes) {
        const auto axis = axis_of(a, marked.size());
        if (!axis) return;
        marked[*axis] = true;
      }
    } else {
      for (std::size_t i = 0; i < in->size(); ++i) marked[i] = (*in)[i] == known(1);
    }
    SymbolicShape result;
    std::size_t next = 0;
    for (const bool mark : marked) {
      if (adds) {
        if (!mark && next >= in->size()) return;
        result.push_back(mark ? known(1) : (*in)[next++]);
      } else {
        if (!mark) result.push_back((*in)[next]);
        ++next;
      }
    }
    shape_of(out) = std::move(result);
  }

  void infer_expand(const Node& node, ValueId out) {
    const SymbolicShape* in = shape(node, 0);
    const Elements* wanted = elements(node, 1);
    if (in == nullptr || wanted == nullptr || wanted->size() > kMaxRank) return;
    shape_of(out) = broadcast(in, wanted);
  }

  void infer_constant_of_shape(const Node& node, ValueId out) {
    const Elements* dims = elements(node, 0);
    if (dims == nullptr || dims->size() > kMaxRank) return;
    shape_of(out) = *dims;
    const Tensor* fill = node.attributes.get_tensor("value");
    const bool integer = fill != nullptr && is_integer(fill->dtype()) && fill->size() == 1;
    if (!integer || dims->size() != 1 || !(*dims)[0].known()) return;
    const std::int64_t count = (*dims)[0].size;
    if (count < 0 || count > static_cast<std::int64_t>(kMaxElements)) return;
    elements_of(out) = Elements(static_cast<std::size_t>(count), known(fill->to_int64s()[0]));
  }

  void infer_flatten(const Node& node, ValueId out) {
    const SymbolicShape* in = shape(node, 0);
    if (in == nullptr) return;
    const std::int64_t given = node.attributes.get_int("axis", 1);
    const auto rank = static_cast<std::int64_t>(in->size());
    const std::int64_t axis = given < 0 ? given + rank : given;
    if (axis < 0 || axis > rank) return;
    SymbolicShape result = {known(1), known(1)};
    for (std::int64_t i = 0; i < rank; ++i) {
      SymbolicDim& side = result[i < axis ? 0 : 1];
      side = product(side, (*in)[static_cast<std::size_t>(i)]);
    }
    shape_of(out) = std::move(result);
  }

  // Channels only; how many places the kernel takes is left open.
  void infer_conv(const Node& node, ValueId out) {
    const SymbolicShape* in = shape(node, 0);
    const SymbolicShape* kernel = shape(node, 1);
    if (kernel == nullptr || kernel->size() < 2) return;
    SymbolicShape result;
    for (std::size_t i = 0; i < kernel->size(); ++i) result.push_back(fresh());
    if (in != nullptr && in->size() == kernel->size()) result[0] = (*in)[0];
    result[1] = (*kernel)[0];
    shape_of(out) = std::move(result);
  }

  void infer_reduce(const Node& node, ValueId out) {
    const SymbolicShape* in = shape(node, 0);
    if (in == nullptr) return;
    auto axes = ints(node, 1);
    if (!axes && node.attributes.has("axes")) axes = node.attributes.get_ints("axes");
    if (!axes) return;
    std::vector<bool> reduced(in->size());
    for (const std::int64_t a : *axes) {
      const auto axis = axis_of(a, in->size());
      if (!axis) return;
      reduced[*axis] = true;
    }
    const bool keep = node.attributes.get_int("keepdims", 1) != 0;
    SymbolicShape result;
    for (std::size_t i = 0; i < in->size(); ++i) {
      if (!reduced[i]) result.push_back((*in)[i]);
      if (reduced[i] && keep) result.push_back(known(1));
    }
    shape_of(out) = std::move(result);
  }

  const Graph& graph_;
  std::vector<std::optional<SymbolicShape>> shapes_;
  std::vector<std::optional<Elements>> elements_;
  std::map<std::string, std::int32_t> named_;
  std::int32_t symbols_ = 0;
};

}  // namespace

SymbolicShapes::SymbolicShapes(const Graph& graph) : shapes_(Inference(graph).run()) {}

const SymbolicShape* SymbolicShapes::shape(ValueId value) const {
  if (value == kNoValue) return nullptr;
  const auto& found = shapes_[static_cast<std::size_t>(value)];
  return found ? &*found : nullptr;
}

std::int64_t SymbolicShapes::size(ValueId value, std::int64_t axis) const {
  const SymbolicShape* found = shape(value);
  if (found == nullptr) return -1;
  if (axis < 0) axis += static_cast<std::int64_t>(found->size());
  if (axis < 0 || axis >= static_cast<std::int64_t>(found->size())) return -1;
  const SymbolicDim& dim = (*found)[static_cast<std::size_t>(axis)];
  return dim.known() ? dim.size : -1;
}

}  // namespace onnxpress
