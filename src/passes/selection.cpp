// SPDX-License-Identifier: Apache-2.0
#include "passes/selection.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/error_codes.h"
#include "onnxpress/nearest.h"

namespace onnxpress {

bool matches_glob(std::string_view glob, std::string_view text) {
  std::size_t g = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last * seen, and the text it covers up to
  std::size_t covered = 0;
  while (t < text.size()) {
    if (g < glob.size() && glob[g] == '*') {
      star = g++;
      covered = t;
    } else if (g < glob.size() && (glob[g] == '?' || glob[g] == text[t])) {
      ++g;
      ++t;
    } else if (star != std::string_view::npos) {
      g = star + 1;
      t = ++covered;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

void refuse_glob(const std::string& glob, const std::vector<std::string>& labels) {
  const std::string near = nearest(glob, labels);
  throw Error(codes::unknown_name,
              fmt::format("the pattern \"{}\" fits none of {} units", glob, labels.size()),
              near.empty() ? "see `onnxpress inspect` for the units' names"
                           : fmt::format("did you mean \"{}\"?", near));
}

Selection::Selection(std::vector<std::string> include, std::vector<std::string> exclude)
    : include_(std::move(include)), exclude_(std::move(exclude)) {}

std::vector<std::string> Selection::unmatched(const std::vector<std::string>& labels) const {
  std::vector<std::string> globs;
  for (const auto* list : {&include_, &exclude_}) {
    for (const std::string& glob : *list) {
      const bool fits =
          std::ranges::any_of(labels, [&](const auto& label) { return matches_glob(glob, label); });
      if (!fits) globs.push_back(glob);
    }
  }
  return globs;
}

std::string Selection::why_not(std::string_view label) const {
  for (const std::string& glob : exclude_) {
    if (matches_glob(glob, label)) return fmt::format("left out by exclude \"{}\"", glob);
  }
  if (include_.empty()) return "";
  for (const std::string& glob : include_) {
    if (matches_glob(glob, label)) return "";
  }
  return "not named by include";
}

}  // namespace onnxpress
