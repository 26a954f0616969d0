// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/normalizers.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error_codes.h"
#include "data/json.h"
#include "data/tokenizers/byte_level.h"
#include "data/tokenizers/charsmap.h"
#include "data/tokenizers/regex.h"
#include "data/unicode.h"

namespace onnxpress {
namespace {

using nlohmann::json;

// The text with `change(c, result)` in place of every code point.
template <class Change>
std::string map_characters(std::string_view text, Change change) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const auto [c, bytes] = unicode::first(text);
    change(c, result);
    text.remove_prefix(bytes);
  }
  return result;
}

bool is_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

std::string clean(std::string_view text) {
  return map_characters(text, [](char32_t c, std::string& result) {
    if (unicode::is_whitespace(c) && c != 0x0B && c != 0x0C && c != 0x85) {
      result += ' ';
    } else if (c != 0 && c != 0xFFFD && !unicode::is_control(c)) {
      unicode::append(result, c);
    }
  });
}

std::string isolate_chinese(std::string_view text) {
  return map_characters(text, [](char32_t c, std::string& result) {
    const bool chinese = is_chinese(c);
    if (chinese) result += ' ';
    unicode::append(result, c);
    if (chinese) result += ' ';
  });
}

std::string without(bool (*unwanted)(char32_t), std::string_view text) {
  return map_characters(text, [unwanted](char32_t c, std::string& result) {
    if (!unwanted(c)) unicode::append(result, c);
  });
}

// What SentencePiece's "nmt" rules do before NFKC.
std::string nmt(std::string_view text) {
  return map_characters(text, [](char32_t c, std::string& result) {
    if ((c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
        c == 0x8F || c == 0x9F) {
      return;
    }
    const bool blank = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
                       (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                       c == 0xFEFF || c == 0xFFFD;
    unicode::append(result, blank ? U' ' : c);
  });
}

std::string strip(std::string_view text, bool left, bool right) {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool started = !left;
  for (std::size_t i = 0; i < text.size();) {
    const auto [c, bytes] = unicode::first(text.substr(i));
    const bool blank = unicode::is_whitespace(c);
    if (!started && !blank) {
      begin = i;
      started = true;
    }
    i += bytes;
    if (!blank || !right) end = i;
  }
  if (!started) begin = end = text.size();
  return std::string(text.substr(begin, end > begin ? end - begin : 0));
}

std::string replace_text(std::string_view text, std::string_view what, std::string_view with) {
  std::string result;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what)) {
    result.append(text.substr(0, at)).append(with);
    text.remove_prefix(at + what.size());
  }
  return result.append(text);
}

std::string replace_matches(std::string_view text, const Regex& regex, std::string_view with) {
  std::string result;
  std::size_t done = 0;
  regex.for_each_match(text, [&](Span match) {
    result.append(text.substr(done, match.begin - done)).append(with);
    done = match.end;
  });
  return result.append(text.substr(done));
}

Normalizer make_replace(const json& description) {
  const json& pattern = description.at("pattern");
  std::string with = description.at("content");
  if (pattern.contains("Regex")) {
    return [regex = Regex(pattern.at("Regex").get<std::string>()), with = std::move(with)](
               std::string_view text) { return replace_matches(text, regex, with); };
  }
  std::string what = pattern.at("String");
  if (what.empty()) {
    throw Error(codes::bad_tokenizer, "a Replace normalizer's pattern is empty");
  }
  return [what = std::move(what), with = std::move(with)](std::string_view text) {
    return replace_text(text, what, with);
  };
}

Normalizer make_sequence(const json& description) {
  std::vector<Normalizer> normalizers;
  for (const json& part : list_member(description, "normalizers", codes::bad_tokenizer)) {
    normalizers.push_back(make_normalizer(part));
  }
  return [normalizers = std::move(normalizers)](std::string_view text) {
    std::string result(text);
    for (const Normalizer& normalizer : normalizers) result = normalizer(result);
    return result;
  };
}

Normalizer make_precompiled(const json& description) {
  const json& encoded = description.at("precompiled_charsmap");
  const auto blob = decode_base64(encoded.is_null() ? "" : encoded.get<std::string>());
  if (!blob) throw Error(codes::bad_tokenizer, "the precompiled_charsmap is not base64");
  if (blob->empty()) return [](std::string_view text) { return std::string(text); };
  return [map = Charsmap(*blob)](std::string_view text) { return map.apply(text); };
}

Normalizer make_form(unicode::Form form) {
  return [form](std::string_view text) { return unicode::normalize(text, form); };
}

}  // namespace

Normalizer bert_normalizer(const BertNormalization& options) {
  return [options](std::string_view text) {
    std::string result(text);
    if (options.clean_text) result = clean(result);
    if (options.isolate_chinese) result = isolate_chinese(result);
    if (options.strip_accents) {
      result = without(unicode::is_nonspacing_mark, unicode::normalize(result, unicode::Form::nfd));
    }
    if (options.lower_case) result = unicode::lower_case(result);
    return result;
  };
}

Normalizer make_normalizer(const json& description) {
  const std::string type = description.at("type");
  if (type == "Sequence") return make_sequence(description);
  if (type == "BertNormalizer") {
    BertNormalization options;
    options.clean_text = description.value("clean_text", true);
    options.isolate_chinese = description.value("handle_chinese_chars", true);
    options.lower_case = description.value("lowercase", true);
    const auto accents = description.find("strip_accents");
    options.strip_accents = accents == description.end() || accents->is_null()
                                ? options.lower_case
                                : accents->get<bool>();
    return bert_normalizer(options);
  }
  if (type == "NFC") return make_form(unicode::Form::nfc);
  if (type == "NFD") return make_form(unicode::Form::nfd);
  if (type == "NFKC") return make_form(unicode::Form::nfkc);
  if (type == "NFKD") return make_form(unicode::Form::nfkd);
  if (type == "Lowercase") return unicode::lower_case;
  if (type == "Nmt") return nmt;
  if (type == "ByteLevel") return byte_characters;
  if (type == "Replace") return make_replace(description);
  if (type == "Precompiled") return make_precompiled(description);
  if (type == "StripAccents") {
    return [](std::string_view text) { return without(unicode::is_mark, text); };
  }
  if (type == "Strip") {
    return [left = description.value("strip_left", true),
            right = description.value("strip_right", true)](std::string_view text) {
      return strip(text, left, right);
    };
  }
  if (type == "Prepend") {
    return [prefix = description.at("prepend").get<std::string>()](std::string_view text) {
      return text.empty() ? std::string() : prefix + std::string(text);
    };
  }
  throw Error(codes::bad_tokenizer, fmt::format("normalizer \"{}\" is not supported", type));
}

}  // namespace onnxpress
