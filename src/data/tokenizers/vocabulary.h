// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace onnxpress {

// Tokens and their ids.
class Vocabulary {
 public:
  // A token that comes twice has the later id.
  void add(std::string token, std::int32_t id);
  [[nodiscard]] std::optional<std::int32_t> find(std::string_view token) const;
  [[nodiscard]] bool has(std::string_view token) const { return find(token).has_value(); }
  // Ids are below this.
  [[nodiscard]] std::int32_t size() const { return size_; }
  [[nodiscard]] const auto& tokens() const { return ids_; }  // in no order

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
  std::int32_t size_ = 0;
};

}  // namespace onnxpress
