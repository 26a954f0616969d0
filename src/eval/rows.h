// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "data/batching.h"

namespace onnxpress {

// Which positions of a batch count, and what the next token of each is.
class BatchTokens {
 public:
  // `token_input`: name of the input with the token ids; "" where there is none.
  BatchTokens(const Batch& batch, std::string_view token_input);

  // Padding does not count: what attention_mask says, or else the samples' lengths.
  [[nodiscard]] bool counts(std::size_t row, std::size_t position) const;
  // The token that follows, where it is known: the next one in the row, or what follows a window.
  [[nodiscard]] std::optional<std::int64_t> next(std::size_t row, std::size_t position) const;

 private:
  const Batch& batch_;
  std::size_t width_ = 0;
  std::vector<std::int64_t> ids_, mask_;  // empty where the batch has none
};

}  // namespace onnxpress
