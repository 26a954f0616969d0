// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "api/request.h"
#include "onnxpress/compress.h"
#include "pipeline/recipe.h"

namespace onnxpress::api {

// What a recipe with prune_vocabulary reads and writes besides the model.
//
//   if (auto vocabulary = api::VocabularyFiles::of(recipe, request, model)) {
//     … run the recipe …
//     staged.add_beside("vocab.txt", vocabulary->contents());
//   }
class VocabularyFiles {
 public:
  // Fills in the pass's tokenizer where it is not given. Nothing where no pass prunes the
  // vocabulary. Throws Error (bad_recipe) where data are given: their tokens have the old ids.
  static std::optional<VocabularyFiles> of(Recipe& recipe, const CompressRequest& request,
                                           const OpenedModel& model);

  [[nodiscard]] const std::string& corpus() const { return corpus_; }
  [[nodiscard]] const std::string& tokenizer() const { return tokenizer_; }
  // Of the new vocab.txt.
  [[nodiscard]] std::string contents() const;

 private:
  std::string corpus_, tokenizer_;
  OptionValues options_;
};

}  // namespace onnxpress::api
