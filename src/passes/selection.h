// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace onnxpress {

// True if `text` fits `glob`: * stands for any characters, ? for one, everything else for itself.
// Linear in practice, never exponential.
[[nodiscard]] bool matches_glob(std::string_view glob, std::string_view text);

// Throws Error (unknown_name): the glob fits none of these labels. Names the nearest.
[[noreturn]] void refuse_glob(const std::string& glob, const std::vector<std::string>& labels);

// Which units the user wants, by globs over their labels: those that fit one of `include` (all, if
// it is empty) and none of `exclude`.
class Selection {
 public:
  Selection(std::vector<std::string> include, std::vector<std::string> exclude);

  // The globs that fit none of the labels.
  [[nodiscard]] std::vector<std::string> unmatched(const std::vector<std::string>& labels) const;
  // Why the unit is left out, or "".
  [[nodiscard]] std::string why_not(std::string_view label) const;

 private:
  std::vector<std::string> include_;
  std::vector<std::string> exclude_;
};

}  // namespace onnxpress
