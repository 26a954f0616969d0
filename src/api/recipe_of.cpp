// SPDX-License-Identifier: Apache-2.0
#include "api/recipe_of.h"

#include <fmt/format.h>

#include "api/request.h"
#include "base/error_codes.h"
#include "pipeline/option_paths.h"

namespace onnxpress::api {
namespace {

void fill(std::string& field, const std::optional<std::string>& value) {
  if (field.empty() && value) field = *value;
}

void fill_path(std::string& field, const std::optional<std::string>& value,
               const CompressRequest& request) {
  if (field.empty() && value) field = path_from_here(recipe_folder(request), *value);
}

// A flag that stands at its default gives way to the recipe.
template <class T>
void fill(T& field, T untouched, const std::optional<std::int64_t>& value) {
  if (field == untouched && value) field = static_cast<T>(*value);
}

}  // namespace

std::filesystem::path recipe_folder(const CompressRequest& request) {
  return std::filesystem::path(request.recipe).parent_path();
}

Recipe recipe_of(const CompressRequest& request) {
  if (!request.preset.empty() && !request.recipe.empty()) {
    throw Error(codes::usage_error, "both a preset and a recipe are given",
                "give --preset or --recipe, not both");
  }
  Recipe recipe = !request.recipe.empty()
                      ? load_recipe(request.recipe)
                      : preset_recipe(request.preset.empty() ? kDefaultPreset
                                                             : std::string_view(request.preset));
  for (const std::string& assignment : request.set) {
    set_option(recipe, assignment, recipe_folder(request));
  }
  // Sums of 16 bits must not saturate there.
  if (read_target(request.target) == Target::ort_cpu_avx2) {
    set_default(recipe, "weights", std::string("auto"));
  }
  if (!request.include.empty()) add_globs(recipe, "include", request.include);
  if (!request.exclude.empty()) add_globs(recipe, "exclude", request.exclude);
  return recipe;
}

CompressRequest with_recipe_data(CompressRequest request, const Recipe& recipe) {
  const RecipeData& from = recipe.data;
  const DataOptions defaults;
  DataOptions& data = request.data;
  fill_path(data.data, from.path, request);
  fill_path(data.tokenizer, from.tokenizer, request);
  fill_path(request.calibration, from.calibration, request);
  fill(data.label, from.label);
  if (data.text.empty()) data.text = from.text;
  fill(data.samples, defaults.samples, from.samples);
  fill(data.seed, defaults.seed, from.seed);
  fill(data.max_length, defaults.max_length, from.max_length);
  fill(data.batch, defaults.batch, from.batch);
  request.fail_if.insert(request.fail_if.end(), recipe.fail_if.begin(), recipe.fail_if.end());
  return request;
}

void require_labels(const std::vector<Gate>& gates, const std::optional<Dataset>& data) {
  for (const Gate& gate : gates) {
    if (gate.metric->needs != GateNeeds::labels) continue;
    if (!data || !data->has_labels()) {
      throw Error(codes::missing_data,
                  fmt::format("gate \"{}\" needs labels, and the data have none", gate.expression),
                  "name the column with --label, or use data that are labelled");
    }
  }
}

}  // namespace onnxpress::api
