// SPDX-License-Identifier: Apache-2.0
#include "pipeline/recipe.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error_codes.h"
#include "base/sha256.h"
#include "onnxpress/nearest.h"
#include "passes/registry.h"
#include "pipeline/option_paths.h"

namespace onnxpress {

std::string to_toml(const Recipe& recipe) {
  std::string text = "schema = 1\n";
  const auto add = [&](std::string_view key, const OptionValue& value) {
    text += fmt::format("{} = {}\n", key, to_toml(value));
  };
  if (recipe.data != RecipeData{}) {
    const RecipeData& data = recipe.data;
    text += "\n[data]\n";
    if (data.path) add("path", *data.path);
    if (data.tokenizer) add("tokenizer", *data.tokenizer);
    if (data.calibration) add("calibration", *data.calibration);
    if (!data.text.empty()) add("text", data.text);
    if (data.label) add("label", *data.label);
    if (data.samples) add("samples", *data.samples);
    if (data.seed) add("seed", *data.seed);
    if (data.max_length) add("max_length", *data.max_length);
    if (data.batch) add("batch", *data.batch);
  }
  for (const RecipePass& pass : recipe.passes) {
    const PassInfo& info = find_pass(pass.name);
    text += "\n[[pass]]\n";
    add("name", pass.name);
    for (const auto& [name, value] :
         resolve_options(info.options, pass.options, "pass " + pass.name)) {
      add(name, value);
    }
  }
  if (!recipe.fail_if.empty()) {
    text += "\n[gate]\n";
    add("fail_if", recipe.fail_if);
  }
  return text;
}

std::string hash(const Recipe& recipe) {
  const std::string text = to_toml(recipe);
  return sha256(std::as_bytes(std::span(text)));
}

void set_option(Recipe& recipe, std::string_view assignment, const std::filesystem::path& folder) {
  const std::size_t equals = assignment.find('=');
  const std::size_t dot = assignment.substr(0, equals).find('.');
  if (equals == std::string_view::npos || dot == std::string_view::npos) {
    throw Error(codes::usage_error, fmt::format("\"{}\" should be pass.option=value", assignment),
                "for example --set quantize_weights.bits=8");
  }
  const std::string name(assignment.substr(0, dot));
  const std::string key(assignment.substr(dot + 1, equals - dot - 1));
  const PassInfo& info = find_pass(name);
  std::vector<std::string> known;
  for (const OptionInfo& option : info.options) known.push_back(option.name);
  const auto option = std::ranges::find(info.options, key, &OptionInfo::name);
  if (option == info.options.end()) {
    throw Error(codes::unknown_name, fmt::format("pass {} has no option \"{}\"", name, key),
                did_you_mean(key, known));
  }
  OptionValue value = parse_option(*option, assignment.substr(equals + 1));
  if (is_path(key)) value = path_in_recipe(folder, std::get<std::string>(value));
  bool found = false;
  std::vector<std::string> used;
  for (RecipePass& pass : recipe.passes) {
    used.push_back(pass.name);
    if (pass.name != name) continue;
    pass.options[key] = value;
    found = true;
  }
  if (!found) {
    throw Error(codes::bad_option, fmt::format("the recipe has no pass {}", name),
                did_you_mean(name, used));
  }
}

void set_default(Recipe& recipe, std::string_view option, const OptionValue& value) {
  for (RecipePass& pass : recipe.passes) {
    const PassInfo& info = find_pass(pass.name);
    const auto row = std::ranges::find(info.options, option, &OptionInfo::name);
    if (row != info.options.end()) {
      pass.options.emplace(std::string(option), check_option(*row, value));
    }
  }
}

void add_globs(Recipe& recipe, std::string_view option, const std::vector<std::string>& globs) {
  if (globs.empty()) return;
  bool found = false;
  for (RecipePass& pass : recipe.passes) {
    const PassInfo& info = find_pass(pass.name);
    const auto row = std::ranges::find(info.options, option, &OptionInfo::name);
    if (row == info.options.end()) continue;
    OptionValue value = row->default_value;
    if (const auto given = pass.options.find(option); given != pass.options.end()) {
      value = given->second;
    }
    auto& list = std::get<std::vector<std::string>>(value);
    list.insert(list.end(), globs.begin(), globs.end());
    pass.options[std::string(option)] = value;
    found = true;
  }
  if (!found) {
    throw Error(codes::bad_option, fmt::format("no pass of the recipe has the option {}", option),
                "it works with passes that quantize units");
  }
}

}  // namespace onnxpress
