// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizers/prefix_index.h"

namespace onnxpress {

// A token that is found in the text before anything else happens to it.
struct AddedToken {
  std::string content;
  std::int32_t id = 0;
  bool normalized = false;   // looked for in the normalized text, not in the text as it is
  bool single_word = false;  // only where no word character stands before or behind it
  bool strip_left = false;   // takes the white space before it along
  bool strip_right = false;  // … and behind it
};

// Cuts a text at the tokens of a list: from the left, always the longest that fits.
class AddedTokens {
 public:
  // Part of a text: a token (id >= 0), or what lies between two.
  struct Part {
    std::string_view text;
    std::int32_t id = -1;
  };

  AddedTokens() = default;
  explicit AddedTokens(std::vector<AddedToken> tokens);
  [[nodiscard]] std::vector<Part> split(std::string_view text) const;

 private:
  std::vector<AddedToken> tokens_;
  PrefixIndex index_;  // positions in tokens_
};

}  // namespace onnxpress
