// SPDX-License-Identifier: Apache-2.0
#include "targets/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "model/transformer_view.h"
#include "targets/kernels.h"
#include "targets/quantized_products.h"
#include "targets/saturation.h"

namespace onnxpress {
namespace {

constexpr std::array<std::string_view, 2> kNames = {"ort-cpu", "ort-cpu-avx2"};

class Findings {
 public:
  Findings(const Model& model, Target target) : graph_(model.graph), target_(target) {
    findings_ = missing_kernels(model);
    const TransformerView view = TransformerView::of(graph_);
    for (const ProductRow& row : view.products()) {
      if (row.node) labels_[*row.node] = row.label;
    }
    for (const QuantizedProduct& product : quantized_products(graph_)) judge(product);
    judge_tables();
    judge_half_precision();
    std::stable_partition(findings_.begin(), findings_.end(),
                          [](const TargetFinding& finding) { return finding.refused; });
  }

  std::vector<TargetFinding> take() { return std::move(findings_); }

 private:
  void judge(const QuantizedProduct& product) {
    const std::string& label = labels_[product.node];
    if (product.fate == ProductFate::fails) {
      findings_.push_back({true, label, product.why});
    } else if (product.fate == ProductFate::floating) {
      findings_.push_back(
          {false, label, "stays a float product, its codes unpacked in every run: " + product.why});
    } else if (!product.why.empty()) {
      findings_.push_back({false, label, "becomes no integer product: " + product.why});
    }
    if (product.int8_weight == nullptr || target_ != Target::ort_cpu_avx2) return;
    const PairSums sums = count_pair_sums(*product.int8_weight, product.turned);
    if (sums.can_saturate == 0) return;
    findings_.push_back(
        {false, label,
         fmt::format("{} of {} pairs of INT8 weights can saturate 16 bits; compress with --target "
                     "{}, or set session.x64quantprecision to 1",
                     sums.can_saturate, sums.pairs, name(target_))});
  }

  // DequantizeLinear before Gather: no operator does both.
  void judge_tables() {
    for (const NodeId id : graph_.nodes()) {
      const Node& node = graph_.node(id);
      if (!node.is("Gather")) continue;
      const Node* dequantize = graph_.producer(node.input(0));
      if (dequantize == nullptr || !dequantize->is("DequantizeLinear")) continue;
      if (graph_.constant(dequantize->input(0)) == nullptr) continue;
      findings_.push_back({false, graph_.value(dequantize->input(0)).name,
                           "the whole table is unpacked in every run, to gather some rows"});
    }
  }

  void judge_half_precision() {
    static constexpr std::array<std::string_view, 2> kProducts = {"MatMul", "Gemm"};
    std::size_t products = 0;
    for (const NodeId id : graph_.nodes()) {
      const Node& node = graph_.node(id);
      if (std::ranges::find(kProducts, node.op_type) == kProducts.end()) continue;
      products += std::ranges::any_of(node.inputs, [&](ValueId input) {
        return input != kNoValue && graph_.value(input).dtype == DType::float16;
      });
    }
    if (products == 0) return;
    findings_.push_back({false, "",
                         fmt::format("{} products are FLOAT16: they are computed as FLOAT, with "
                                     "casts before and behind, and are not faster for it",
                                     products)});
  }

  const Graph& graph_;
  Target target_;
  std::map<NodeId, std::string> labels_;
  std::vector<TargetFinding> findings_;
};

}  // namespace

std::string_view name(Target target) {
  return kNames.at(static_cast<std::size_t>(target));
}

std::span<const std::string_view> target_names() {
  return kNames;
}

std::optional<Target> parse_target(std::string_view text) {
  const auto at = std::ranges::find(kNames, text);
  if (at == kNames.end()) return {};
  return static_cast<Target>(at - kNames.begin());
}

std::vector<TargetFinding> check_target(const Model& model, Target target) {
  return Findings(model, target).take();
}

}  // namespace onnxpress
