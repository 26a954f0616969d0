// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/split.h"

#include <algorithm>
#include <string>
#include <utility>

#include "data/unicode.h"

namespace onnxpress {
namespace {

struct Part {
  Span span;
  bool match = false;
};

// Joins a match with the part before it, unless that was joined with a match already. `grow` makes
// the earlier part larger.
template <class Parts, class Grow>
std::vector<Span> merge_matches(const Parts& parts, Grow grow) {
  std::vector<Span> spans;
  bool previous_match = false;
  for (const Part& part : parts) {
    if (part.match && !previous_match && !spans.empty()) {
      grow(spans.back(), part.span);
    } else {
      spans.push_back(part.span);
    }
    previous_match = part.match;
  }
  return spans;
}

}  // namespace

Matcher match_regex(Regex regex) {
  return [regex = std::move(regex)](std::string_view text, const auto& visit) {
    regex.for_each_match(text, visit);
  };
}

Matcher match_text(std::string_view what) {
  return [what = std::string(what)](std::string_view text, const auto& visit) {
    for (std::size_t at = text.find(what); at != std::string_view::npos;
         at = text.find(what, at + what.size())) {
      visit({at, at + what.size()});
    }
  };
}

Matcher match_characters(std::function<bool(char32_t)> wanted) {
  return [wanted = std::move(wanted)](std::string_view text, const auto& visit) {
    for (std::size_t at = 0; at < text.size();) {
      const auto [c, bytes] = unicode::first(text.substr(at));
      if (wanted(c)) visit({at, at + bytes});
      at += bytes;
    }
  };
}

std::vector<Span> split(std::string_view text, const Matcher& matcher, SplitBehavior behavior,
                        bool invert) {
  std::vector<Part> parts;
  std::size_t done = 0;
  const auto add = [&](std::size_t end, bool match) {
    if (end > done) parts.push_back({{done, end}, match != invert});
    done = end;
  };
  matcher(text, [&](Span match) {
    add(match.begin, false);
    add(match.end, true);
  });
  add(text.size(), false);

  std::vector<Span> spans;
  switch (behavior) {
    case SplitBehavior::removed:
      for (const Part& part : parts) {
        if (!part.match) spans.push_back(part.span);
      }
      return spans;
    case SplitBehavior::isolated:
      for (const Part& part : parts) spans.push_back(part.span);
      return spans;
    case SplitBehavior::contiguous: {
      bool previous_match = false;
      for (const Part& part : parts) {
        if (!spans.empty() && part.match == previous_match) {
          spans.back().end = part.span.end;
        } else {
          spans.push_back(part.span);
        }
        previous_match = part.match;
      }
      return spans;
    }
    case SplitBehavior::merged_with_previous:
      return merge_matches(parts, [](Span& whole, Span part) { whole.end = part.end; });
    case SplitBehavior::merged_with_next: {
      std::ranges::reverse(parts);
      spans = merge_matches(parts, [](Span& whole, Span part) { whole.begin = part.begin; });
      std::ranges::reverse(spans);
      return spans;
    }
  }
  return spans;
}

}  // namespace onnxpress
