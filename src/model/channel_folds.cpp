// SPDX-License-Identifier: Apache-2.0
#include "model/channel_folds.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "ir/patterns/constants.h"
#include "model/channel_walk.h"
#include "model/graph_walk.h"

namespace onnxpress {
namespace {

constexpr int kMaxSteps = 16;

bool is_float32_vector(const Graph& graph, ValueId value, std::int64_t size) {
  const Tensor* tensor = vector_constant(graph, value);
  return tensor != nullptr && tensor->size() == size;
}

bool gemm_scales(const Graph& graph, const LinearUnit& unit) {
  const Attributes& a = graph.node(unit.product).attributes;
  return a.get_float("alpha", 1) != 1 || a.get_float("beta", 1) != 1;
}

// Why the outputs of a unit can't be divided.
std::string why_outputs_stay(const Graph& graph, const LinearUnit& unit) {
  const std::string why = why_rows_stay(graph, unit);
  if (!why.empty()) return why;
  const Node& product = graph.node(unit.product);
  const bool gemm = product.op_type == "Gemm";
  if (!gemm && !product.is("MatMul")) return fmt::format("it is a {}", product.op_type);
  if (gemm && product.input(2) != kNoValue && !unit.bias) {
    return "its bias is no vector of constants";
  }
  if (unit.bias && !is_float32_vector(graph, *unit.bias, unit.out)) {
    return "its bias is no constant of float32: fold constants first";
  }
  return "";
}

std::string why_norm_stays(const Graph& graph, const patterns::NormMatch& norm,
                           std::int64_t channels) {
  if (norm.gain == kNoValue) return "it has no gain";
  if (!is_float32_vector(graph, norm.gain, channels)) {
    return "its gain is no constant of float32: fold constants first";
  }
  if (norm.shift != kNoValue && !is_float32_vector(graph, norm.shift, channels)) {
    return "its shift is no constant of float32: fold constants first";
  }
  if (norm.shift == norm.gain) return "its gain is its shift, too";
  // All that gain and shift go into must stay within the norm.
  std::set<ValueId> touched = {norm.gain};
  if (norm.shift != kNoValue) touched.insert(norm.shift);
  for (bool grew = true; grew;) {
    grew = false;
    for (const NodeId id : norm.nodes) {
      const Node& node = graph.node(id);
      const bool reads = std::any_of(node.inputs.begin(), node.inputs.end(),
                                     [&](ValueId value) { return touched.contains(value); });
      if (!reads) continue;
      for (const ValueId output : node.outputs) {
        if (output == kNoValue || output == norm.output || !norm.decomposed) continue;
        if (!touched.insert(output).second) continue;
        grew = true;
        const Value& value = graph.value(output);
        const bool inside = std::all_of(value.uses.begin(), value.uses.end(), [&](const Use& use) {
          return std::find(norm.nodes.begin(), norm.nodes.end(), use.node) != norm.nodes.end();
        });
        if (!inside || value.is_output) return "something else reads what its gain goes into";
      }
    }
  }
  return "";
}

class Finder {
 public:
  Finder(const Graph& graph, const TransformerView& view) : c_(graph, view), graph_(graph) {
    found_.fold_of.resize(view.units().size());
    found_.why_not.resize(view.units().size());
  }

  ChannelFolds run() {
    for (std::size_t i = 0; i < c_.view.norms().size(); ++i) add_norm(i);
    // Sources with nothing but moves between them and their readers come first, then gates and
    // attention, then activations.
    std::vector<Candidate> units;
    for (UnitIndex i = 0; i < c_.view.units().size(); ++i) add_unit(i, units);
    std::stable_sort(units.begin(), units.end(), [](const Candidate& a, const Candidate& b) {
      return a.straight && !b.straight;
    });
    for (Candidate& candidate : units) take(std::move(candidate));
    for (UnitIndex i = 0; i < c_.view.units().size(); ++i) {
      if (found_.fold_of[i]) {
        found_.why_not[i].clear();
      } else {
        found_.why_not[i] = why_none(c_.view.units()[i], found_.why_not[i]);
      }
    }
    return std::move(found_);
  }

 private:
  struct Candidate {
    ChannelFold fold;
    bool straight = true;
  };

  void add_norm(std::size_t index) {
    const patterns::NormMatch& norm = c_.view.norms()[index].match;
    const std::int64_t channels = c_.shapes.size(norm.output, -1);
    if (channels < 1) return;
    ChannelWalk walk = walk_channels(c_, norm.output, channels);
    const std::string why = why_norm_stays(graph_, norm, channels);
    if (!why.empty()) block_all(walk, fmt::format("the norm in front of it stays: {}", why));
    ChannelFold fold;
    fold.norm = index;
    fold.shiftable = norm.shift != kNoValue;
    for (Candidate& candidate : clusters(walk, fold)) take(std::move(candidate));
  }

  void add_unit(UnitIndex index, std::vector<Candidate>& candidates) {
    const LinearUnit& unit = c_.view.units()[index];
    if (unit.out < 1 || unit.biased_output == kNoValue || unit.weight_operand != 1) return;
    ChannelWalk walk = walk_channels(c_, unit.biased_output, unit.out);
    const std::string why = why_outputs_stay(graph_, unit);
    if (!why.empty()) block_all(walk, fmt::format("{} in front of it stays: {}", unit.label, why));
    ChannelFold fold;
    fold.unit = index;
    fold.shiftable = unit.bias.has_value() && !gemm_scales(graph_, unit);
    for (Candidate& candidate : clusters(walk, fold)) candidates.push_back(std::move(candidate));
  }

  static void block_all(ChannelWalk& walk, const std::string& reason) {
    std::vector<std::int32_t> all(walk.blocked.size());
    std::iota(all.begin(), all.end(), 0);
    walk.block(all, reason);
  }

  // Readers whose channels can all be scaled, put together where they share channels.
  std::vector<Candidate> clusters(ChannelWalk& walk, const ChannelFold& model) {
    const auto units = c_.view.units();
    for (const WalkEnd& end : walk.ends) {
      const std::string why = why_rows_stay(graph_, units[end.unit]);
      if (!why.empty()) {
        walk.block(end.channel, fmt::format("{} reads it: {}", units[end.unit].label, why));
      }
    }
    for (bool grew = true; grew;) {  // a reader that can't follow keeps all its channels
      grew = false;
      for (const WalkEnd& end : walk.ends) {
        const std::int32_t why = blocked(walk, end);
        if (why < 0) continue;
        const auto reason = walk.reasons[static_cast<std::size_t>(why)];
        if (found_.why_not[end.unit].empty()) found_.why_not[end.unit] = reason;
        for (const std::int32_t channel : end.channel) {
          if (walk.blocked[static_cast<std::size_t>(channel)] >= 0) continue;
          walk.block(end.channel, reason);
          grew = true;
          break;
        }
      }
    }
    std::vector<Candidate> found;
    std::vector<bool> done(walk.ends.size());
    for (std::size_t i = 0; i < walk.ends.size(); ++i) {
      if (done[i] || blocked(walk, walk.ends[i]) >= 0) continue;
      found.push_back(cluster(walk, i, done, model));
    }
    return found;
  }

  static std::int32_t blocked(const ChannelWalk& walk, const WalkEnd& end) {
    for (const std::int32_t channel : end.channel) {
      const std::int32_t why = walk.blocked[static_cast<std::size_t>(channel)];
      if (why >= 0) return why;
    }
    return -1;
  }

  Candidate cluster(const ChannelWalk& walk, std::size_t first, std::vector<bool>& done,
                    const ChannelFold& model) {
    std::vector<std::size_t> members;
    std::vector<bool> inside(walk.blocked.size());
    const auto add = [&](std::size_t i) {
      done[i] = true;
      members.push_back(i);
      for (const std::int32_t channel : walk.ends[i].channel) {
        inside[static_cast<std::size_t>(channel)] = true;
      }
    };
    add(first);
    for (bool grew = true; grew;) {
      grew = false;
      for (std::size_t i = 0; i < walk.ends.size(); ++i) {
        const auto& channel = walk.ends[i].channel;
        const bool meets = !done[i] && std::any_of(channel.begin(), channel.end(), [&](auto c) {
          return inside[static_cast<std::size_t>(c)];
        });
        if (!meets) continue;
        add(i);
        grew = true;
      }
    }
    Candidate candidate{model};
    std::vector<std::int32_t> place(walk.blocked.size(), -1);
    for (std::size_t c = 0; c < inside.size(); ++c) {
      if (!inside[c]) continue;
      place[c] = static_cast<std::int32_t>(candidate.fold.columns.size());
      candidate.fold.columns.push_back(static_cast<std::int32_t>(c));
    }
    std::sort(members.begin(), members.end());
    for (const std::size_t i : members) {
      const WalkEnd& end = walk.ends[i];
      const LinearUnit& unit = c_.view.units()[end.unit];
      ChannelReader reader{end.unit, end.channel};
      for (std::int32_t& channel : reader.channel) {
        channel = place[static_cast<std::size_t>(channel)];
      }
      candidate.fold.readers.push_back(std::move(reader));
      candidate.straight = candidate.straight && end.straight;
      candidate.fold.shiftable = candidate.fold.shiftable && end.passes_shift &&
                                 unit.bias.has_value() && !gemm_scales(graph_, unit) &&
                                 is_float32_vector(graph_, *unit.bias, unit.out);
    }
    return candidate;
  }

  void take(Candidate candidate) {
    const auto& readers = candidate.fold.readers;
    const bool taken = std::any_of(readers.begin(), readers.end(), [&](const ChannelReader& r) {
      return found_.fold_of[r.unit].has_value();
    });
    if (taken) return;
    for (const ChannelReader& reader : readers) {
      found_.fold_of[reader.unit] = found_.folds.size();
    }
    found_.folds.push_back(std::move(candidate.fold));
  }

  // What computes the unit's input says more than `blocked`, where it is an activation.
  [[nodiscard]] std::string why_none(const LinearUnit& unit, const std::string& blocked) {
    ValueId value = unit.input;
    std::string why = blocked;
    for (int step = 0; step < kMaxSteps; ++step) {
      if (const auto* activation = activation_of(value)) {
        if (activation->kind == patterns::ActivationKind::relu) break;
        return fmt::format("{} in front of it is not homogeneous", name(activation->kind));
      }
      const Node* node = graph_.producer(value);
      if (node == nullptr || !only_moves(graph_, *node)) {
        if (why.empty() && node == nullptr) why = "it reads an input of the graph";
        if (why.empty()) why = fmt::format("{} in front of it passes no scales on", node->op_type);
        break;
      }
      value = node->inputs[0];
    }
    return why.empty() ? "nothing in front of it can be scaled" : why;
  }

  const patterns::ActivationMatch* activation_of(ValueId value) {
    if (!activations_) {
      activations_.emplace();
      for (const NodeId id : graph_.nodes()) {
        if (auto match = patterns::match_activation(graph_, id)) {
          activations_->push_back(std::move(*match));
        }
      }
    }
    for (const auto& match : *activations_) {
      if (match.output == value) return &match;
    }
    return nullptr;
  }

  WalkContext c_;
  const Graph& graph_;
  ChannelFolds found_;
  std::optional<std::vector<patterns::ActivationMatch>> activations_;
};

}  // namespace

const Tensor* vector_constant(const Graph& graph, ValueId value) {
  for (int step = 0; step < kMaxSteps && value != kNoValue; ++step) {
    const Node* node = graph.producer(value);
    if (node != nullptr && node->is("Identity")) {
      value = node->input(0);
      continue;
    }
    const Tensor* tensor = graph.value(value).is_input ? nullptr : graph.constant(value);
    const bool fits = tensor != nullptr && tensor->dtype() == DType::float32 &&
                      tensor->rank() >= 1 && tensor->dims().back() == tensor->size();
    return fits ? tensor : nullptr;
  }
  return nullptr;
}

std::string why_rows_stay(const Graph& graph, const LinearUnit& unit) {
  if (unit.weight_shared) return "its weight is shared";
  for (const Refusal& refusal : unit.why_not) {
    const bool harmless = refusal.kind == RefusalKind::tiny || refusal.kind == RefusalKind::scaled;
    if (!harmless) return refusal.text;
  }
  if (unit.weight_operand != 1) return "its weight is the left operand";
  const Tensor* weight = graph.constant(unit.weight);
  if (weight == nullptr || weight->rank() != 2 || weight->dtype() != DType::float32) {
    return "its weight is not of float32";
  }
  return "";
}

ChannelFolds find_channel_folds(const Graph& graph, const TransformerView& view) {
  return Finder(graph, view).run();
}

}  // namespace onnxpress
