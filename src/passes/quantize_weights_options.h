// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "passes/linear_units.h"
#include "passes/options.h"

namespace onnxpress {

struct QuantizeWeightsOptions : UnitOptions {
  std::string method = "auto";
  std::int64_t bits = 8;
  std::int64_t group = 0;
  bool symmetric = true;
  std::string storage = "auto";
  std::int64_t accuracy_level = 0;
  bool clip = true;
  double outlier_limit = 0;
  double damping = 0;
  bool activation_order = true;
  std::int64_t refine = 2;
  bool refit = true;
  double refit_strength = 0.1;
  bool bias_correction = true;
  std::int64_t low_rank_correction = 0;
  std::string correction_type = "int8";
  std::int64_t correction_rounds = 2;
};

// Their names, defaults and what they mean.
[[nodiscard]] const OptionTable<QuantizeWeightsOptions>& quantize_weights_options();

}  // namespace onnxpress
