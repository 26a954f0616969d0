// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/wordpiece.h"

#include <utility>

#include "data/tokenizers/prefix_index.h"
#include "data/unicode.h"

namespace onnxpress {
namespace {

class WordPiece final : public TokenModel {
 public:
  WordPiece(const Vocabulary& vocabulary, const WordPieceOptions& options)
      : unknown_id_(options.unknown_id), max_characters_(options.max_characters) {
    const std::string& mark = options.continuation;
    std::vector<std::pair<std::string, std::int32_t>> starts;
    std::vector<std::pair<std::string, std::int32_t>> continuations;
    for (const auto& [token, id] : vocabulary.tokens()) {
      starts.emplace_back(token, id);
      if (token.starts_with(mark)) continuations.emplace_back(token.substr(mark.size()), id);
    }
    starts_ = PrefixIndex(std::move(starts));
    continuations_ = PrefixIndex(std::move(continuations));
  }

  void tokenize(std::string_view word, std::vector<std::int32_t>& ids) const override {
    const std::size_t before = ids.size();
    const auto unknown = [&] {
      ids.resize(before);
      ids.push_back(unknown_id_);
    };
    if (word.size() > max_characters_ && unicode::length(word) > max_characters_) return unknown();
    const PrefixIndex* index = &starts_;
    while (!word.empty()) {
      const auto match = index->longest(word);
      if (match.length == 0) return unknown();
      ids.push_back(match.id);
      word.remove_prefix(match.length);
      index = &continuations_;
    }
  }

 private:
  PrefixIndex starts_;
  PrefixIndex continuations_;
  std::int32_t unknown_id_;
  std::size_t max_characters_;
};

class WordLevel final : public TokenModel {
 public:
  WordLevel(Vocabulary vocabulary, std::int32_t unknown_id)
      : vocabulary_(std::move(vocabulary)), unknown_id_(unknown_id) {}

  void tokenize(std::string_view word, std::vector<std::int32_t>& ids) const override {
    if (word.empty()) return;
    const std::int32_t id = vocabulary_.find(word).value_or(unknown_id_);
    if (id >= 0) ids.push_back(id);
  }

 private:
  Vocabulary vocabulary_;
  std::int32_t unknown_id_;
};

}  // namespace

std::unique_ptr<TokenModel> make_wordpiece(const Vocabulary& vocabulary,
                                           const WordPieceOptions& options) {
  return std::make_unique<WordPiece>(vocabulary, options);
}

std::unique_ptr<TokenModel> make_word_level(Vocabulary vocabulary, std::int32_t unknown_id) {
  return std::make_unique<WordLevel>(std::move(vocabulary), unknown_id);
}

}  // namespace onnxpress
