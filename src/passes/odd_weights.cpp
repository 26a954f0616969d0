// SPDX-License-Identifier: Apache-2.0
#include "passes/odd_weights.h"

#include <fmt/format.h>

#include <cmath>

#include "numerics/quantize_rtn.h"
#include "numerics/weight_outlier.h"

namespace onnxpress {

std::string refuse_odd_weight(const WeightRef& w, std::string_view label, std::string_view channel,
                              ThreadPool& pool, PassPlan& plan) {
  if (const auto place = find_non_finite(w, pool)) {
    plan.not_finite.push_back(fmt::format("{}: the weight at [{}, {}] is NaN or infinite", label,
                                          *place / w.columns(), *place % w.columns()));
    plan.warnings.push_back(plan.not_finite.back() + "; it stays as it is");
    return "the weight holds NaN or infinity";
  }
  const auto outliers = find_outliers(w, kOutlierRatio, pool);
  if (outliers.empty()) return "";
  const WeightOutlier& first = outliers.front();
  std::string text =
      fmt::format("{}: {} {} holds {:.3g}, {:.3g} times the RMS of its other weights", label,
                  channel, first.output, first.value, std::abs(first.value) / first.rms);
  if (outliers.size() > 1) text += fmt::format(" (and {} more such)", outliers.size() - 1);
  plan.warnings.push_back(text + "; rounding it takes the others' precision");
  return "";
}

}  // namespace onnxpress
