// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include "data/dataset.h"
#include "eval/gate.h"
#include "onnxpress/compress.h"
#include "pipeline/recipe.h"

namespace onnxpress::api {

// The preset or recipe file of a request with its options and globs applied. Throws Error.
[[nodiscard]] Recipe recipe_of(const CompressRequest& request);

// Where the request's recipe lies; "" of a preset, and of a file in the current folder.
[[nodiscard]] std::filesystem::path recipe_folder(const CompressRequest& request);

// The request with what it leaves open filled in from the recipe: data and gates.
[[nodiscard]] CompressRequest with_recipe_data(CompressRequest request, const Recipe& recipe);

// Throws Error (missing_data) if a gate needs labels that the data do not have.
void require_labels(const std::vector<Gate>& gates, const std::optional<Dataset>& data);

}  // namespace onnxpress::api
