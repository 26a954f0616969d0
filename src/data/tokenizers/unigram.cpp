// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/unigram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error_codes.h"
#include "data/tokenizers/prefix_index.h"
#include "data/unicode.h"

namespace onnxpress {
namespace {

constexpr double kUnknownPenalty = 10.0;
constexpr std::int32_t kUnknown = -1;
using Score = double;

// Notes the id of a piece like <0x0A> for its byte.
void note_byte(std::string_view piece, std::int32_t id, std::vector<std::int32_t>& bytes) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  if (piece.size() != 6 || !piece.starts_with("<0x") || !piece.ends_with('>')) return;
  const std::size_t high = kDigits.find(piece[3]);
  const std::size_t low = kDigits.find(piece[4]);
  if (high < 16 && low < 16) bytes[high * 16 + low] = id;
}

// The best way to cut the text up to some byte ends with this piece.
struct Step {
  Score score = 0;
  std::size_t start = 0;
  std::int32_t id = kUnknown;
  bool reached = false;
};

// What the model is made of, from either kind of file.
struct Parts {
  std::vector<std::pair<std::string, std::int32_t>> entries;  // what can be found in a text
  std::vector<Score> scores;                                  // by id
  std::vector<std::int32_t> bytes;                            // id of each byte's piece, or empty
  std::int32_t unknown_id = kUnknown;
  Score unknown_score = 0;
};

class Unigram final : public TokenModel {
 public:
  explicit Unigram(Parts parts)
      : index_(std::move(parts.entries)),
        scores_(std::move(parts.scores)),
        bytes_(std::move(parts.bytes)),
        unknown_id_(parts.unknown_id),
        unknown_score_(parts.unknown_score) {}

  void tokenize(std::string_view word, std::vector<std::int32_t>& ids) const override {
    const std::vector<Step> steps = best_steps(word);
    std::vector<const Step*> path;
    for (std::size_t end = word.size(); end > 0; end = path.back()->start) {
      path.push_back(&steps[end]);
    }
    std::ranges::reverse(path);
    for (std::size_t i = 0; i < path.size();) {
      if (path[i]->id != kUnknown) {
        ids.push_back(path[i++]->id);
        continue;
      }
      const std::size_t start = path[i]->start;
      while (i < path.size() && path[i]->id == kUnknown) ++i;
      const std::size_t end = i < path.size() ? path[i]->start : word.size();
      add_unknown(word.substr(start, end - start), ids);
    }
  }

 private:
  // For every byte of the word at which a piece can end: the best last piece (Viterbi).
  std::vector<Step> best_steps(std::string_view word) const {
    std::vector<Step> steps(word.size() + 1);
    for (std::size_t start = 0; start < word.size();) {
      const std::string_view rest = word.substr(start);
      const std::size_t character = unicode::first(rest).bytes;
      const Score before = steps[start].score;
      bool covered = false;
      const auto offer = [&](std::size_t length, Score score, std::int32_t id) {
        Step& step = steps[start + length];
        if (step.reached && score <= step.score) return;
        step = {score, start, id, true};
      };
      index_.for_each_prefix(rest, [&](PrefixIndex::Match match) {
        const Score score = scores_[static_cast<std::size_t>(match.id)];
        offer(match.length, before + score, match.id == unknown_id_ ? kUnknown : match.id);
        covered = covered || match.length == character;
      });
      if (!covered) offer(character, before + unknown_score_, kUnknown);
      start += character;
    }
    return steps;
  }

  void add_unknown(std::string_view text, std::vector<std::int32_t>& ids) const {
    const auto has_token = [&](char byte) {
      return bytes_[static_cast<unsigned char>(byte)] != kUnknown;
    };
    const auto whole = index_.longest(text);
    if (whole.length == text.size()) {  // the unknown piece by its name
      ids.push_back(whole.id);
    } else if (!bytes_.empty() && std::ranges::all_of(text, has_token)) {
      for (const char byte : text) ids.push_back(bytes_[static_cast<unsigned char>(byte)]);
    } else if (unknown_id_ != kUnknown) {
      ids.push_back(unknown_id_);
    } else {
      throw Error(codes::bad_tokenizer,
                  fmt::format("\"{}\" has no token, and the tokenizer has no unknown one", text));
    }
  }

  PrefixIndex index_;
  std::vector<Score> scores_;
  std::vector<std::int32_t> bytes_;  // id of each byte's piece, or empty
  std::int32_t unknown_id_;
  Score unknown_score_;
};

}  // namespace

std::unique_ptr<TokenModel> make_unigram(const std::vector<std::pair<std::string, double>>& pieces,
                                         std::optional<std::size_t> unknown_id,
                                         bool byte_fallback) {
  Parts parts;
  double lowest = std::numeric_limits<double>::infinity();
  if (byte_fallback) parts.bytes.assign(256, kUnknown);
  for (const auto& [piece, score] : pieces) {
    if (!std::isfinite(score)) {
      throw Error(codes::bad_tokenizer,
                  fmt::format("the score of piece \"{}\" is not a finite number", piece));
    }
    const auto id = static_cast<std::int32_t>(parts.scores.size());
    if (byte_fallback) note_byte(piece, id, parts.bytes);
    parts.entries.emplace_back(piece, id);
    parts.scores.push_back(score);
    lowest = std::min(lowest, score);
  }
  if (unknown_id && *unknown_id >= pieces.size()) {
    throw Error(codes::bad_tokenizer,
                fmt::format("unk_id is {}, but there are {} pieces", *unknown_id, pieces.size()));
  }
  if (unknown_id) parts.unknown_id = static_cast<std::int32_t>(*unknown_id);
  parts.unknown_score = lowest - kUnknownPenalty;
  return std::make_unique<Unigram>(std::move(parts));
}

std::unique_ptr<TokenModel> make_unigram(const SentencePieceModel& model) {
  using PieceType = SentencePieceModel::PieceType;
  Parts parts;
  // As the library starts: the range holds the scores of normal pieces only.
  float lowest = std::numeric_limits<float>::max();
  float highest = std::numeric_limits<float>::lowest();
  for (const auto& piece : model.pieces) {
    if (piece.type != PieceType::normal) continue;
    lowest = std::min(lowest, piece.score);
    highest = std::max(highest, piece.score);
  }
  if (model.byte_fallback) parts.bytes.assign(256, kUnknown);
  for (const auto& piece : model.pieces) {
    const auto id = static_cast<std::int32_t>(parts.scores.size());
    const bool defined = piece.type == PieceType::user_defined;
    const float length = static_cast<float>(piece.text.size());
    if (defined || piece.type == PieceType::normal) parts.entries.emplace_back(piece.text, id);
    if (piece.type == PieceType::byte && model.byte_fallback)
      note_byte(piece.text, id, parts.bytes);
    parts.scores.push_back(defined ? length * highest - 0.1 : piece.score);
  }
  parts.unknown_id = model.unknown_id;
  parts.unknown_score = lowest - kUnknownPenalty;
  return std::make_unique<Unigram>(std::move(parts));
}

}  // namespace onnxpress
