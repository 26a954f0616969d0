// SPDX-License-Identifier: Apache-2.0
#include "passes/refit_pass.h"

#include <fmt/format.h>

#include "base/error_codes.h"

namespace onnxpress {

void RefitPass::require_samples(const PassContext& context, std::string_view what) {
  if (context.dry_run()) return;
  if (context.calibration() != nullptr && context.calibration()->set) return;
  const char* why = context.calibration() == nullptr ? "and there are none"
                                                     : "which a file of statistics does not hold";
  throw Error(codes::missing_data, fmt::format("{} refitted on samples, {}", what, why),
              "add --data and, for text, --tokenizer");
}

}  // namespace onnxpress
