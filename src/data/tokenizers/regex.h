// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

namespace onnxpress {

// Part of a text, in bytes.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

// A regular expression of a tokenizer.json (Oniguruma's syntax with Unicode classes, as far as ICU
// shares it). Matching gives up, with an Error, after a fixed number of steps.
class Regex {
 public:
  // Throws Error (bad_tokenizer) if the pattern can't be compiled.
  explicit Regex(std::string_view pattern);
  // Calls visit for each match in valid UTF-8 text, from left to right.
  void for_each_match(std::string_view text, const std::function<void(Span)>& visit) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace onnxpress
