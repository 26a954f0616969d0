// SPDX-License-Identifier: Apache-2.0
#include "data/model_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error_codes.h"
#include "base/mapped_file.h"
#include "data/json.h"

namespace onnxpress {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> models_in(const fs::path& folder) {
  std::vector<fs::path> models;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".onnx" && entry.is_regular_file(ignored)) {
      models.push_back(entry.path());
    }
  }
  std::ranges::sort(models);
  return models;
}

// The folders in which files that belong to a model are looked for.
std::vector<fs::path> folders_of(const fs::path& path) {
  const fs::path folder = fs::is_directory(path) ? path : path.parent_path();
  std::vector<fs::path> folders = {folder};
  if (fs::absolute(folder.empty() ? "." : folder).filename() == "onnx")
    folders.push_back(folder / "..");
  return folders;
}

// A positive whole number of a JSON file; nothing where file or member is absent or odd. What some
// exporters write for "no limit" (1e30) is odd, too.
std::optional<std::size_t> number_in(const fs::path& path, const char* member) {
  constexpr std::int64_t kUsefulLimit = 1 << 24;
  if (!fs::is_regular_file(path)) return std::nullopt;
  const auto file = MappedFile::open(path);
  const std::string_view text(reinterpret_cast<const char*>(file->bytes().data()),
                              file->bytes().size());
  const nlohmann::json content = parse_json(text, path.string(), codes::bad_tokenizer);
  if (!content.is_object()) return std::nullopt;
  const auto found = content.find(member);
  if (found == content.end() || !found->is_number_integer()) return std::nullopt;
  const auto value = found->get<std::int64_t>();
  if (value <= 0 || value > kUsefulLimit) return std::nullopt;
  return static_cast<std::size_t>(value);
}

}  // namespace

fs::path find_model(const fs::path& path) {
  if (!fs::is_directory(path)) return path;
  for (const char* usual : {"model.onnx", "onnx/model.onnx"}) {
    if (fs::is_regular_file(path / usual)) return path / usual;
  }
  auto models = models_in(path);
  if (models.empty()) models = models_in(path / "onnx");
  if (models.size() == 1) return models[0];
  if (models.empty()) {
    throw Error(codes::file_missing,
                fmt::format("{}: the folder holds no .onnx file", path.string()));
  }
  throw Error(codes::file_missing,
              fmt::format("{}: the folder holds {} .onnx files (\"{}\", \"{}\", …) and none is "
                          "called model.onnx",
                          path.string(), models.size(), models[0].filename().string(),
                          models[1].filename().string()),
              "give the path of one of them");
}

std::optional<fs::path> find_tokenizer(const fs::path& path) {
  for (const fs::path& folder : folders_of(path)) {
    for (const char* name : {"tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model",
                             "spiece.model", "sentencepiece.bpe.model"}) {
      if (fs::is_regular_file(folder / name)) return (folder / name).lexically_normal();
    }
  }
  return std::nullopt;
}

std::optional<std::size_t> find_max_length(const fs::path& path) {
  std::optional<std::size_t> limit;
  for (const fs::path& folder : folders_of(path)) {
    for (const auto& [file, member] : {std::pair{"config.json", "max_position_embeddings"},
                                       std::pair{"tokenizer_config.json", "model_max_length"}}) {
      const auto found = number_in(folder / file, member);
      if (found) limit = std::min(limit.value_or(*found), *found);
    }
  }
  return limit;
}

}  // namespace onnxpress
