// SPDX-License-Identifier: Apache-2.0
#include "eval/rows.h"

namespace onnxpress {

BatchTokens::BatchTokens(const Batch& batch, std::string_view token_input) : batch_(batch) {
  const auto ids = batch.inputs.find(token_input);
  if (ids != batch.inputs.end() && ids->second.rank() == 2) {
    ids_ = ids->second.to_int64s();
    width_ = static_cast<std::size_t>(ids->second.dims()[1]);
  }
  const auto mask = batch.inputs.find("attention_mask");
  if (mask != batch.inputs.end() && mask->second.rank() == 2) {
    mask_ = mask->second.to_int64s();
    width_ = static_cast<std::size_t>(mask->second.dims()[1]);
  }
}

bool BatchTokens::counts(std::size_t row, std::size_t position) const {
  if (!mask_.empty()) return position < width_ && mask_[row * width_ + position] != 0;
  const std::size_t length = row < batch_.lengths.size() ? batch_.lengths[row] : 0;
  return length == 0 || position < length;
}

std::optional<std::int64_t> BatchTokens::next(std::size_t row, std::size_t position) const {
  if (ids_.empty() || !counts(row, position)) return {};
  if (position + 1 < width_ && counts(row, position + 1)) {
    return ids_[row * width_ + position + 1];
  }
  if (row < batch_.next_tokens.size() && batch_.next_tokens[row] >= 0) {
    return batch_.next_tokens[row];
  }
  return {};
}

}  // namespace onnxpress
