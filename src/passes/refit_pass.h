// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/pass.h"

namespace onnxpress {

// A pass that brings the model back to what it was before the recipe's first pass. The runner
// keeps that model if a recipe has such a pass, and hands it over before plan(). Values that no
// pass has replaced have the same ids and names in it (original_value.h).
class RefitPass : public Pass {
 public:
  // `original` must outlive the pass. Without it, the model as the pass finds it is the original.
  void compare_with(const Model* original) { original_ = original; }

 protected:
  [[nodiscard]] const Model* original() const { return original_; }
  // Throws Error (missing_data) where there are no samples to run through both models; a dry run
  // needs none. `what` is refitted: "norms are".
  static void require_samples(const PassContext& context, std::string_view what);

 private:
  const Model* original_ = nullptr;
};

}  // namespace onnxpress
