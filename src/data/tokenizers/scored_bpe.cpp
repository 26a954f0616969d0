// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/scored_bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "data/tokenizers/prefix_index.h"
#include "data/tokenizers/vocabulary.h"
#include "data/unicode.h"

namespace onnxpress {
namespace {

using PieceType = SentencePieceModel::PieceType;

// Part of the text, in a doubly linked list; of size 0 once it was joined with its left neighbour.
struct Symbol {
  std::size_t begin = 0;
  std::size_t size = 0;
  std::int32_t previous = -1;
  std::int32_t next = -1;
  bool frozen = false;
};

// Neighbours that may be joined; out of date if their sizes have changed since.
struct Candidate {
  float score = 0;
  std::int32_t left = 0;
  std::int32_t right = 0;
  std::size_t size = 0;
  bool operator<(const Candidate& other) const {  // the top of the queue is the largest
    return score < other.score || (score == other.score && left > other.left);
  }
};

class ScoredBpe final : public TokenModel {
 public:
  explicit ScoredBpe(const SentencePieceModel& model) : unknown_id_(model.unknown_id) {
    std::vector<std::pair<std::string, std::int32_t>> user_defined;
    bytes_.assign(model.byte_fallback ? 256 : 0, model.unknown_id);
    for (const auto& piece : model.pieces) {
      const auto id = static_cast<std::int32_t>(scores_.size());
      scores_.push_back(piece.score);
      unused_.push_back(piece.type == PieceType::unused);
      if (piece.type == PieceType::user_defined) user_defined.emplace_back(piece.text, id);
      if (piece.type == PieceType::normal || piece.type == PieceType::user_defined ||
          piece.type == PieceType::unused) {
        pieces_.add(piece.text, id);
      }
      for (std::size_t byte = 0; piece.type == PieceType::byte && byte < bytes_.size(); ++byte) {
        if (piece.text == fmt::format("<0x{:02X}>", byte)) bytes_[byte] = id;
      }
    }
    user_defined_ = PrefixIndex(std::move(user_defined));
  }

  void tokenize(std::string_view text, std::vector<std::int32_t>& ids) const override {
    std::vector<Symbol> symbols = split(text);
    std::unordered_map<std::string_view, std::size_t> cuts;  // where unused pieces came together
    join(text, symbols, cuts);
    bool after_unknown = false;
    for (const Symbol& symbol : symbols) {
      if (symbol.size > 0) emit(text.substr(symbol.begin, symbol.size), cuts, after_unknown, ids);
    }
  }

 private:
  std::vector<Symbol> split(std::string_view text) const {
    std::vector<Symbol> symbols;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t defined = user_defined_.longest(text.substr(at)).length;
      const std::size_t size = defined > 0 ? defined : unicode::first(text.substr(at)).bytes;
      const auto position = static_cast<std::int32_t>(symbols.size());
      if (position > 0) symbols.back().next = position;
      symbols.push_back({at, size, position - 1, -1, defined > 0});
      at += size;
    }
    return symbols;
  }

  void join(std::string_view text, std::vector<Symbol>& symbols,
            std::unordered_map<std::string_view, std::size_t>& cuts) const {
    const auto at = [&](std::int32_t position) -> Symbol& {
      return symbols[static_cast<std::size_t>(position)];
    };
    std::priority_queue<Candidate> queue;
    const auto consider = [&](std::int32_t left, std::int32_t right) {
      if (left < 0 || right < 0 || at(left).frozen || at(right).frozen) return;
      const std::size_t size = at(left).size + at(right).size;
      const std::string_view piece = text.substr(at(left).begin, size);
      const auto id = pieces_.find(piece);
      if (!id) return;
      queue.push({scores_[static_cast<std::size_t>(*id)], left, right, size});
      if (unused_[static_cast<std::size_t>(*id)]) cuts.insert_or_assign(piece, at(left).size);
    };
    for (std::size_t i = 1; i < symbols.size(); ++i) {
      consider(static_cast<std::int32_t>(i) - 1, static_cast<std::int32_t>(i));
    }
    while (!queue.empty()) {
      const Candidate best = queue.top();
      queue.pop();
      Symbol& left = at(best.left);
      Symbol& right = at(best.right);
      if (left.size == 0 || right.size == 0 || left.size + right.size != best.size) continue;
      left.size = best.size;
      left.next = right.next;
      if (right.next >= 0) at(right.next).previous = best.left;
      right.size = 0;
      consider(left.previous, best.left);
      consider(best.left, left.next);
    }
  }

  // Appends the ids of a symbol; an unused piece is cut again where it was joined.
  void emit(std::string_view symbol, const std::unordered_map<std::string_view, std::size_t>& cuts,
            bool& after_unknown, std::vector<std::int32_t>& ids) const {
    std::vector<std::string_view> rest = {symbol};
    while (!rest.empty()) {
      const std::string_view piece = rest.back();
      rest.pop_back();
      const auto id = pieces_.find(piece);
      const auto cut = id && unused_[static_cast<std::size_t>(*id)] ? cuts.find(piece) : cuts.end();
      if (cut != cuts.end()) {
        rest.push_back(piece.substr(cut->second));
        rest.push_back(piece.substr(0, cut->second));
        continue;
      }
      if (id) {
        ids.push_back(*id);
      } else if (!bytes_.empty()) {
        for (const char byte : piece) ids.push_back(bytes_[static_cast<unsigned char>(byte)]);
      } else if (!after_unknown) {
        ids.push_back(unknown_id_);
      }
      after_unknown = !id && bytes_.empty();
    }
  }

  Vocabulary pieces_;
  PrefixIndex user_defined_;
  std::vector<float> scores_;
  std::vector<bool> unused_;
  std::vector<std::int32_t> bytes_;  // id of each byte's piece; or empty
  std::int32_t unknown_id_;
};

}  // namespace

std::unique_ptr<TokenModel> make_scored_bpe(const SentencePieceModel& model) {
  return std::make_unique<ScoredBpe>(model);
}

}  // namespace onnxpress
