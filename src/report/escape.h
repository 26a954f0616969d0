// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "onnxpress/document.h"

// Names, paths and messages may hold anything that a hostile file put there. Each sink has its own
// way of being tricked, so each has its own escape; escape_terminal() is public.
namespace onnxpress {

// For a cell of a Markdown table: as for terminals, with HTML's and Markdown's own characters
// escaped.
[[nodiscard]] std::string escape_markdown(std::string_view text);

// A field of a CSV file, quoted where needed; one that a spreadsheet would take for a formula
// (leading = + - @ that is no number) gets an apostrophe in front.
[[nodiscard]] std::string escape_csv(std::string_view text);

}  // namespace onnxpress
