// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/regex.h"

#include <fmt/format.h>
#include <unicode/regex.h>
#include <unicode/unistr.h>
#include <unicode/utext.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

// ICU's unit is about a millisecond; texts of megabytes take a second.
constexpr std::int32_t kStepLimit = 60'000;
constexpr std::int32_t kStackLimit = 32 << 20;

// The classes that Oniguruma, the tokenizers' own engine, and ICU understand differently: to
// Oniguruma \s is Unicode's White_Space, and \w has Latin-1's raised digits and fractions.
constexpr std::pair<char, std::string_view> kClasses[] = {
    {'s', "\\p{White_Space}"},
    {'S', "\\P{White_Space}"},
    {'w', "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u00B2\\u00B3\\u00B9\\u00BC-\\u00BE]"},
    {'W', "[^\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u00B2\\u00B3\\u00B9\\u00BC-\\u00BE]"},
};

std::string in_icu_syntax(std::string_view pattern) {
  std::string result;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const auto* known = std::end(kClasses);
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      ++i;
      known = std::ranges::find(kClasses, pattern[i], &std::pair<char, std::string_view>::first);
      if (known == std::end(kClasses)) result += '\\';
    }
    if (known == std::end(kClasses)) {
      result += pattern[i];
    } else {
      result += known->second;
    }
  }
  return result;
}

}  // namespace

struct Regex::Compiled {
  std::unique_ptr<icu::RegexPattern> pattern;
  std::string text;
};

Regex::Regex(std::string_view pattern) {
  auto compiled = std::make_shared<Compiled>();
  compiled->text = pattern;
  UErrorCode status = U_ZERO_ERROR;
  UParseError where{};
  compiled->pattern.reset(icu::RegexPattern::compile(
      icu::UnicodeString::fromUTF8(in_icu_syntax(pattern)), 0, where, status));
  if (U_FAILURE(status)) {
    throw Error(
        codes::bad_tokenizer,
        fmt::format("the regular expression \"{}\" is not understood ({} near character {})",
                    pattern, u_errorName(status), where.offset));
  }
  compiled_ = std::move(compiled);
}

void Regex::for_each_match(std::string_view text, const std::function<void(Span)>& visit) const {
  UErrorCode status = U_ZERO_ERROR;
  UText input = UTEXT_INITIALIZER;
  utext_openUTF8(&input, text.data(), static_cast<std::int64_t>(text.size()), &status);
  const std::unique_ptr<UText, void (*)(UText*)> closer(&input, [](UText* t) { utext_close(t); });
  const std::unique_ptr<icu::RegexMatcher> matcher(compiled_->pattern->matcher(status));
  if (U_SUCCESS(status)) {
    matcher->setTimeLimit(kStepLimit, status);
    matcher->setStackLimit(kStackLimit, status);
    matcher->reset(&input);
    while (U_SUCCESS(status) && matcher->find(status)) {
      const auto begin = static_cast<std::size_t>(matcher->start64(status));
      const auto end = static_cast<std::size_t>(matcher->end64(status));
      visit({begin, end});
    }
  }
  if (U_FAILURE(status)) {
    throw Error(codes::bad_tokenizer,
                fmt::format("the regular expression \"{}\" fails on a text of {} bytes ({})",
                            compiled_->text, text.size(), u_errorName(status)));
  }
}

}  // namespace onnxpress
