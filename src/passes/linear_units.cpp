// SPDX-License-Identifier: Apache-2.0
#include "passes/linear_units.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "passes/odd_weights.h"
#include "passes/selection.h"
#include "passes/weight_bytes.h"

namespace onnxpress {
namespace {

// Float weights whose numbers can't be rounded. A weight of several units is looked at once.
class OddWeights {
 public:
  explicit OddWeights(PassContext& context) : context_(context) {}

  std::string refuse(const LinearUnit& unit, PassPlan& plan) {
    const auto [known, fresh] = known_.try_emplace(unit.weight);
    const Tensor* weight = context_.graph().constant(unit.weight);
    if (!fresh || weight == nullptr) return known->second;
    if (const auto w = weight_ref(*weight, matrix_layout(unit.layout))) {
      known->second = refuse_odd_weight(*w, unit.label, "output channel", context_.pool(), plan);
    }
    return known->second;
  }

 private:
  PassContext& context_;
  std::map<ValueId, std::string> known_;  // "" for those that can be rounded
};

// The first reason that keeps a unit as it is. Gemm's factors and transposed input do not: what
// quantizes a weight leaves them where they are, or carries them over.
const Refusal* first_refusal(const LinearUnit& unit, bool ask_quantized) {
  for (const Refusal& refusal : unit.why_not) {
    if (refusal.kind == RefusalKind::scaled) continue;
    if (ask_quantized && refusal.kind == RefusalKind::already_quantized) continue;
    return &refusal;
  }
  return nullptr;
}

}  // namespace

std::optional<WeightRef> weight_ref(const Tensor& tensor, MatrixLayout layout) {
  if (tensor.rank() != 2) return std::nullopt;
  WeightRef w;
  w.data = tensor.bytes().data();
  w.layout = layout;
  w.in = tensor.dims()[layout == MatrixLayout::in_out ? 0 : 1];
  w.out = tensor.dims()[layout == MatrixLayout::in_out ? 1 : 0];
  switch (tensor.dtype()) {
    case DType::float32:
      w.type = FloatType::float32;
      return w;
    case DType::float16:
      w.type = FloatType::float16;
      return w;
    case DType::bfloat16:
      w.type = FloatType::bfloat16;
      return w;
    default:
      return std::nullopt;
  }
}

MatrixLayout matrix_layout(WeightLayout layout) {
  return layout == WeightLayout::in_out ? MatrixLayout::in_out : MatrixLayout::out_in;
}

bool is_read_transposed(const TransformerView& view, const LinearUnit& unit) {
  return std::ranges::any_of(view.units(), [&](const LinearUnit& other) {
    return other.weight == unit.weight && other.layout != unit.layout;
  });
}

ValueId cast(Graph& graph, ValueId value, DType from, DType to, std::string_view hint) {
  if (from == to) return value;
  return graph.add("Cast", {value}, {{"to", static_cast<std::int64_t>(to)}}, hint, "", to,
                   graph.value(value).shape);
}

PassPlan plan_units(PassContext& context, const UnitOptions& options, bool ask_quantized,
                    const std::function<UnitOutcome(const LinearUnit&)>& judge) {
  const auto units = context.view().units();
  std::vector<std::string> labels;
  for (const LinearUnit& unit : units) labels.push_back(unit.label);
  const Selection selection(options.include, options.exclude);
  const double threshold = options.min_saving * static_cast<double>(weight_bytes(context.graph()));

  PassPlan plan;
  plan.unmatched_globs = selection.unmatched(labels);
  std::set<ValueId> counted;
  OddWeights odd(context);
  for (std::size_t i = 0; i < units.size(); ++i) {
    const LinearUnit& unit = units[i];
    UnitPlan row{.label = unit.label, .kind = "linear", .target = static_cast<std::int64_t>(i)};
    const bool first = counted.insert(unit.weight).second;
    row.bytes_before = first ? unit.weight_bytes : 0;
    row.bytes_after = row.bytes_before;
    const bool quantized = std::ranges::any_of(unit.why_not, [](const Refusal& refusal) {
      return refusal.kind == RefusalKind::already_quantized;
    });
    plan.already_quantized |= quantized;
    if (const Refusal* refusal = first_refusal(unit, ask_quantized)) {
      row.reason = refusal->text;
    } else if (std::string why = selection.why_not(unit.label); !why.empty()) {
      row.reason = std::move(why);
    } else {
      UnitOutcome outcome = judge(unit);
      const auto saved = static_cast<double>(unit.weight_bytes - outcome.bytes_after);
      if (!outcome.refusal.empty()) {
        row.reason = std::move(outcome.refusal);
      } else if (!quantized && (saved <= 0 || saved < threshold)) {
        row.reason = fmt::format("would save only {} bytes", static_cast<std::int64_t>(saved));
      } else if (std::string unfit = odd.refuse(unit, plan); !unfit.empty()) {
        row.reason = std::move(unfit);
      } else {
        row.decision = Decision::change;
        row.reason = std::move(outcome.reason);
        if (first) row.bytes_after = outcome.bytes_after;
      }
    }
    plan.units.push_back(std::move(row));
  }
  return plan;
}

}  // namespace onnxpress
