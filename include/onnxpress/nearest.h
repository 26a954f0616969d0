// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace onnxpress {

// The candidate that `name` is most probably a misspelling of, or "" if none is near enough to be
// worth naming (at most a third of its letters wrong, swapped neighbours counting once).
[[nodiscard]] std::string nearest(std::string_view name, std::span<const std::string> candidates);

// "did you mean \"int8-dynamic\"?", or, where nothing is near, "one of: a, b, c".
[[nodiscard]] std::string did_you_mean(std::string_view name,
                                       std::span<const std::string> candidates);

}  // namespace onnxpress
