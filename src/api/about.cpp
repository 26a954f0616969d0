// SPDX-License-Identifier: Apache-2.0
#include "onnxpress/about.h"

#include <algorithm>
#include <cctype>

#include "api/request.h"
#include "base/error_codes.h"
#include "passes/registry.h"
#include "pipeline/recipe.h"

namespace onnxpress {
namespace {

PassDescription description_of(const PassInfo& pass) {
  PassDescription description{std::string(pass.name), std::string(pass.summary), false, {}};
  for (const OptionInfo& option : pass.options) {
    std::string type = type_name(option);
    std::string choices;
    for (const std::string& choice : option.choices) {
      choices += (choices.empty() ? "" : " | ") + choice;
    }
    description.options.push_back({option.name, choices.empty() ? type : choices,
                                   to_toml(option.default_value), option.help});
  }
  return description;
}

}  // namespace

std::string version() {
  return ONNXPRESS_VERSION;
}
std::string commit() {
  return ONNXPRESS_COMMIT;
}

Document list_passes(const std::string& name) {
  api::Recorder recorder("passes", {}, {});
  Document& document = recorder.document;
  if (!name.empty()) {
    document.pass_list.push_back(description_of(find_pass(name)));
    return recorder.finish();
  }
  for (const PassInfo& pass : all_passes()) document.pass_list.push_back(description_of(pass));
  for (const Preset& preset : all_presets()) {
    document.preset_list.push_back(
        {std::string(preset.name), std::string(preset.summary), preset.needs_data});
  }
  return recorder.finish();
}

std::string default_preset() {
  return std::string(kDefaultPreset);
}

std::optional<ErrorCode> find_error(std::string_view id) {
  const auto same = [&](const ErrorCode* code) {
    return std::ranges::equal(code->id, id, [](char a, char b) {
      return a == std::toupper(static_cast<unsigned char>(b));
    });
  };
  const auto found = std::ranges::find_if(codes::all(), same);
  if (found == codes::all().end()) return {};
  return **found;
}

std::vector<ErrorCode> all_errors() {
  std::vector<ErrorCode> errors;
  for (const ErrorCode* code : codes::all()) errors.push_back(*code);
  return errors;
}

}  // namespace onnxpress
