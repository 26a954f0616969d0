// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

using Ids = std::vector<std::int32_t>;

// How many tokens of `max_length` are left beside the frame's own.
std::size_t room(std::span<const FramePiece> frame, std::size_t max_length) {
  std::size_t special = 0;
  for (const FramePiece& piece : frame) special += piece.ids.size();
  if (special >= max_length) {
    throw Error(
        codes::bad_option,
        fmt::format("a length of {} leaves no room beside {} special tokens", max_length, special),
        "raise --max-length");
  }
  return max_length - special;
}

// How many tokens of a pair of these sizes stay: the longer one is cut to the size of the shorter
// one first, then both.
std::pair<std::size_t, std::size_t> fit(std::size_t first, std::size_t second, std::size_t room) {
  if (first + second <= room) return {first, second};
  std::size_t shorter = std::min(first, second);
  std::size_t longer = std::max(shorter, room > shorter ? room - shorter : 0);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = room - shorter;
  }
  return first > second ? std::pair{longer, shorter} : std::pair{shorter, longer};
}

Encoding assemble(std::span<const FramePiece> frame, std::span<const std::int32_t> first,
                  std::span<const std::int32_t> second) {
  Encoding encoding;
  for (const FramePiece& piece : frame) {
    std::span<const std::int32_t> ids = piece.ids;
    if (piece.kind == FramePiece::Kind::first) ids = first;
    if (piece.kind == FramePiece::Kind::second) ids = second;
    encoding.ids.insert(encoding.ids.end(), ids.begin(), ids.end());
    encoding.type_ids.resize(encoding.ids.size(), piece.type_id);
  }
  return encoding;
}

}  // namespace

Encoding Tokenizer::encode(std::string_view text, std::size_t max_length) const {
  Ids ids = tokenize(text);
  if (max_length != 0) ids.resize(std::min(ids.size(), room(frame_.single, max_length)));
  return assemble(frame_.single, ids, {});
}

Encoding Tokenizer::encode(std::string_view first, std::string_view second,
                           std::size_t max_length) const {
  Ids a = tokenize(first);
  Ids b = tokenize(second);
  if (max_length != 0) {
    const auto [keep_a, keep_b] = fit(a.size(), b.size(), room(frame_.pair, max_length));
    a.resize(keep_a);
    b.resize(keep_b);
  }
  return assemble(frame_.pair, a, b);
}

}  // namespace onnxpress
