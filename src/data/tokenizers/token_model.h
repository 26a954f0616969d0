// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace onnxpress {

// Splits one word (what normalizing and pre-tokenizing left of a text; valid UTF-8) into tokens of
// the vocabulary.
class TokenModel {
 public:
  virtual ~TokenModel() = default;
  // Appends the word's ids.
  virtual void tokenize(std::string_view word, std::vector<std::int32_t>& ids) const = 0;

 protected:
  TokenModel() = default;
  TokenModel(const TokenModel&) = default;
  TokenModel& operator=(const TokenModel&) = default;
};

}  // namespace onnxpress
