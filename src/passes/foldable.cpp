// SPDX-License-Identifier: Apache-2.0
#include "passes/foldable.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "base/checked.h"
#include "exec/session.h"
#include "onnxpress/error.h"

namespace onnxpress {
namespace {

enum class Growth {
  none,       // no larger than the largest input
  broadcast,  // all inputs stretched over each other
  shape,      // input 0 stretched to the sizes that the last input holds
  repeats,    // input 0 repeated as often as input 1 says
  range,
  gather,
  sum,      // as large as all inputs together
  indices,  // NonZero: eight bytes for each axis and element
};

enum class Exact {
  always,   // copies elements, or computes integers or truth values
  integer,  // where the inputs are integers or truth values
  ieee,     // also for float32: one operation that IEEE 754 fixes to the bit
};

struct Rule {
  std::string_view op_type;
  Growth growth;
  Exact exact;
};

constexpr std::array kRules{
    Rule{"Identity", Growth::none, Exact::always},
    Rule{"Reshape", Growth::none, Exact::always},
    Rule{"Flatten", Growth::none, Exact::always},
    Rule{"Squeeze", Growth::none, Exact::always},
    Rule{"Unsqueeze", Growth::none, Exact::always},
    Rule{"Transpose", Growth::none, Exact::always},
    Rule{"Slice", Growth::none, Exact::always},
    Rule{"Split", Growth::none, Exact::always},
    Rule{"Trilu", Growth::none, Exact::always},
    Rule{"Shape", Growth::none, Exact::always},
    Rule{"Size", Growth::none, Exact::always},
    Rule{"Cast", Growth::none, Exact::integer},
    Rule{"Concat", Growth::sum, Exact::always},
    Rule{"Gather", Growth::gather, Exact::always},
    Rule{"Expand", Growth::shape, Exact::always},
    Rule{"ConstantOfShape", Growth::shape, Exact::always},
    Rule{"Tile", Growth::repeats, Exact::always},
    Rule{"Range", Growth::range, Exact::integer},
    Rule{"Where", Growth::broadcast, Exact::always},
    Rule{"Equal", Growth::broadcast, Exact::always},
    Rule{"Greater", Growth::broadcast, Exact::always},
    Rule{"GreaterOrEqual", Growth::broadcast, Exact::always},
    Rule{"Less", Growth::broadcast, Exact::always},
    Rule{"LessOrEqual", Growth::broadcast, Exact::always},
    Rule{"And", Growth::broadcast, Exact::always},
    Rule{"Or", Growth::broadcast, Exact::always},
    Rule{"Xor", Growth::broadcast, Exact::always},
    Rule{"Not", Growth::none, Exact::always},
    Rule{"Add", Growth::broadcast, Exact::ieee},
    Rule{"Sub", Growth::broadcast, Exact::ieee},
    Rule{"Mul", Growth::broadcast, Exact::ieee},
    Rule{"Div", Growth::broadcast, Exact::ieee},
    Rule{"Sqrt", Growth::none, Exact::ieee},
    Rule{"Neg", Growth::none, Exact::ieee},
    Rule{"Abs", Growth::none, Exact::ieee},
    Rule{"Min", Growth::broadcast, Exact::integer},
    Rule{"Max", Growth::broadcast, Exact::integer},
    Rule{"ReduceProd", Growth::none, Exact::integer},
    Rule{"ReduceSum", Growth::none, Exact::integer},
    Rule{"ReduceMax", Growth::none, Exact::integer},
    Rule{"ReduceMin", Growth::none, Exact::integer},
    Rule{"CumSum", Growth::none, Exact::integer},
    Rule{"NonZero", Growth::indices, Exact::always},
};

using Inputs = std::vector<const Tensor*>;  // nullptr where left out

std::optional<std::int64_t> product(const std::vector<std::int64_t>& sizes) {
  std::int64_t total = 1;
  for (const std::int64_t size : sizes) {
    const auto next = checked_mul(total, std::max<std::int64_t>(size, 0));
    if (!next) return std::nullopt;
    total = *next;
  }
  return total;
}

// The dims of `shape` with those of `dims` stretched to them, from the last axis on.
void stretch(Dims& shape, const Dims& dims) {
  if (dims.size() > shape.size()) shape.insert(shape.begin(), dims.size() - shape.size(), 1);
  for (std::size_t i = 0; i < dims.size(); ++i) {
    std::int64_t& size = shape[shape.size() - 1 - i];
    size = std::max(size, dims[dims.size() - 1 - i]);
  }
}

std::optional<std::int64_t> range_count(const Inputs& inputs) {
  if (inputs.size() != 3) return std::nullopt;
  std::array<double, 3> v{};  // start, limit, step
  for (std::size_t i = 0; i < 3; ++i) {
    if (inputs[i] == nullptr || inputs[i]->size() != 1) return std::nullopt;
    v[i] = inputs[i]->to_doubles()[0];
  }
  const double count = std::ceil((v[1] - v[0]) / v[2]);
  if (!(count < 1e12)) return std::nullopt;  // also for NaN
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(count));
}

// Elements of all outputs together, at most.
std::optional<std::int64_t> elements(Growth growth, const Inputs& inputs) {
  std::int64_t largest = 1;
  std::int64_t sum = 0;
  for (const Tensor* input : inputs) {
    if (input == nullptr) continue;
    largest = std::max(largest, input->size());
    sum += input->size();
  }
  const Tensor* first = inputs.empty() ? nullptr : inputs[0];
  const Tensor* last = inputs.empty() ? nullptr : inputs.back();
  switch (growth) {
    case Growth::none:
      return largest + 16;  // Shape of a scalar, sizes of Split
    case Growth::sum:
      return sum;
    case Growth::broadcast: {
      Dims shape;
      for (const Tensor* input : inputs) {
        if (input != nullptr) stretch(shape, input->dims());
      }
      return product(shape);
    }
    case Growth::shape: {
      if (first == nullptr || last->dtype() != DType::int64) return std::nullopt;
      Dims shape = last->to_int64s();
      if (inputs.size() > 1) stretch(shape, first->dims());
      return product(shape);
    }
    case Growth::repeats: {
      if (inputs.size() != 2 || first == nullptr || last->dtype() != DType::int64) {
        return std::nullopt;
      }
      const auto times = product(last->to_int64s());
      return times ? checked_mul(*times, first->size()) : std::nullopt;
    }
    case Growth::range:
      return range_count(inputs);
    case Growth::gather: {
      if (inputs.size() != 2 || first == nullptr || last == nullptr) return std::nullopt;
      // One index takes at most a whole slice, which is less than all unless there is one only.
      return checked_mul(first->size(), std::max<std::int64_t>(1, last->size()));
    }
    case Growth::indices:
      return first == nullptr ? std::nullopt
                              : checked_mul(first->size(), std::max(1, first->rank()));
  }
  return std::nullopt;
}

bool integer_or_bool(DType type) {
  return is_integer(type) || type == DType::boolean;
}

bool is_exact(const Rule& rule, const Node& node, const Inputs& inputs) {
  if (rule.exact == Exact::always || inputs.empty() || inputs[0] == nullptr) return true;
  const DType type = inputs[0]->dtype();
  if (node.is("Cast")) {
    // Integers and truth values convert the same way everywhere; so does float16 to wider types,
    // but tensors of float16 behind a Cast are how small files keep them.
    const auto to = static_cast<DType>(node.attributes.get_int("to", 0));
    if (type == DType::float16) return to == DType::float32 && inputs[0]->size() == 1;
    return integer_or_bool(type) && (integer_or_bool(to) || to == DType::float32);
  }
  if (rule.exact == Exact::ieee && type == DType::float32) return true;
  if (!integer_or_bool(type)) return false;
  if (!node.is("Div")) return true;
  if (inputs.size() < 2 || inputs[1] == nullptr) return false;
  const auto divisors = inputs[1]->to_int64s();
  return std::ranges::none_of(divisors, [](std::int64_t d) { return d == 0 || d == -1; });
}

}  // namespace

std::optional<std::int64_t> foldable_bytes(const Graph& graph, const Node& node) {
  if (!node.domain.empty() || !node.captures.empty() || node.inputs.empty()) return std::nullopt;
  const auto* rule = std::ranges::find(kRules, std::string_view(node.op_type), &Rule::op_type);
  if (rule == kRules.end()) return std::nullopt;
  Inputs inputs;
  for (const ValueId id : node.inputs) {
    const Tensor* tensor = graph.constant(id);
    if (id != kNoValue && (tensor == nullptr || bits(tensor->dtype()) < 8)) return std::nullopt;
    inputs.push_back(tensor);
  }
  for (const ValueId id : node.outputs) {
    if (id != kNoValue && graph.value(id).is_output) return std::nullopt;
  }
  if (!is_exact(*rule, node, inputs)) return std::nullopt;
  const auto count = elements(rule->growth, inputs);
  return count ? checked_mul(*count, 8) : std::nullopt;
}

std::optional<std::vector<Tensor>> evaluate(const Model& model, const Node& node) {
  Model single;
  single.ir_version = model.ir_version;
  single.opsets = model.opsets;
  Node copy = node;
  for (ValueId& id : copy.inputs) {
    if (id != kNoValue) id = single.graph.add_constant("in", *model.graph.constant(id));
  }
  std::vector<std::string> names;
  for (ValueId& id : copy.outputs) {
    if (id != kNoValue) id = single.graph.add_value("out");
    names.push_back(id == kNoValue ? "" : single.graph.value(id).name);
  }
  const std::vector<ValueId> outputs = copy.outputs;
  single.graph.add_node(std::move(copy));
  for (const ValueId id : outputs) {
    if (id != kNoValue) single.graph.add_output(id);
  }
  try {
    SessionOptions options;
    options.threads = 1;
    options.reference_kernels = true;
    const TensorMap results = Session(single, options).run({});
    std::vector<Tensor> tensors;
    for (const std::string& name : names) {
      tensors.push_back(name.empty() ? Tensor() : results.at(name));
    }
    return tensors;
  } catch (const Error&) {
    return std::nullopt;  // not an operator of ours, or sizes that do not fit: left as it is
  }
}

}  // namespace onnxpress
