// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/vocabulary.h"

#include <algorithm>
#include <utility>

namespace onnxpress {

void Vocabulary::add(std::string token, std::int32_t id) {
  ids_.insert_or_assign(std::move(token), id);
  size_ = std::max(size_, id + 1);
}

std::optional<std::int32_t> Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

}  // namespace onnxpress
