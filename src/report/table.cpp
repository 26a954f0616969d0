// SPDX-License-Identifier: Apache-2.0
#include "report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "report/escape.h"

namespace onnxpress {
namespace {

using Cells = std::vector<std::string>;

// Columns on a terminal; continuation bytes of UTF-8 take none.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80; }));
}

Cells escaped(const Cells& cells, const std::function<std::string(std::string_view)>& escape) {
  Cells result;
  for (const std::string& cell : cells) result.push_back(escape(cell));
  return result;
}

}  // namespace

std::string to_text(const FigureTable& table) {
  std::vector<Cells> rows;
  if (!table.header.empty()) rows.push_back(escaped(table.header, escape_terminal));
  for (const Cells& row : table.rows) rows.push_back(escaped(row, escape_terminal));
  std::vector<std::size_t> widths;
  for (const Cells& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string text = table.title.empty() ? "" : escape_terminal(table.title) + "\n";
  for (const Cells& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - width(row[i]), ' ');
      const bool left = i == 0 || (table.remarks && i + 1 == widths.size());
      line += (i == 0 ? " " : "   ") + (left ? row[i] + space : space + row[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string to_markdown(const FigureTable& table) {
  std::size_t columns = table.header.size();
  for (const Cells& row : table.rows) columns = std::max(columns, row.size());
  const auto line = [&](Cells cells) {
    cells.resize(columns);
    std::string text = "|";
    for (const std::string& cell : escaped(cells, escape_markdown)) text += " " + cell + " |";
    return text + "\n";
  };
  std::string text = table.title.empty() ? "" : "**" + escape_markdown(table.title) + "**\n\n";
  text += line(table.header) + "|";
  for (std::size_t i = 0; i < columns; ++i) {
    const bool left = i == 0 || (table.remarks && i + 1 == columns);
    text += left ? "---|" : "---:|";
  }
  text += "\n";
  for (const Cells& row : table.rows) text += line(row);
  return text;
}

}  // namespace onnxpress
