// SPDX-License-Identifier: Apache-2.0
#include "api/vocabulary.h"

#include <algorithm>
#include <filesystem>

#include "api/recipe_of.h"
#include "base/error_codes.h"
#include "passes/prune_vocabulary.h"
#include "pipeline/option_paths.h"

namespace onnxpress::api {
namespace {

constexpr std::string_view kPass = "prune_vocabulary";

std::string text_option(const OptionValues& options, std::string_view name) {
  const auto found = options.find(name);
  if (found == options.end()) return "";
  const auto* text = std::get_if<std::string>(&found->second);
  return text == nullptr ? "" : *text;
}

}  // namespace

std::optional<VocabularyFiles> VocabularyFiles::of(Recipe& recipe, const CompressRequest& request,
                                                   const OpenedModel& model) {
  const auto pass = std::ranges::find(recipe.passes, kPass, &RecipePass::name);
  if (pass == recipe.passes.end()) return {};
  if (!request.data.data.empty() || !request.data.eval_data.empty() ||
      !request.calibration.empty()) {
    throw Error(codes::bad_recipe,
                "prune_vocabulary gives tokens other ids than the data have, so nothing can be "
                "measured or calibrated in the same run",
                "run it without --data, then compress the result with its own vocab.txt");
  }
  const std::filesystem::path folder = recipe_folder(request);
  if (text_option(pass->options, "tokenizer").empty()) {
    pass->options["tokenizer"] =
        path_in_recipe(folder, tokenizer_for(request.data, model.path.string()));
  }
  if (request.data.cased) pass->options["cased"] = true;
  VocabularyFiles files;
  files.options_ = paths_from_here(folder, pass->options);
  files.corpus_ = text_option(files.options_, "corpus");
  files.tokenizer_ = text_option(files.options_, "tokenizer");
  return files;
}

std::string VocabularyFiles::contents() const {
  return cut_vocabulary(vocabulary_cut_options(options_)).vocabulary;
}

}  // namespace onnxpress::api
