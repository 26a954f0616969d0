// SPDX-License-Identifier: Apache-2.0
#include "passes/refit_pass.h"

#include <fmt/format.h>

#include "base/error_codes.h"

namespace onnxpress {

void RefitPass::require_samples(const PassContext& context, std::string_view what) {
  if (context.dry_run()) return;
  if (context.calibration() != nullptr && context.calibration()->set) return;
  throw Error(codes::missing_data,
              fmt::format("{} refitted on samples, which a file of statistics does not hold", what),
              "add --data and, for text, --tokenizer");
}

}  // namespace onnxpress
