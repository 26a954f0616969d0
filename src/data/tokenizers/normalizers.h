// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace onnxpress {

// What happens to a text (valid UTF-8) before it is cut into words.
using Normalizer = std::function<std::string(std::string_view)>;

struct BertNormalization {
  bool clean_text = true;       // drop control characters, make all white space a blank
  bool isolate_chinese = true;  // blanks around CJK ideographs
  bool strip_accents = true;
  bool lower_case = true;
};
[[nodiscard]] Normalizer bert_normalizer(const BertNormalization& options);

// A "normalizer" of a tokenizer.json. Throws Error (bad_tokenizer) for a kind that is not known.
[[nodiscard]] Normalizer make_normalizer(const nlohmann::json& description);

}  // namespace onnxpress
