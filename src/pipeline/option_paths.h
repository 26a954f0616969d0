// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "passes/options.h"

namespace onnxpress {

// Options of passes that are paths. In a recipe they count from the folder it lies in:
//
//   corpus = "words.txt"  in recipes/mine.toml is recipes/words.txt

// Whether passes know the option as a path: "corpus", "latency_table", "tokenizer".
[[nodiscard]] bool is_path(std::string_view option);

// A path of a recipe in this folder as one from here; "" stays "".
[[nodiscard]] std::string path_from_here(const std::filesystem::path& folder,
                                         const std::string& path);
// The options with all paths from here.
[[nodiscard]] OptionValues paths_from_here(const std::filesystem::path& folder,
                                           OptionValues options);

// The other way round: a path from here as one of a recipe in this folder.
[[nodiscard]] std::string path_in_recipe(const std::filesystem::path& folder,
                                         const std::string& path);

}  // namespace onnxpress
