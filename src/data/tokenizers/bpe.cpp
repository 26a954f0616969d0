// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/bpe.h"

#include <fmt/format.h>

#include <queue>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/error_codes.h"
#include "data/unicode.h"

namespace onnxpress {
namespace {

struct Merge {
  std::int32_t rank = 0;
  std::int32_t id = 0;  // what the pair becomes
};

std::uint64_t key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U |
         static_cast<std::uint32_t>(right);
}

// A token of the word, in a doubly linked list.
struct Symbol {
  std::int32_t id = 0;
  std::int32_t previous = -1;
  std::int32_t next = -1;
  bool gone = false;
};

// A pair that may be merged; out of date if one of its sides has changed since.
struct Candidate {
  std::int32_t rank = 0;
  std::int32_t position = 0;  // of the left side
  std::int32_t id = 0;
  bool operator<(const Candidate& other) const {  // the top of the queue is the largest
    return std::tie(other.rank, other.position) < std::tie(rank, position);
  }
};

class Bpe final : public TokenModel {
 public:
  Bpe(Vocabulary vocabulary, std::span<const std::pair<std::string, std::string>> merges,
      BpeOptions options)
      : vocabulary_(std::move(vocabulary)), options_(std::move(options)) {
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      const auto& [left, right] = merges[rank];
      const bool marked = right.starts_with(options_.continuation);
      const std::string merged =
          left + (marked ? right.substr(options_.continuation.size()) : right);
      const Merge merge{static_cast<std::int32_t>(rank), require(merged, rank)};
      merges_.insert_or_assign(key(require(left, rank), require(right, rank)), merge);
    }
    for (unsigned byte = 0; options_.byte_fallback && byte < 256; ++byte) {
      bytes_.push_back(vocabulary_.find(fmt::format("<0x{:02X}>", byte)).value_or(-1));
    }
  }

  void tokenize(std::string_view word, std::vector<std::int32_t>& ids) const override {
    if (word.empty()) return;
    if (options_.ignore_merges) {
      if (const auto whole = vocabulary_.find(word)) return ids.push_back(*whole);
    }
    std::vector<Symbol> symbols = characters(word);
    merge_all(symbols);
    for (const Symbol& symbol : symbols) {
      if (!symbol.gone) ids.push_back(symbol.id);
    }
  }

 private:
  std::int32_t require(const std::string& token, std::size_t rank) const {
    const auto id = vocabulary_.find(token);
    if (!id) {
      throw Error(codes::bad_tokenizer,
                  fmt::format("merge {} needs the token \"{}\", which is not in the vocabulary",
                              rank + 1, token));
    }
    return *id;
  }

  std::vector<Symbol> characters(std::string_view word) const {
    std::vector<Symbol> symbols;
    symbols.reserve(word.size());
    const auto add = [&](std::int32_t id) {
      const auto position = static_cast<std::int32_t>(symbols.size());
      if (position > 0) symbols.back().next = position;
      symbols.push_back({id, position - 1, -1, false});
    };
    bool unknown = false;  // an unknown token that is not added yet, as others may join it
    const auto flush = [&] {
      if (unknown) add(*options_.unknown_id);
      unknown = false;
    };
    std::string marked;
    for (bool start = true; !word.empty(); start = false) {
      std::string_view token = word.substr(0, unicode::first(word).bytes);
      word.remove_prefix(token.size());
      if ((!start && !options_.continuation.empty()) ||
          (word.empty() && !options_.word_end.empty())) {
        marked = start ? "" : options_.continuation;
        marked += token;
        if (word.empty()) marked += options_.word_end;
        token = marked;
      }
      if (const auto id = vocabulary_.find(token)) {
        flush();
        add(*id);
      } else if (has_bytes(token)) {
        for (const char byte : token) add(bytes_[static_cast<unsigned char>(byte)]);
      } else if (options_.unknown_id) {
        if (!options_.fuse_unknown) flush();
        unknown = true;
      }
    }
    flush();
    return symbols;
  }

  bool has_bytes(std::string_view token) const {
    if (bytes_.empty()) return false;
    for (const char byte : token) {
      if (bytes_[static_cast<unsigned char>(byte)] < 0) return false;
    }
    return true;
  }

  const Merge* find(const Symbol& left, const Symbol& right) const {
    const auto found = merges_.find(key(left.id, right.id));
    return found == merges_.end() ? nullptr : &found->second;
  }

  void merge_all(std::vector<Symbol>& symbols) const {
    const auto at = [&](std::int32_t position) -> Symbol& {
      return symbols[static_cast<std::size_t>(position)];
    };
    std::priority_queue<Candidate> queue;
    const auto consider = [&](std::int32_t left) {
      if (left < 0 || at(left).next < 0) return;
      if (const Merge* merge = find(at(left), at(at(left).next))) {
        queue.push({merge->rank, left, merge->id});
      }
    };
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) consider(static_cast<std::int32_t>(i));
    while (!queue.empty()) {
      const Candidate best = queue.top();
      queue.pop();
      Symbol& left = at(best.position);
      if (left.gone || left.next < 0) continue;
      Symbol& right = at(left.next);
      const Merge* merge = find(left, right);
      if (merge == nullptr || merge->id != best.id) continue;
      left.id = best.id;
      left.next = right.next;
      right.gone = true;
      if (left.next >= 0) at(left.next).previous = best.position;
      consider(left.previous);
      consider(best.position);
    }
  }

  Vocabulary vocabulary_;
  BpeOptions options_;
  std::unordered_map<std::uint64_t, Merge> merges_;
  std::vector<std::int32_t> bytes_;  // id of each byte's token, -1 where there is none; or empty
};

}  // namespace

std::unique_ptr<TokenModel> make_bpe(Vocabulary vocabulary,
                                     std::span<const std::pair<std::string, std::string>> merges,
                                     BpeOptions options) {
  return std::make_unique<Bpe>(std::move(vocabulary), merges, std::move(options));
}

}  // namespace onnxpress
