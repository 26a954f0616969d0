// SPDX-License-Identifier: Apache-2.0
#include "api/vocabulary.h"

#include <algorithm>
#include <filesystem>

#include "base/error_codes.h"
#include "passes/prune_vocabulary.h"

namespace onnxpress::api {
namespace {

constexpr std::string_view kPass = "prune_vocabulary";

std::string text_option(const OptionValues& options, std::string_view name) {
  const auto found = options.find(name);
  if (found == options.end()) return "";
  const auto* text = std::get_if<std::string>(&found->second);
  return text == nullptr ? "" : *text;
}

bool is_set_by_flag(const CompressRequest& request, std::string_view option) {
  const std::string beginning = std::string(kPass) + "." + std::string(option) + "=";
  return std::ranges::any_of(request.set, [&](const std::string& assignment) {
    return assignment.starts_with(beginning);
  });
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
  VocabularyFiles files;
  files.corpus_ = text_option(pass->options, "corpus");
  if (!files.corpus_.empty() && !request.recipe.empty() && !is_set_by_flag(request, "corpus")) {
    const std::filesystem::path folder = std::filesystem::path(request.recipe).parent_path();
    files.corpus_ = (folder / files.corpus_).string();
  }
  files.tokenizer_ = text_option(pass->options, "tokenizer");
  if (files.tokenizer_.empty()) files.tokenizer_ = tokenizer_for(request.data, model.path.string());
  if (!files.corpus_.empty()) pass->options["corpus"] = files.corpus_;
  if (!files.tokenizer_.empty()) pass->options["tokenizer"] = files.tokenizer_;
  if (request.data.cased) pass->options["cased"] = true;
  files.options_ = pass->options;
  return files;
}

std::string VocabularyFiles::contents() const {
  return cut_vocabulary(vocabulary_cut_options(options_)).vocabulary;
}

}  // namespace onnxpress::api
