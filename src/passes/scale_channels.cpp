// SPDX-License-Identifier: Apache-2.0
#include "passes/scale_channels.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

std::vector<float> floats(const Tensor& tensor) {
  const auto values = tensor.as<float>();
  return {values.begin(), values.end()};
}

// `new` where `node` reads `old`; the old tensor stays where anything else reads it, too.
void replace_operand(Graph& graph, NodeId node, ValueId old, Tensor tensor) {
  const Value& value = graph.value(old);
  if (!value.producer && !value.is_output && value.uses.size() == 1) {
    graph.set_constant(old, std::move(tensor));
    return;
  }
  const ValueId fresh = graph.add_constant(value.name + "_scaled", std::move(tensor));
  for (std::size_t i = 0; i < graph.node(node).inputs.size(); ++i) {
    if (graph.node(node).inputs[i] == old) graph.set_input(node, i, fresh);
  }
}

void change_operand(Graph& graph, NodeId node, ValueId value,
                    const std::function<void(std::vector<float>&)>& change) {
  const Tensor old = *vector_constant(graph, value);
  std::vector<float> values = floats(old);
  change(values);
  replace_operand(graph, node, value, Tensor::of<float>(old.dims(), std::move(values)));
}

// Of all nodes that read the constant within a norm.
void change_within(Graph& graph, const std::vector<NodeId>& nodes, ValueId value,
                   const std::function<void(std::vector<float>&)>& change) {
  std::vector<NodeId> readers;
  for (const NodeId id : nodes) {
    const auto& inputs = graph.node(id).inputs;
    if (std::find(inputs.begin(), inputs.end(), value) != inputs.end()) readers.push_back(id);
  }
  for (const NodeId id : readers) change_operand(graph, id, value, change);
}

// What the unit reads now: earlier changes may have put new constants in the place of shared ones.
ValueId present_weight(const Graph& graph, const LinearUnit& unit) {
  if (unit.weight_path.empty()) return graph.node(unit.product).input(unit.weight_operand);
  return graph.node(unit.weight_path.back()).input(0);
}

NodeId bias_reader(const LinearUnit& unit) {
  return unit.bias_add.value_or(unit.product);
}

ValueId present_bias(const Graph& graph, const LinearUnit& unit) {
  const Node& node = graph.node(bias_reader(unit));
  if (!unit.bias_add) return node.input(2);
  return node.inputs[0] == unit.output ? node.inputs[1] : node.inputs[0];
}

// Calls change(w, in, out) for all weights.
void change_weight(Graph& graph, const LinearUnit& unit,
                   const std::function<void(float& w, std::size_t in, std::size_t out)>& change) {
  const ValueId weight = present_weight(graph, unit);
  const Tensor old = *graph.constant(weight);
  std::vector<float> values = floats(old);
  const auto columns = static_cast<std::size_t>(old.dims()[1]);
  const bool by_inputs = unit.layout == WeightLayout::in_out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t row = i / columns;
    const std::size_t column = i % columns;
    change(values[i], by_inputs ? row : column, by_inputs ? column : row);
  }
  Tensor fresh = Tensor::of<float>(old.dims(), std::move(values));
  if (!graph.value(weight).producer) {
    graph.set_constant(weight, std::move(fresh));
    return;
  }
  graph.replace_all_uses(weight, graph.add_constant(graph.value(weight).name, std::move(fresh)));
}

// bias += shifts · W
void shift_reader(Graph& graph, const LinearUnit& unit, const std::vector<float>& shifts) {
  std::vector<double> change(static_cast<std::size_t>(unit.out));
  change_weight(graph, unit, [&](float& w, std::size_t in, std::size_t out) {
    change[out] += static_cast<double>(shifts[in]) * static_cast<double>(w);
  });
  change_operand(graph, bias_reader(unit), present_bias(graph, unit),
                 [&](std::vector<float>& bias) {
                   for (std::size_t i = 0; i < bias.size(); ++i) {
                     bias[i] = static_cast<float>(static_cast<double>(bias[i]) + change[i]);
                   }
                 });
}

void scale_norm(Graph& graph, const patterns::NormMatch& norm, const ChannelFold& fold,
                std::span<const float> scales, std::span<const float> shifts) {
  const auto divide = [&](std::vector<float>& values) {
    for (std::size_t c = 0; c < scales.size(); ++c) {
      values[static_cast<std::size_t>(fold.columns[c])] /= scales[c];
    }
  };
  change_within(graph, norm.nodes, norm.gain, divide);
  if (norm.shift == kNoValue) return;
  change_within(graph, norm.nodes, norm.shift, [&](std::vector<float>& values) {
    for (std::size_t c = 0; c < shifts.size(); ++c) {
      values[static_cast<std::size_t>(fold.columns[c])] -= shifts[c];
    }
    divide(values);
  });
}

void scale_unit(Graph& graph, const LinearUnit& unit, const ChannelFold& fold,
                std::span<const float> scales, std::span<const float> shifts) {
  std::vector<float> divisors(static_cast<std::size_t>(unit.out), 1.0F);
  std::vector<float> lowered(static_cast<std::size_t>(unit.out), 0.0F);
  for (std::size_t c = 0; c < scales.size(); ++c) {
    divisors[static_cast<std::size_t>(fold.columns[c])] = scales[c];
    if (!shifts.empty()) lowered[static_cast<std::size_t>(fold.columns[c])] = shifts[c];
  }
  change_weight(graph, unit, [&](float& w, std::size_t, std::size_t out) { w /= divisors[out]; });
  if (!unit.bias) return;
  change_operand(graph, bias_reader(unit), present_bias(graph, unit),
                 [&](std::vector<float>& bias) {
                   for (std::size_t i = 0; i < bias.size(); ++i) {
                     bias[i] = (bias[i] - lowered[i]) / divisors[i];
                   }
                 });
}

}  // namespace

void scale_rows(Graph& graph, const LinearUnit& unit, std::span<const float> scales) {
  if (static_cast<std::int64_t>(scales.size()) != unit.in) {
    throw Error(codes::internal_error, "scale_rows: there must be one scale for each row");
  }
  change_weight(graph, unit, [&](float& w, std::size_t in, std::size_t) { w *= scales[in]; });
}

void scale_channels(Graph& graph, const TransformerView& view, const ChannelFold& fold,
                    std::span<const float> scales, std::span<const float> shifts) {
  const std::size_t channels = fold.columns.size();
  const bool shifted = !shifts.empty();
  if (scales.size() != channels || (shifted && (shifts.size() != channels || !fold.shiftable))) {
    throw Error(codes::internal_error, "scale_channels: scales or shifts don't fit the fold");
  }
  for (const ChannelReader& reader : fold.readers) {
    const LinearUnit& unit = view.units()[reader.unit];
    std::vector<float> rows(reader.channel.size());
    const auto spread = [&](std::span<const float> values) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        rows[i] = values[static_cast<std::size_t>(reader.channel[i])];
      }
    };
    if (shifted) {
      spread(shifts);
      shift_reader(graph, unit, rows);
    }
    spread(scales);
    scale_rows(graph, unit, rows);
  }
  if (fold.norm) {
    scale_norm(graph, view.norms()[*fold.norm].match, fold, scales, shifts);
  } else {
    scale_unit(graph, view.units()[*fold.unit], fold, scales, shifts);
  }
}

}  // namespace onnxpress
