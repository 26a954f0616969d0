// SPDX-License-Identifier: Apache-2.0
#include "passes/half_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>
#include <set>
#include <string_view>

#include "base/half.h"
#include "model/transformer_view.h"
#include "passes/type_inference.h"

namespace onnxpress {
namespace {

// Constants up to this many elements are not worth a Cast node.
constexpr std::int64_t kSmall = 64;

template <std::size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& types) {
  return node.domain.empty() &&
         std::ranges::find(types, std::string_view(node.op_type)) != types.end();
}

// Sums and squares overflow, small epsilons vanish, or the operator has no float16 form.
constexpr std::array<std::string_view, 38> kFloat32Ops{"Range",
                                                       "CumSum",
                                                       "CumProd",
                                                       "Pow",
                                                       "Sqrt",
                                                       "Reciprocal",
                                                       "Exp",
                                                       "Log",
                                                       "ReduceMean",
                                                       "ReduceSum",
                                                       "ReduceSumSquare",
                                                       "ReduceL1",
                                                       "ReduceL2",
                                                       "ReduceLogSum",
                                                       "ReduceLogSumExp",
                                                       "ReduceProd",
                                                       "Softplus",
                                                       "Resize",
                                                       "Upsample",
                                                       "QuantizeLinear",
                                                       "DequantizeLinear",
                                                       "DynamicQuantizeLinear",
                                                       "RandomNormal",
                                                       "RandomUniform",
                                                       "RandomNormalLike",
                                                       "RandomUniformLike",
                                                       "Multinomial",
                                                       "Bernoulli",
                                                       "EyeLike",
                                                       "NonMaxSuppression",
                                                       "RoiAlign",
                                                       "TfIdfVectorizer",
                                                       "HannWindow",
                                                       "HammingWindow",
                                                       "BlackmanWindow",
                                                       "MelWeightMatrix",
                                                       "DFT",
                                                       "STFT"};

// However large the input, the output is small.
constexpr std::array<std::string_view, 20> kBounding{
    "Softmax", "LogSoftmax",     "Sin",    "Cos",        "Tanh", "Sigmoid", "HardSigmoid", "Erf",
    "Sign",    "ArgMax",         "ArgMin", "Shape",      "Size", "IsNaN",   "IsInf",       "Equal",
    "Greater", "GreaterOrEqual", "Less",   "LessOrEqual"};

// A weight with large numbers says nothing of the size of its products.
constexpr std::array<std::string_view, 4> kProducts{"MatMul", "Gemm", "Conv", "ConvTranspose"};

class Planner {
 public:
  Planner(PassContext& context, double max_vanishing, bool compute)
      : context_(context), graph_(context.graph()), max_vanishing_(max_vanishing) {
    plan_.types = infer_types(graph_);
    plan_.node_in_float32.assign(graph_.node_capacity(), !compute);
    huge_.assign(graph_.value_capacity(), false);
  }

  HalfPlan run() {
    for (const ValueId id : graph_.values()) judge_constant(id);
    mark_patterns();
    for (const NodeId id : graph_.nodes()) visit(id);
    choose_storage();
    return std::move(plan_);
  }

 private:
  [[nodiscard]] bool is_float32(ValueId id) const {
    return id != kNoValue && plan_.types[static_cast<std::size_t>(id)] == DType::float32;
  }

  void judge_constant(ValueId id) {
    const Tensor* tensor = graph_.constant(id);
    if (tensor == nullptr || tensor->dtype() != DType::float32) return;
    HalfConstant constant{.counts = count_half(*tensor, context_.pool())};
    const auto& c = constant.counts;
    constant.kept = c.overflows > 0 || static_cast<double>(c.vanishes) >
                                           max_vanishing_ * static_cast<double>(c.nonzeros);
    plan_.constants.emplace(id, constant);
  }

  void keep(NodeId id) { plan_.node_in_float32[static_cast<std::size_t>(id)] = true; }

  void mark_patterns() {
    for (const Norm& norm : context_.view().norms()) {
      norm_vectors_.insert(norm.match.gain);
      norm_vectors_.insert(norm.match.shift);
      if (!norm.match.decomposed) continue;
      for (const NodeId id : norm.match.nodes) keep(id);
    }
    for (const NodeId id : graph_.nodes()) {
      const auto match = patterns::match_activation(graph_, id);
      if (!match || match->nodes.size() < 2) continue;
      for (const NodeId part : match->nodes) keep(part);
    }
  }

  void visit(NodeId id) {
    const Node& node = graph_.node(id);
    bool float32 = !node.domain.empty() || !node.captures.empty() || has_body(node) ||
                   is_one_of(node, kFloat32Ops);
    // The statistics that a fused norm can give are float32 by definition.
    float32 |= node.is("LayerNormalization") && node.outputs.size() > 1;
    bool huge = false;
    for (const ValueId input : node.inputs) {
      if (input == kNoValue) continue;
      if (huge_[static_cast<std::size_t>(input)]) huge = true;
      const auto constant = plan_.constants.find(input);
      if (constant == plan_.constants.end() || !constant->second.kept) continue;
      float32 = true;
      huge |= constant->second.counts.overflows > 0 && !is_one_of(node, kProducts);
    }
    float32 |= huge;
    if (node.is("ConstantOfShape") && overflows_when_filled(node)) huge = float32 = true;
    if (node.is("Range")) huge = true;
    if (node.is("Cast")) {
      const DType from = plan_.types[static_cast<std::size_t>(node.inputs[0])];
      // Integers may be positions or counts; only truth values are sure to fit.
      if (from != DType::float32 && from != DType::boolean) float32 = true;
      if (is_integer(from) || from == DType::float64) huge = true;
    }
    if (float32) keep(id);
    if (!huge || is_one_of(node, kBounding)) return;
    for (const ValueId output : node.outputs) {
      if (is_float32(output)) huge_[static_cast<std::size_t>(output)] = true;
    }
  }

  static bool has_body(const Node& node) {
    return std::ranges::any_of(node.attributes.all(), [](const Attribute& a) {
      return std::holds_alternative<Subgraph>(a.value) ||
             std::holds_alternative<std::vector<Subgraph>>(a.value) ||
             std::holds_alternative<OpaqueAttribute>(a.value);
    });
  }

  bool overflows_when_filled(const Node& node) {
    const Tensor* value = node.attributes.get_tensor("value");
    if (value == nullptr || value->dtype() != DType::float32) return false;
    const HalfCounts counts = count_half(*value, context_.pool());
    return counts.overflows > 0 || counts.vanishes > 0;
  }

  void choose_storage() {
    for (auto& [id, constant] : plan_.constants) {
      if (constant.kept) continue;
      bool as_float32 = graph_.value(id).is_output;
      bool as_float16 = false;
      for (const Use& use : graph_.value(id).uses) {
        const bool stays = plan_.node_in_float32[static_cast<std::size_t>(use.node)];
        (stays ? as_float32 : as_float16) = true;
      }
      const bool small = graph_.constant(id)->size() <= kSmall;
      const bool stays = small || norm_vectors_.contains(id);
      if (graph_.value(id).is_output || (stays && !as_float16)) continue;
      constant.storage = small && as_float32 ? HalfStorage::both : HalfStorage::float16;
    }
  }

  PassContext& context_;
  const Graph& graph_;
  double max_vanishing_;
  HalfPlan plan_;
  std::vector<bool> huge_;
  std::set<ValueId> norm_vectors_;  // gains and shifts
};

}  // namespace

std::int64_t HalfConstant::bytes(const Tensor& tensor) const {
  switch (storage) {
    case HalfStorage::float32:
      return tensor.size() * 4;
    case HalfStorage::float16:
      return tensor.size() * 2;
    case HalfStorage::both:
      break;
  }
  return tensor.size() * 6;
}

HalfCounts count_half(const Tensor& tensor, ThreadPool& pool) {
  const auto values = tensor.as<float>();
  HalfCounts total;
  std::mutex mutex;
  pool.parallel_for(tensor.size(), 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    // 65520 is the smallest number that rounds to infinity, 2^-25 the largest that rounds to zero.
    std::int32_t overflows = 0;
    std::int32_t vanishes = 0;
    std::int32_t subnormals = 0;
    std::int32_t nonzeros = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      const float x = std::abs(values[static_cast<std::size_t>(i)]);
      overflows +=
          static_cast<std::int32_t>(x >= 65520.0F) & static_cast<std::int32_t>(x <= 3.4028235e38F);
      nonzeros += static_cast<std::int32_t>(x > 0.0F);
      vanishes += static_cast<std::int32_t>(x > 0.0F) & static_cast<std::int32_t>(x <= 0x1p-25F);
      subnormals +=
          static_cast<std::int32_t>(x > 0x1p-25F) & static_cast<std::int32_t>(x < 0x1p-14F);
    }
    const std::lock_guard lock(mutex);
    total.overflows += overflows;
    total.vanishes += vanishes;
    total.subnormals += subnormals;
    total.nonzeros += nonzeros;
  });
  return total;
}

HalfPlan plan_half(PassContext& context, double max_vanishing, bool compute) {
  return Planner(context, max_vanishing, compute).run();
}

}  // namespace onnxpress
