// SPDX-License-Identifier: Apache-2.0
#include "passes/vocabulary_cut.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/error_codes.h"
#include "base/mapped_file.h"
#include "data/model_folder.h"
#include "data/tokenizers/tokenizer.h"

namespace onnxpress {
namespace {

namespace fs = std::filesystem;

std::string_view text_of(const MappedFile& file) {
  const auto bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Without line ends; a last line without one counts.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.push_back(line);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

bool is_special(std::string_view token) {
  return token.size() > 2 && token.front() == '[' && token.back() == ']' &&
         !token.starts_with("[unused");
}

// One character of UTF-8, alone or as what continues a word.
bool is_character(std::string_view token) {
  if (token.size() > 2 && token.starts_with("##")) token.remove_prefix(2);
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; };
  return std::ranges::count_if(token, begins) == 1;
}

fs::path vocabulary_file(const fs::path& tokenizer) {
  fs::path path = tokenizer;
  if (fs::is_directory(path)) path = find_tokenizer(path).value_or(path);
  if (path.extension() == ".txt") return path;
  throw Error(codes::unsupported_model,
              fmt::format("{}: only a vocabulary of WordPiece, vocab.txt, can be cut; what another "
                          "kind of tokenizer joins or scores depends on all of its pieces",
                          path.string()),
              "give --tokenizer vocab.txt, if the model has one");
}

}  // namespace

VocabularyCut cut_vocabulary(const VocabularyCutOptions& options) {
  const fs::path path = vocabulary_file(options.tokenizer);
  const auto tokenizer = load_tokenizer(path, {.cased = options.cased});
  const auto file = MappedFile::open(path);
  const auto tokens = lines_of(text_of(*file));
  if (tokens.size() < static_cast<std::size_t>(tokenizer->vocabulary_size())) {
    throw Error(codes::bad_tokenizer,
                fmt::format("{}: ids are not numbers of lines", path.string()));
  }
  const auto corpus = MappedFile::open(options.corpus);
  std::vector<bool> keep(tokens.size());
  bool empty = true;
  for (const std::string_view line : lines_of(text_of(*corpus))) {
    const auto ids = tokenizer->encode(line).ids;
    empty = empty && tokenizer->tokenize(line).empty();
    for (const std::int32_t id : ids) keep[static_cast<std::size_t>(id)] = true;
  }
  if (empty) {
    throw Error(codes::empty_data, fmt::format("{}: holds no text", options.corpus.string()));
  }
  VocabularyCut cut;
  cut.before = static_cast<std::int32_t>(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const bool character = options.characters && is_character(tokens[id]);
    if (!keep[id] && !character && !is_special(tokens[id])) continue;
    cut.kept.push_back(static_cast<std::int32_t>(id));
    cut.vocabulary += tokens[id];
    cut.vocabulary += '\n';
  }
  return cut;
}

}  // namespace onnxpress
