// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "onnxpress/document.h"

namespace onnxpress {

// Figures in rows and columns; the first column and the last one (remarks) are set left, the others
// right. Cells are not escaped yet.
struct FigureTable {
  std::string title;                // may be empty
  std::vector<std::string> header;  // empty: none
  std::vector<std::vector<std::string>> rows;
  bool remarks = false;  // the last column is text
};

// Everything a document has measured, as tables.
[[nodiscard]] std::vector<FigureTable> tables_of(const Document& document, bool verbose);

// Columns aligned by spaces, indented by two.
[[nodiscard]] std::string to_text(const FigureTable& table);
[[nodiscard]] std::string to_markdown(const FigureTable& table);

}  // namespace onnxpress
