// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/prefix_index.h"

namespace onnxpress {

PrefixIndex::PrefixIndex(std::vector<std::pair<std::string, std::int32_t>> entries)
    : entries_(std::move(entries)) {
  std::erase_if(entries_, [](const Entry& entry) { return entry.first.empty(); });
  std::ranges::stable_sort(entries_, {}, &Entry::first);
  // Of equal strings, keep the last.
  const auto kept = std::unique(entries_.rbegin(), entries_.rend(),
                                [](const Entry& a, const Entry& b) { return a.first == b.first; });
  entries_.erase(entries_.begin(), kept.base());
  std::size_t position = 0;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    by_first_[byte] = position;
    while (position < entries_.size() &&
           static_cast<unsigned char>(entries_[position].first[0]) == byte) {
      ++position;
    }
  }
  by_first_[256] = position;
}

PrefixIndex::Match PrefixIndex::longest(std::string_view text) const {
  Match longest;
  for_each_prefix(text, [&](Match match) { longest = match; });
  return longest;
}

}  // namespace onnxpress
