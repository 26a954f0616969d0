// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onnxpress {

// A set of strings with a number each, asked which of them a text starts with. Time depends on the
// longest match, not on the number of strings or the length of the text.
class PrefixIndex {
 public:
  struct Match {
    std::size_t length = 0;  // 0: none
    std::int32_t id = -1;
  };

  PrefixIndex() = default;
  // Empty strings are left out; of equal strings the last one counts.
  explicit PrefixIndex(std::vector<std::pair<std::string, std::int32_t>> entries);

  // Calls visit(Match) for every string the text starts with, shortest first.
  template <class Visit>
  void for_each_prefix(std::string_view text, Visit&& visit) const;
  [[nodiscard]] Match longest(std::string_view text) const;
  [[nodiscard]] bool empty() const { return entries_.empty(); }

 private:
  using Entry = std::pair<std::string, std::int32_t>;
  std::vector<Entry> entries_;               // sorted
  std::array<std::size_t, 257> by_first_{};  // where the strings of each first byte start
};

template <class Visit>
void PrefixIndex::for_each_prefix(std::string_view text, Visit&& visit) const {
  if (text.empty() || entries_.empty()) return;
  const auto byte = static_cast<unsigned char>(text[0]);
  auto begin = entries_.begin() + static_cast<std::ptrdiff_t>(by_first_[byte]);
  auto end = entries_.begin() + static_cast<std::ptrdiff_t>(by_first_[byte + 1U]);
  // All of [begin, end) share the text's first `depth` bytes, so the one that is no longer than
  // that, if there is one, sorts first.
  for (std::size_t depth = 1; begin != end; ++depth) {
    if (begin->first.size() == depth) {
      visit(Match{depth, begin->second});
      ++begin;
    }
    if (depth == text.size()) return;
    const auto next = static_cast<unsigned char>(text[depth]);
    const auto at_depth = [depth](const Entry& entry) {
      return static_cast<unsigned char>(entry.first[depth]);
    };
    begin = std::partition_point(begin, end, [&](const Entry& e) { return at_depth(e) < next; });
    end = std::partition_point(begin, end, [&](const Entry& e) { return at_depth(e) == next; });
  }
}

}  // namespace onnxpress
