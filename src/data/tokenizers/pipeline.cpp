// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/pipeline.h"

#include <algorithm>
#include <utility>

#include "data/unicode.h"

namespace onnxpress {

PipelineTokenizer::PipelineTokenizer(PipelineParts parts)
    : normalizer_(std::move(parts.normalizer)),
      pre_tokenizer_(std::move(parts.pre_tokenizer)),
      model_(std::move(parts.model)) {
  frame_ = std::move(parts.frame);
  pad_id_ = parts.pad_id;
  max_length_ = parts.max_length;
  vocabulary_size_ = parts.vocabulary_size;
  std::vector<AddedToken> raw;
  std::vector<AddedToken> normalized;
  for (AddedToken& token : parts.added_tokens) {
    vocabulary_size_ = std::max(vocabulary_size_, token.id + 1);
    if (token.normalized && normalizer_) token.content = normalizer_(token.content);
    (token.normalized ? normalized : raw).push_back(std::move(token));
  }
  raw_ = AddedTokens(std::move(raw));
  normalized_ = AddedTokens(std::move(normalized));
}

std::vector<std::int32_t> PipelineTokenizer::tokenize(std::string_view text) const {
  std::string replaced;
  if (!unicode::is_valid_utf8(text)) {
    replaced = unicode::valid_utf8(text);
    text = replaced;
  }
  std::vector<std::int32_t> ids;
  std::vector<Word> words;
  for (const auto& part : raw_.split(text)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      continue;
    }
    if (part.text.empty()) continue;  // else pre-tokenizers would put their prefix before nothing
    const bool at_start = part.text.data() == text.data();
    const std::string normal = normalizer_ ? normalizer_(part.text) : std::string(part.text);
    for (const auto& inner : normalized_.split(normal)) {
      if (inner.id >= 0) {
        ids.push_back(inner.id);
        continue;
      }
      if (inner.text.empty()) continue;
      words.clear();
      const Word whole{std::string(inner.text), at_start && inner.text.data() == normal.data()};
      if (pre_tokenizer_) {
        pre_tokenizer_(whole, words);
      } else {
        words.push_back(whole);
      }
      for (const Word& word : words) model_->tokenize(word.text, ids);
    }
  }
  return ids;
}

}  // namespace onnxpress
