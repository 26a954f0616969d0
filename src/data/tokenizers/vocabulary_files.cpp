// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/vocabulary_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error_codes.h"
#include "data/tokenizers/bpe.h"
#include "data/tokenizers/normalizers.h"
#include "data/tokenizers/pipeline.h"
#include "data/tokenizers/pre_tokenizers.h"
#include "data/tokenizers/vocabulary.h"
#include "data/tokenizers/wordpiece.h"
#include "data/unicode.h"

namespace onnxpress {
namespace {

using nlohmann::json;
using Kind = FramePiece::Kind;

// Calls visit(line, number) for each line, without its end.
template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    visit(line, number);
  }
}

Vocabulary read_ids(const json& object, const std::filesystem::path& path) {
  Vocabulary vocabulary;
  for (const auto& [token, id] : object.items()) {
    const auto number = id.is_number_integer() ? id.get<std::int64_t>() : -1;
    if (number < 0 || number >= std::numeric_limits<std::int32_t>::max()) {
      throw Error(codes::bad_tokenizer,
                  fmt::format("{}: the id of token \"{}\" is not a whole number from 0 on",
                              path.string(), token));
    }
    vocabulary.add(token, static_cast<std::int32_t>(number));
  }
  if (vocabulary.size() == 0) {
    throw Error(codes::bad_tokenizer, fmt::format("{}: there are no tokens", path.string()));
  }
  return vocabulary;
}

std::vector<std::pair<std::string, std::string>> read_merges(std::string_view text,
                                                             const std::filesystem::path& path) {
  std::vector<std::pair<std::string, std::string>> merges;
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    if (line.empty() || line.starts_with("#version")) return;
    const std::size_t blank = line.find(' ');
    if (blank == 0 || blank >= line.size() - 1 || line.find(' ', blank + 1) != line.npos) {
      throw Error(codes::bad_tokenizer,
                  fmt::format("{}:{}: a line of merges must be two tokens with a blank between",
                              path.string(), number));
    }
    merges.emplace_back(line.substr(0, blank), line.substr(blank + 1));
  });
  return merges;
}

// The tokens of a list that the vocabulary has.
std::vector<AddedToken> special_tokens(const Vocabulary& vocabulary,
                                       std::initializer_list<std::string_view> contents) {
  std::vector<AddedToken> tokens;
  for (const std::string_view content : contents) {
    if (const auto id = vocabulary.find(content)) {
      tokens.push_back({.content = std::string(content), .id = *id});
    }
  }
  return tokens;
}

class CharacterTokenizer final : public Tokenizer {
 public:
  explicit CharacterTokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {
    vocabulary_size_ = vocabulary_.size();
    for (const char* name : {"<unk>", "[UNK]", "<UNK>"}) {
      if (!unknown_) unknown_ = vocabulary_.find(name);
    }
    for (const char* name : {"<pad>", "[PAD]", "<PAD>"}) {
      if (const auto id = vocabulary_.find(name)) pad_id_ = *id;
    }
  }

  [[nodiscard]] std::vector<std::int32_t> tokenize(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    while (!text.empty()) {
      const auto [c, bytes] = unicode::first(text);
      std::string character;
      unicode::append(character, c);
      auto id = vocabulary_.find(character);
      if (!id) id = unknown_;
      if (!id) {
        throw Error(codes::tokenizer_mismatch,
                    fmt::format("the character \"{}\" (U+{:04X}) is not in the vocabulary, which "
                                "has no <unk>",
                                character, static_cast<std::uint32_t>(c)));
      }
      ids.push_back(*id);
      text.remove_prefix(bytes);
    }
    return ids;
  }

 private:
  Vocabulary vocabulary_;
  std::optional<std::int32_t> unknown_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_bert_tokenizer(std::string_view text,
                                               const std::filesystem::path& path, bool cased) {
  if (!unicode::is_valid_utf8(text) || text.find('\0') != text.npos) {
    throw Error(codes::bad_tokenizer,
                fmt::format("{}: is not text; a vocab.txt has one token a line", path.string()));
  }
  Vocabulary vocabulary;
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    vocabulary.add(std::string(line), static_cast<std::int32_t>(number - 1));
  });
  const auto unknown = vocabulary.find("[UNK]");
  const auto start = vocabulary.find("[CLS]");
  const auto separator = vocabulary.find("[SEP]");
  if (!unknown || !start || !separator) {
    throw Error(codes::bad_tokenizer,
                fmt::format("{}: a WordPiece vocabulary has the tokens [UNK], [CLS] and [SEP], one "
                            "token a line, but {} is not among these {} lines",
                            path.string(),
                            !unknown ? "[UNK]"
                            : !start ? "[CLS]"
                                     : "[SEP]",
                            vocabulary.size()));
  }
  PipelineParts parts;
  parts.added_tokens = special_tokens(vocabulary, {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"});
  parts.normalizer = bert_normalizer({.strip_accents = !cased, .lower_case = !cased});
  parts.pre_tokenizer = bert_pre_tokenizer();
  parts.model = make_wordpiece(vocabulary, {.unknown_id = *unknown});
  const FramePiece cls{Kind::special, {*start}, 0};
  const FramePiece sep{Kind::special, {*separator}, 0};
  const FramePiece second_sep{Kind::special, {*separator}, 1};
  parts.frame.single = {cls, {Kind::first, {}, 0}, sep};
  parts.frame.pair = {cls, {Kind::first, {}, 0}, sep, {Kind::second, {}, 1}, second_sep};
  parts.vocabulary_size = vocabulary.size();
  parts.pad_id = vocabulary.find("[PAD]").value_or(0);
  return std::make_unique<PipelineTokenizer>(std::move(parts));
}

std::unique_ptr<Tokenizer> make_gpt2_tokenizer(const json& vocabulary_json, std::string_view merges,
                                               const std::filesystem::path& path) {
  const Vocabulary vocabulary = read_ids(vocabulary_json, path);
  PipelineParts parts;
  parts.pre_tokenizer = byte_level_pre_tokenizer(false, true);
  parts.vocabulary_size = vocabulary.size();
  parts.pad_id = vocabulary.find("<pad>").value_or(0);
  const auto start = vocabulary.find("<s>");
  const auto end = vocabulary.find("</s>");
  if (start && end && vocabulary.has("<mask>")) {
    const FramePiece before{Kind::special, {*start}, 0};
    const FramePiece behind{Kind::special, {*end}, 0};
    parts.frame.single = {before, {Kind::first, {}, 0}, behind};
    parts.frame.pair = {before, {Kind::first, {}, 0},  behind,
                        behind, {Kind::second, {}, 0}, behind};
  }
  parts.model = make_bpe(vocabulary, read_merges(merges, path.parent_path() / "merges.txt"), {});
  return std::make_unique<PipelineTokenizer>(std::move(parts));
}

std::unique_ptr<Tokenizer> make_character_tokenizer(const json& vocabulary,
                                                    const std::filesystem::path& path) {
  return std::make_unique<CharacterTokenizer>(read_ids(vocabulary, path));
}

}  // namespace onnxpress
