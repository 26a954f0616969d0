// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "passes/options.h"

namespace onnxpress {

// [data] of a recipe: everything that the flags --data, --tokenizer, … say. Unset: not given.
struct RecipeData {
  std::optional<std::string> path;         // relative paths count from the recipe's folder
  std::optional<std::string> tokenizer;    // likewise
  std::optional<std::string> calibration;  // likewise: a file that `calibrate` made
  std::vector<std::string> text;           // columns, one or two
  std::optional<std::string> label;
  std::optional<std::int64_t> samples;
  std::optional<std::int64_t> seed;
  std::optional<std::int64_t> max_length;
  std::optional<std::int64_t> batch;
  friend bool operator==(const RecipeData&, const RecipeData&) = default;
};

struct RecipePass {
  std::string name;
  OptionValues options;  // those that were given, checked
  friend bool operator==(const RecipePass&, const RecipePass&) = default;
};

// What to do to a model: passes in order, and the gates its result must hold.
struct Recipe {
  std::string name;  // of the preset, or the recipe file's stem
  RecipeData data;
  std::vector<RecipePass> passes;
  std::vector<std::string> fail_if;
  friend bool operator==(const Recipe&, const Recipe&) = default;
};

// Reads a recipe. Every message has file, line and column; an unknown key names the nearest known
// one. Throws Error (bad_recipe).
[[nodiscard]] Recipe parse_recipe(std::string_view text, std::string_view file_name);
// Throws Error (bad_recipe, file_missing, not_a_file, cannot_read, over_budget).
[[nodiscard]] Recipe load_recipe(const std::filesystem::path& path);

// The recipe as TOML that parse_recipe reads back to an equal one. All options of every pass are
// written, defaults included.
[[nodiscard]] std::string to_toml(const Recipe& recipe);

// SHA-256 of to_toml(): equal for recipes that do the same, whatever their files look like.
[[nodiscard]] std::string hash(const Recipe& recipe);

// Applies "pass.key=value" to every pass of that name. A path counts from here, and is written as
// one of a recipe in `folder`. Throws Error (usage_error, unknown_name, bad_option).
void set_option(Recipe& recipe, std::string_view assignment,
                const std::filesystem::path& folder = {});
// Gives an option of that name a value in every pass that has it and was not given one.
void set_default(Recipe& recipe, std::string_view option, const OptionValue& value);
// Adds globs to the option "include" or "exclude" of every pass that has it. Throws Error
// (bad_option) if none has.
void add_globs(Recipe& recipe, std::string_view option, const std::vector<std::string>& globs);

// A recipe that comes with the program.
struct Preset {
  std::string_view name;
  std::string_view summary;
  bool needs_data = false;
  std::string_view passes;  // those behind fold_constants and deduplicate, as TOML
};
inline constexpr std::string_view kDefaultPreset = "int8-weights";
[[nodiscard]] std::span<const Preset> all_presets();
[[nodiscard]] std::vector<std::string> preset_names();
// Throws Error (unknown_name) that names the nearest preset.
[[nodiscard]] Recipe preset_recipe(std::string_view name);

}  // namespace onnxpress
