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

// The best way to cut the text up to some byte ends with this piece.
struct Step {
  double score = 0;
  std::size_t start = 0;
  std::int32_t id = kUnknown;
  bool reached = false;
};

class Unigram final : public TokenModel {
 public:
  Unigram(const std::vector<std::pair<std::string, double>>& pieces,
          std::optional<std::size_t> unknown_id, bool byte_fallback) {
    std::vector<std::pair<std::string, std::int32_t>> entries;
    double lowest = std::numeric_limits<double>::infinity();
    for (const auto& [piece, score] : pieces) {
      if (!std::isfinite(score)) {
        throw Error(codes::bad_tokenizer,
                    fmt::format("the score of piece \"{}\" is not a finite number", piece));
      }
      entries.emplace_back(piece, static_cast<std::int32_t>(entries.size()));
      scores_.push_back(score);
      lowest = std::min(lowest, score);
    }
    if (unknown_id && *unknown_id >= pieces.size()) {
      throw Error(codes::bad_tokenizer,
                  fmt::format("unk_id is {}, but there are {} pieces", *unknown_id, pieces.size()));
    }
    if (unknown_id) unknown_id_ = static_cast<std::int32_t>(*unknown_id);
    unknown_score_ = lowest - kUnknownPenalty;
    index_ = PrefixIndex(std::move(entries));
    for (unsigned byte = 0; byte_fallback && byte < 256; ++byte) {
      const std::string name = fmt::format("<0x{:02X}>", byte);
      const auto match = index_.longest(name);
      bytes_.push_back(match.length == name.size() ? match.id : kUnknown);
    }
  }

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
      const double before = steps[start].score;
      bool covered = false;
      const auto offer = [&](std::size_t length, double score, std::int32_t id) {
        Step& step = steps[start + length];
        if (step.reached && score <= step.score) return;
        step = {score, start, id, true};
      };
      index_.for_each_prefix(rest, [&](PrefixIndex::Match match) {
        const double score = scores_[static_cast<std::size_t>(match.id)];
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
  std::vector<double> scores_;
  std::vector<std::int32_t> bytes_;  // id of each byte's piece, or empty
  std::int32_t unknown_id_ = kUnknown;
  double unknown_score_ = 0;
};

}  // namespace

std::unique_ptr<TokenModel> make_unigram(const std::vector<std::pair<std::string, double>>& pieces,
                                         std::optional<std::size_t> unknown_id,
                                         bool byte_fallback) {
  return std::make_unique<Unigram>(pieces, unknown_id, byte_fallback);
}

}  // namespace onnxpress
