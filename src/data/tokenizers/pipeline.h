// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/tokenizers/added_tokens.h"
#include "data/tokenizers/normalizers.h"
#include "data/tokenizers/pre_tokenizers.h"
#include "data/tokenizers/token_model.h"
#include "data/tokenizers/tokenizer.h"

namespace onnxpress {

// The parts of a tokenizer, in the order in which a text goes through them. All but the model may
// be left out.
struct PipelineParts {
  std::vector<AddedToken> added_tokens;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  std::unique_ptr<TokenModel> model;
  Frame frame;
  std::int32_t vocabulary_size = 0;
  std::int32_t pad_id = 0;
  std::optional<std::size_t> max_length;
};

// A tokenizer made of parts, as a tokenizer.json describes them.
class PipelineTokenizer final : public Tokenizer {
 public:
  explicit PipelineTokenizer(PipelineParts parts);
  [[nodiscard]] std::vector<std::int32_t> tokenize(std::string_view text) const override;

 private:
  AddedTokens raw_;         // found in the text as it is
  AddedTokens normalized_;  // found in the normalized text
  Normalizer normalizer_;
  PreTokenizer pre_tokenizer_;
  std::unique_ptr<TokenModel> model_;
};

}  // namespace onnxpress
