// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/tokenizer_json.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/error_codes.h"
#include "data/json.h"
#include "data/tokenizers/bpe.h"
#include "data/tokenizers/frame_json.h"
#include "data/tokenizers/pipeline.h"
#include "data/tokenizers/unigram.h"
#include "data/tokenizers/vocabulary.h"
#include "data/tokenizers/wordpiece.h"

namespace onnxpress {
namespace {

using nlohmann::json;

std::int32_t read_id(const json& number) {
  const auto id = number.get<std::int64_t>();
  if (id < 0 || id >= std::numeric_limits<std::int32_t>::max()) {
    throw Error(codes::bad_tokenizer, fmt::format("{} can't be the id of a token", id));
  }
  return static_cast<std::int32_t>(id);
}

Vocabulary read_vocabulary(const json& model) {
  Vocabulary vocabulary;
  for (const auto& [token, id] : object_member(model, "vocab", codes::bad_tokenizer).items()) {
    vocabulary.add(token, read_id(id));
  }
  return vocabulary;
}

// The member's text, or nothing where it is absent or null.
std::optional<std::string> text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  return found->get<std::string>();
}

std::unique_ptr<TokenModel> make_bpe_model(const json& model) {
  Vocabulary vocabulary = read_vocabulary(model);
  std::vector<std::pair<std::string, std::string>> merges;
  for (const json& merge : list_member(model, "merges", codes::bad_tokenizer)) {
    if (merge.is_array() && merge.size() == 2) {
      merges.emplace_back(merge[0], merge[1]);
      continue;
    }
    const std::string pair = merge;
    const std::size_t blank = pair.find(' ');
    if (blank == pair.npos || pair.find(' ', blank + 1) != pair.npos) {
      throw Error(codes::bad_tokenizer,
                  fmt::format("merge {} is \"{}\", not two tokens with a blank between",
                              merges.size() + 1, pair));
    }
    merges.emplace_back(pair.substr(0, blank), pair.substr(blank + 1));
  }
  BpeOptions options;
  if (const auto unknown = text_of(model, "unk_token"))
    options.unknown_id = vocabulary.find(*unknown);
  options.fuse_unknown = model.value("fuse_unk", false);
  options.byte_fallback = model.value("byte_fallback", false);
  options.ignore_merges = model.value("ignore_merges", false);
  options.continuation = text_of(model, "continuing_subword_prefix").value_or("");
  options.word_end = text_of(model, "end_of_word_suffix").value_or("");
  return make_bpe(std::move(vocabulary), merges, std::move(options));
}

std::unique_ptr<TokenModel> make_wordpiece_model(const json& model) {
  const Vocabulary vocabulary = read_vocabulary(model);
  const std::string unknown = model.value("unk_token", "[UNK]");
  WordPieceOptions options;
  const auto unknown_id = vocabulary.find(unknown);
  if (!unknown_id) {
    throw Error(codes::bad_tokenizer,
                fmt::format("the unknown token \"{}\" is not in the vocabulary", unknown));
  }
  options.unknown_id = *unknown_id;
  options.continuation = model.value("continuing_subword_prefix", "##");
  options.max_characters = model.value("max_input_chars_per_word", std::size_t{100});
  return make_wordpiece(vocabulary, options);
}

std::unique_ptr<TokenModel> make_unigram_model(const json& model) {
  std::vector<std::pair<std::string, double>> pieces;
  for (const json& piece : list_member(model, "vocab", codes::bad_tokenizer)) {
    pieces.emplace_back(piece.at(0), piece.at(1));
  }
  std::optional<std::size_t> unknown;
  if (model.contains("unk_id") && !model["unk_id"].is_null()) {
    unknown = static_cast<std::size_t>(read_id(model["unk_id"]));
  }
  return make_unigram(pieces, unknown, model.value("byte_fallback", false));
}

// Older files do not name the kind of their model, but its members tell.
std::string model_type(const json& model) {
  if (const auto type = text_of(model, "type")) return *type;
  if (model.contains("merges")) return "BPE";
  if (model.contains("vocab") && model["vocab"].is_array()) return "Unigram";
  return model.contains("max_input_chars_per_word") ? "WordPiece" : "WordLevel";
}

std::unique_ptr<TokenModel> make_model(const json& model) {
  const std::string type = model_type(model);
  if (type == "BPE") return make_bpe_model(model);
  if (type == "WordPiece") return make_wordpiece_model(model);
  if (type == "Unigram") return make_unigram_model(model);
  if (type == "WordLevel") {
    Vocabulary vocabulary = read_vocabulary(model);
    const auto unknown = vocabulary.find(model.value("unk_token", "<unk>"));
    return make_word_level(std::move(vocabulary), unknown.value_or(-1));
  }
  throw Error(codes::bad_tokenizer, fmt::format("model \"{}\" is not supported", type));
}

std::int32_t vocabulary_size(const json& model) {
  const json& vocab = model.at("vocab");
  if (vocab.is_array()) return static_cast<std::int32_t>(vocab.size());
  std::int32_t size = 0;
  for (const json& id : vocab) size = std::max(size, read_id(id) + 1);
  return size;
}

std::vector<AddedToken> read_added_tokens(const json& description) {
  std::vector<AddedToken> tokens;
  if (!description.contains("added_tokens") || description["added_tokens"].is_null()) return tokens;
  for (const json& token : list_member(description, "added_tokens", codes::bad_tokenizer)) {
    tokens.push_back({.content = token.at("content"),
                      .id = read_id(token.at("id")),
                      .normalized = token.value("normalized", !token.value("special", false)),
                      .single_word = token.value("single_word", false),
                      .strip_left = token.value("lstrip", false),
                      .strip_right = token.value("rstrip", false)});
  }
  return tokens;
}

// The id for padding: what the file says, or that of a token with a usual name.
std::int32_t pad_id(const json& description, const std::vector<AddedToken>& tokens) {
  const auto padding = description.find("padding");
  if (padding != description.end() && padding->is_object() && padding->contains("pad_id")) {
    return read_id(padding->at("pad_id"));
  }
  for (const AddedToken& token : tokens) {
    if (token.content == "[PAD]" || token.content == "<pad>") return token.id;
  }
  return 0;
}

std::unique_ptr<Tokenizer> make(const json& description) {
  const auto part = [&](const char* name) -> const json* {
    const auto found = description.find(name);
    return found == description.end() || found->is_null() ? nullptr : &*found;
  };
  const json& model = description.at("model");
  PipelineParts parts;
  parts.added_tokens = read_added_tokens(description);
  if (const json* normalizer = part("normalizer")) parts.normalizer = make_normalizer(*normalizer);
  if (const json* pre = part("pre_tokenizer")) parts.pre_tokenizer = make_pre_tokenizer(*pre);
  if (const json* post = part("post_processor")) parts.frame = make_frame(*post);
  parts.model = make_model(model);
  parts.vocabulary_size = vocabulary_size(model);
  parts.pad_id = pad_id(description, parts.added_tokens);
  if (const json* truncation = part("truncation")) {
    parts.max_length = truncation->at("max_length").get<std::size_t>();
  }
  return std::make_unique<PipelineTokenizer>(std::move(parts));
}

}  // namespace

std::unique_ptr<Tokenizer> make_json_tokenizer(const json& description, const std::string& source) {
  try {
    return make(description);
  } catch (const json::exception& error) {
    throw Error(codes::bad_tokenizer,
                fmt::format("{}: is not a tokenizer as expected: {}", source, error.what()));
  } catch (const Error& error) {
    throw error.in(source);
  }
}

}  // namespace onnxpress
