// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/pre_tokenizers.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error_codes.h"
#include "data/json.h"
#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/split.h"
#include "data/unicode.h"

namespace onnxpress {
namespace {

using nlohmann::json;

bool is_ascii_punctuation(char32_t c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

bool is_any_punctuation(char32_t c) {
  return is_ascii_punctuation(c) || unicode::is_punctuation(c);
}

PreTokenizer splitter(Matcher matcher, SplitBehavior behavior, bool invert = false) {
  return
      [matcher = std::move(matcher), behavior, invert](const Word& word, std::vector<Word>& words) {
        for (const Span& span : split(word.text, matcher, behavior, invert)) {
          words.push_back({word.text.substr(span.begin, span.end - span.begin),
                           word.at_start && span.begin == 0});
        }
      };
}

PreTokenizer sequence(std::vector<PreTokenizer> parts) {
  return [parts = std::move(parts)](const Word& word, std::vector<Word>& words) {
    std::vector<Word> current = {word};
    for (const PreTokenizer& part : parts) {
      std::vector<Word> next;
      for (const Word& piece : current) part(piece, next);
      current = std::move(next);
    }
    std::move(current.begin(), current.end(), std::back_inserter(words));
  };
}

SplitBehavior behavior_of(const json& description, SplitBehavior fallback) {
  if (!description.contains("behavior")) return fallback;
  const std::string name = description.at("behavior");
  if (name == "Removed") return SplitBehavior::removed;
  if (name == "Isolated") return SplitBehavior::isolated;
  if (name == "MergedWithPrevious") return SplitBehavior::merged_with_previous;
  if (name == "MergedWithNext") return SplitBehavior::merged_with_next;
  if (name == "Contiguous") return SplitBehavior::contiguous;
  throw Error(codes::bad_tokenizer, fmt::format("split behavior \"{}\" is not known", name));
}

PreTokenizer make_split(const json& description) {
  const json& pattern = description.at("pattern");
  const SplitBehavior behavior = behavior_of(description, SplitBehavior::isolated);
  const bool invert = description.value("invert", false);
  if (pattern.contains("Regex")) {
    return splitter(match_regex(Regex(pattern.at("Regex").get<std::string>())), behavior, invert);
  }
  const std::string text = pattern.at("String");
  if (text.empty()) throw Error(codes::bad_tokenizer, "a Split pre-tokenizer's pattern is empty");
  return splitter(match_text(text), behavior, invert);
}

// SentencePiece's way with blanks: each becomes a visible mark that starts the word behind it.
PreTokenizer make_metaspace(const json& description) {
  const std::string mark = description.at("replacement");
  const std::string scheme = description.value(
      "prepend_scheme", description.value("add_prefix_space", true) ? "always" : "never");
  if (scheme != "always" && scheme != "never" && scheme != "first") {
    throw Error(codes::bad_tokenizer, fmt::format("prepend_scheme \"{}\" is not known", scheme));
  }
  if (mark.empty()) throw Error(codes::bad_tokenizer, "Metaspace has no replacement");
  const bool cut = description.value("split", true);
  return
      [mark, scheme, cut, matcher = match_text(mark)](const Word& word, std::vector<Word>& words) {
        Word marked{{}, word.at_start};
        for (const char c : word.text) {
          if (c == ' ') {
            marked.text += mark;
          } else {
            marked.text += c;
          }
        }
        if ((scheme == "always" || (scheme == "first" && word.at_start)) &&
            !marked.text.starts_with(mark)) {
          marked.text.insert(0, mark);
        }
        if (!cut) return words.push_back(std::move(marked));
        splitter(matcher, SplitBehavior::merged_with_next)(marked, words);
      };
}

PreTokenizer make_fixed_length(const json& description) {
  const auto length = description.value("length", std::size_t{5});
  if (length == 0) throw Error(codes::bad_tokenizer, "FixedLength has the length 0");
  return [length](const Word& word, std::vector<Word>& words) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < word.text.size(); ++count) {
      const std::size_t bytes = unicode::first(std::string_view(word.text).substr(at)).bytes;
      if (count % length == 0) words.push_back({{}, word.at_start && at == 0});
      words.back().text += word.text.substr(at, bytes);
      at += bytes;
    }
  };
}

}  // namespace

PreTokenizer bert_pre_tokenizer() {
  return sequence({splitter(match_characters(unicode::is_whitespace), SplitBehavior::removed),
                   splitter(match_characters(is_any_punctuation), SplitBehavior::isolated)});
}

PreTokenizer byte_level_pre_tokenizer(bool add_prefix_space, bool use_regex) {
  return [add_prefix_space, use_regex](const Word& word, std::vector<Word>& words) {
    const bool prefix = add_prefix_space && !word.text.starts_with(' ');
    const std::string text = prefix ? " " + word.text : word.text;
    const std::vector<Span> spans =
        use_regex ? gpt2_words(text) : std::vector{Span{0, text.size()}};
    for (const auto& [begin, end] : spans) {
      words.push_back({byte_characters(std::string_view(text).substr(begin, end - begin)),
                       word.at_start && begin == 0});
    }
  };
}

PreTokenizer make_pre_tokenizer(const json& description) {
  const std::string type = description.at("type");
  if (type == "Sequence") {
    std::vector<PreTokenizer> parts;
    for (const json& part : list_member(description, "pretokenizers", codes::bad_tokenizer)) {
      parts.push_back(make_pre_tokenizer(part));
    }
    return sequence(std::move(parts));
  }
  if (type == "BertPreTokenizer") return bert_pre_tokenizer();
  if (type == "ByteLevel") {
    return byte_level_pre_tokenizer(description.value("add_prefix_space", true),
                                    description.value("use_regex", true));
  }
  if (type == "Metaspace") return make_metaspace(description);
  if (type == "Split") return make_split(description);
  if (type == "FixedLength") return make_fixed_length(description);
  if (type == "WhitespaceSplit") {
    return splitter(match_characters(unicode::is_whitespace), SplitBehavior::removed);
  }
  if (type == "Whitespace") {
    // \w+|[^\w\s]+ with \w as Unicode's annex C has it
    constexpr const char* kWords = R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+)"
                                   R"(|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\s]+)";
    return splitter(match_regex(Regex(kWords)), SplitBehavior::removed, true);
  }
  if (type == "Punctuation") {
    return splitter(match_characters(is_any_punctuation),
                    behavior_of(description, SplitBehavior::isolated));
  }
  if (type == "Digits") {
    return splitter(match_characters(unicode::is_number),
                    description.value("individual_digits", false) ? SplitBehavior::isolated
                                                                  : SplitBehavior::contiguous);
  }
  if (type == "CharDelimiterSplit") {
    return splitter(match_text(description.at("delimiter").get<std::string>()),
                    SplitBehavior::removed);
  }
  throw Error(codes::bad_tokenizer, fmt::format("pre-tokenizer \"{}\" is not supported", type));
}

}  // namespace onnxpress
