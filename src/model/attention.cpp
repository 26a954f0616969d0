// SPDX-License-Identifier: Apache-2.0
#include "model/attention.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <string_view>

#include "model/attention_walk.h"
#include "model/graph_walk.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kMostHeads = 1 << 20;  // beyond it a number is no number of heads or sizes
constexpr double kLeastScale = 1e-3;

bool is_any(const Node& node, std::initializer_list<std::string_view> types) {
  return std::find(types.begin(), types.end(), node.op_type) != types.end();
}

std::int64_t plausible(std::int64_t number) {
  return number > 0 && number <= kMostHeads ? number : 0;
}

class Finder {
 public:
  explicit Finder(const ViewIndex& index)
      : index_(index), graph_(index.graph()), shapes_(index.shapes()) {}

  std::vector<Attention> run() {
    std::vector<Attention> found;
    for (const NodeId id : graph_.nodes()) {
      const Node& node = graph_.node(id);
      std::optional<Attention> block;
      if (node.is("Softmax") && !node.outputs.empty() && !node.inputs.empty()) {
        block = match_softmax(id, node.inputs[0], node.outputs[0]);
      } else if (node.is("Div") && node.inputs.size() == 2) {
        block = match_written_out(id);
      } else if (node.inputs.size() >= 2 && !node.outputs.empty()) {
        block = match_operator(id);
      }
      if (block) found.push_back(*block);
    }
    return found;
  }

 private:
  // exp(s - max(s)) / sum(exp(s - max(s))), the form of Softmax where an exporter writes it out.
  std::optional<Attention> match_written_out(NodeId id) {
    const Node& node = graph_.node(id);
    const Node* exponential = graph_.producer(node.inputs[0]);
    const Node* sum = graph_.producer(node.inputs[1]);
    if (exponential == nullptr || sum == nullptr || !exponential->is("Exp") ||
        !sum->is("ReduceSum") || sum->input(0) != node.inputs[0] || node.outputs.empty()) {
      return std::nullopt;
    }
    ValueId scores = exponential->input(0);
    const Node* shifted = graph_.producer(scores);
    if (shifted != nullptr && shifted->is("Sub")) scores = shifted->input(0);
    return match_softmax(id, scores, node.outputs[0]);
  }

  std::optional<Attention> match_softmax(NodeId id, ValueId input, ValueId output) {
    const auto scores = find_scores(index_, input);
    if (!scores) return std::nullopt;
    const auto context = find_forward(index_, output, false, [&](const Use& use) {
      return use.input < 2 && joins_two_values(index_, use.node);
    });
    if (!context) return std::nullopt;
    const Node& product = graph_.node(scores->product);
    Attention block;
    block.softmax = id;
    block.scores = scores->product;
    block.context = context->node;
    block.q = product.inputs[0];
    block.k = product.inputs[1];
    block.v = graph_.node(context->node).input(1 - context->input);
    block.biased = scores->biased;
    const std::array origins = trace(block);
    block.scale = scores->factor;
    if (block.scale) *block.scale *= origins[0].factor * origins[1].factor;
    if (product.op_type == "FusedMatMul" && block.scale) {
      *block.scale *= product.attributes.get_float("alpha", 1);
    }
    if (!graph_.node(context->node).outputs.empty()) {
      find_output(block, graph_.node(context->node).outputs[0]);
    }
    const std::int64_t q_size = shapes_.size(block.q, -1);
    const bool turned = product.is("Einsum") || product.attributes.get_int("transB", 0) != 0;
    const std::int64_t k_size = shapes_.size(block.k, turned ? -1 : -2);
    count_heads(block, q_size > 0 ? q_size : k_size, shapes_.size(block.v, -1));
    return block;
  }

  std::array<Origin, 3> trace(Attention& block) {
    std::array origins = {find_origin(index_, block.q), find_origin(index_, block.k),
                          find_origin(index_, block.v)};
    block.q_unit = origins[0].main;
    block.k_unit = origins[1].main;
    block.v_unit = origins[2].main;
    block.rotary = block.rotary || (origins[0].rotary && !origins[0].units.empty());
    if (!block.q_unit || !block.k_unit || !block.v_unit) {
      block.packing = QkvPacking::not_by_unit;
    } else if (block.q_unit == block.k_unit && block.k_unit == block.v_unit) {
      block.packing = QkvPacking::packed;
    } else if (block.q_unit == block.k_unit || block.k_unit == block.v_unit ||
               block.q_unit == block.v_unit) {
      block.packing = QkvPacking::partly;
    } else {
      block.packing = QkvPacking::separate;
    }
    return origins;
  }

  void find_output(Attention& block, ValueId context) {
    const auto use = find_forward(index_, context, true, [&](const Use& candidate) {
      const auto unit = index_.unit_of_product(candidate.node);
      return unit && candidate.input != index_.unit(*unit).weight_operand;
    });
    if (use) block.output_unit = index_.unit_of_product(use->node);
  }

  // From the sizes of one head to the number of heads. Sizes that are not known are -1.
  void count_heads(Attention& block, std::int64_t head_dim, std::int64_t v_head_dim) {
    const auto out_of = [&](std::optional<UnitIndex> unit) {
      return unit ? index_.unit(*unit).out : std::int64_t{0};
    };
    if (head_dim <= 0) head_dim = v_head_dim;
    if (head_dim <= 0 && block.scale && *block.scale > kLeastScale && *block.scale < 1) {
      head_dim = std::llround(1 / (*block.scale * *block.scale));  // of 1/√d
    }
    head_dim = plausible(head_dim);
    v_head_dim = v_head_dim <= 0 ? head_dim : plausible(v_head_dim);
    if (head_dim == 0 || v_head_dim == 0) return;
    block.head_dim = head_dim;
    block.v_head_dim = v_head_dim;
    const auto divide = [](std::int64_t whole, std::int64_t part) {
      return part > 0 && whole % part == 0 ? whole / part : std::int64_t{0};
    };
    if (block.packing == QkvPacking::packed) {
      const std::int64_t whole = out_of(block.q_unit);
      if (block.output_unit) {
        block.heads = divide(index_.unit(*block.output_unit).in, v_head_dim);
      }
      if (block.heads == 0) block.heads = divide(whole, 2 * head_dim + v_head_dim);
      block.kv_heads = divide(whole - block.heads * head_dim, head_dim + v_head_dim);
    } else {
      const bool alone = block.q_unit != block.k_unit && block.q_unit != block.v_unit;
      if (alone) block.heads = divide(out_of(block.q_unit), head_dim);
      if (block.heads == 0 && block.output_unit) {
        block.heads = divide(index_.unit(*block.output_unit).in, v_head_dim);
      }
      if (block.k_unit && block.k_unit == block.v_unit) {
        block.kv_heads = divide(out_of(block.k_unit), head_dim + v_head_dim);
      } else if (block.k_unit && block.k_unit != block.q_unit) {
        block.kv_heads = divide(out_of(block.k_unit), head_dim);
      } else if (block.v_unit && block.v_unit != block.q_unit) {
        block.kv_heads = divide(out_of(block.v_unit), v_head_dim);
      }
    }
    if (block.heads == 0) block.heads = plausible(shapes_.size(block.q, -3));
    if (block.kv_heads == 0) block.kv_heads = block.heads;
  }

  // Operators that compute all of attention.
  std::optional<Attention> match_operator(NodeId id) {
    const Node& node = graph_.node(id);
    const bool standard = node.is("Attention");
    const bool contrib = node.domain == "com.microsoft" &&
                         is_any(node, {"MultiHeadAttention", "GroupQueryAttention", "Attention",
                                       "DecoderMaskedMultiHeadAttention", "PackedAttention",
                                       "PackedMultiHeadAttention", "SparseAttention"});
    if (!standard && !contrib) return std::nullopt;
    Attention block;
    block.softmax = id;
    block.fused = true;
    block.q = node.inputs[0];
    const bool weights_inside = contrib && is_any(node, {"Attention", "PackedAttention"});
    block.k = node.input(1) == kNoValue || weights_inside ? block.q : node.input(1);
    block.v = node.input(2) == kNoValue || weights_inside ? block.q : node.input(2);
    block.biased = (standard && node.input(3) != kNoValue) || node.input(5) != kNoValue;
    block.rotary = node.attributes.get_int("do_rotary", 0) != 0;
    const float scale = node.attributes.get_float("scale", 0);
    if (scale != 0) block.scale = scale;
    if (!weights_inside) trace(block);
    find_output(block, node.outputs[0]);
    // The standard's operator may read [batch, heads, sequence, size] and then names no heads.
    const auto count = [&](std::string_view attribute, ValueId operand) {
      const std::int64_t rows = standard ? shapes_.size(operand, -3) : 0;
      return plausible(node.attributes.get_int(attribute, rows));
    };
    block.heads = count(standard ? "q_num_heads" : "num_heads", block.q);
    block.kv_heads = count("kv_num_heads", block.k);
    if (block.kv_heads == 0) block.kv_heads = block.heads;
    set_head_dim(block, node, weights_inside);
    return block;
  }

  void set_head_dim(Attention& block, const Node& node, bool weights_inside) {
    if (block.heads <= 0) return;
    const std::int64_t parts = block.heads + 2 * block.kv_heads;
    if (weights_inside) {
      const std::int64_t columns = shapes_.size(node.input(1), -1);
      if (columns > 0) block.head_dim = columns / parts;
    } else if (block.packing == QkvPacking::packed && node.input(1) == kNoValue) {
      block.head_dim = index_.unit(*block.q_unit).out / parts;
    } else if (block.q_unit && block.packing == QkvPacking::separate) {
      block.head_dim = index_.unit(*block.q_unit).out / block.heads;
    } else if (const SymbolicShape* shape = shapes_.shape(block.q)) {
      const std::int64_t last = shapes_.size(block.q, -1);
      if (last > 0) block.head_dim = shape->size() == 3 ? last / block.heads : last;
    }
    block.v_head_dim = block.head_dim;
  }

  const ViewIndex& index_;
  const Graph& graph_;
  const SymbolicShapes& shapes_;
};

}  // namespace

std::vector<Attention> find_attentions(const ViewIndex& index) {
  return Finder(index).run();
}

}  // namespace onnxpress
