// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "data/tokenizers/regex.h"

namespace onnxpress {

// What becomes of the parts of a text that match a pattern: they vanish, stand alone, join what
// stands before or behind them, or stand alone together with their like.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

// Calls visit for each match in a text, from left to right.
using Matcher = std::function<void(std::string_view, const std::function<void(Span)>&)>;

[[nodiscard]] Matcher match_regex(Regex regex);
[[nodiscard]] Matcher match_text(std::string_view what);                       // not empty
[[nodiscard]] Matcher match_characters(std::function<bool(char32_t)> wanted);  // each one a match

// The parts of a text, none of them empty. `invert`: what lies between the matches counts as match.
[[nodiscard]] std::vector<Span> split(std::string_view text, const Matcher& matcher,
                                      SplitBehavior behavior, bool invert = false);

}  // namespace onnxpress
