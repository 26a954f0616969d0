// SPDX-License-Identifier: Apache-2.0
#include "pipeline/option_paths.h"

#include <variant>

namespace onnxpress {

bool is_path(std::string_view option) {
  return option == "corpus" || option == "latency_table" || option == "tokenizer";
}

std::string path_from_here(const std::filesystem::path& folder, const std::string& path) {
  return path.empty() ? "" : (folder / path).string();
}

OptionValues paths_from_here(const std::filesystem::path& folder, OptionValues options) {
  for (auto& [name, value] : options) {
    if (is_path(name)) value = path_from_here(folder, std::get<std::string>(value));
  }
  return options;
}

std::string path_in_recipe(const std::filesystem::path& folder, const std::string& path) {
  if (path.empty() || folder.empty() || std::filesystem::path(path).is_absolute()) return path;
  // Of the folder only: proximate() follows links, and a file that is not there it leaves as it is.
  const std::filesystem::path whole = std::filesystem::absolute(path);
  return (std::filesystem::proximate(whole.parent_path(), folder) / whole.filename()).string();
}

}  // namespace onnxpress
