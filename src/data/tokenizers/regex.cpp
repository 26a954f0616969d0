// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/regex.h"

#include <fmt/format.h>
#include <unicode/regex.h>
#include <unicode/unistr.h>
#include <unicode/utext.h>

#include <cstdint>
#include <string>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

// ICU's unit is about a millisecond; texts of megabytes take a second.
constexpr std::int32_t kStepLimit = 60'000;
constexpr std::int32_t kStackLimit = 32 << 20;

// ICU's \s is narrower than Unicode's White_Space, which the tokenizers' own engine means.
std::string with_unicode_whitespace(std::string_view pattern) {
  std::string result;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      const char escaped = pattern[++i];
      if (escaped == 's') {
        result += "\\p{White_Space}";
      } else if (escaped == 'S') {
        result += "\\P{White_Space}";
      } else {
        result += '\\';
        result += escaped;
      }
    } else {
      result += pattern[i];
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
      icu::UnicodeString::fromUTF8(with_unicode_whitespace(pattern)), 0, where, status));
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
