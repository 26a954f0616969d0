// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error_codes.h"
#include "base/mapped_file.h"
#include "data/json.h"
#include "data/model_folder.h"
#include "data/tokenizers/sentencepiece.h"
#include "data/tokenizers/tokenizer.h"
#include "data/tokenizers/tokenizer_json.h"
#include "data/tokenizers/vocabulary_files.h"

namespace onnxpress {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string_view text_of(const MappedFile& file) {
  const auto bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Whether tokenizer_config.json beside the vocabulary says that case matters.
bool configured_as_cased(const fs::path& vocabulary) {
  const fs::path path = vocabulary.parent_path() / "tokenizer_config.json";
  if (!fs::is_regular_file(path)) return false;
  const auto file = MappedFile::open(path);
  const json config = parse_json(text_of(*file), path.string(), codes::bad_tokenizer);
  const auto lower = config.is_object() ? config.find("do_lower_case") : config.end();
  return lower != config.end() && lower->is_boolean() && !lower->get<bool>();
}

std::unique_ptr<Tokenizer> load_json(const fs::path& path, std::string_view text) {
  const json content = parse_json(text, path.string(), codes::bad_tokenizer);
  if (content.is_object() && content.contains("model") && content["model"].is_object()) {
    return make_json_tokenizer(content, path.string());
  }
  const auto is_id = [](const json& value) { return value.is_number_integer(); };
  if (!content.is_object() || content.empty() || !std::ranges::all_of(content, is_id)) {
    throw Error(codes::bad_tokenizer,
                fmt::format("{}: JSON, but neither a tokenizer.json (it has no \"model\") nor a "
                            "vocab.json (tokens with their ids)",
                            path.string()));
  }
  const fs::path merges = path.parent_path() / "merges.txt";
  if (!fs::is_regular_file(merges)) return make_character_tokenizer(content, path);
  const auto file = MappedFile::open(merges);
  try {
    return make_gpt2_tokenizer(content, text_of(*file), path);
  } catch (const Error& error) {
    throw error.in(path.string());
  }
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& path, const TokenizerOptions& options) {
  if (fs::is_directory(path)) {
    const auto found = find_tokenizer(path);
    if (!found) {
      throw Error(codes::bad_tokenizer,
                  fmt::format("{}: the folder has no tokenizer.json, vocab.txt, vocab.json, "
                              "tokenizer.model or spiece.model",
                              path.string()));
    }
    return load_tokenizer(*found, options);
  }
  if (path.filename() == "merges.txt" && fs::is_regular_file(path.parent_path() / "vocab.json")) {
    return load_tokenizer(path.parent_path() / "vocab.json", options);
  }
  const auto file = MappedFile::open(path);
  std::string_view text = text_of(*file);
  if (text.empty()) {
    throw Error(codes::bad_tokenizer, fmt::format("{}: the file is empty", path.string()));
  }
  if (path.extension() == ".model" || path.filename() == "sentencepiece.bpe.model") {
    return make_sentencepiece_tokenizer(text, path.string());
  }
  if (path.extension() == ".json") return load_json(path, text);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return make_bert_tokenizer(text, path, options.cased.value_or(configured_as_cased(path)));
}

}  // namespace onnxpress
