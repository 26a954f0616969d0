// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error_codes.h"
#include "data/json.h"
#include "data/table.h"
#include "data/unicode.h"

namespace onnxpress {
namespace {

using nlohmann::json;

// Calls visit(line, number) for each line, without its end.
template <class Visit>
void for_each_line(std::string_view text, Visit visit) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    visit(line, number);
  }
}

bool is_blank(std::string_view line) {
  while (!line.empty()) {
    const auto [c, bytes] = unicode::first(line);
    if (!unicode::is_whitespace(c)) return false;
    line.remove_prefix(bytes);
  }
  return true;
}

// Takes a row's cells: the first row names the columns.
void add_row(Table& table, std::size_t line, std::vector<std::optional<std::string>> cells) {
  if (table.columns.empty()) {
    for (auto& cell : cells) table.columns.push_back(std::move(cell).value_or(""));
    return;
  }
  if (cells.size() != table.columns.size()) {
    throw Error(codes::bad_data,
                fmt::format("{}:{}: the header has {} columns, but this line has {}", table.source,
                            line, table.columns.size(), cells.size()));
  }
  table.rows.push_back({line, std::move(cells)});
}

// Splits CSV into rows of cells.
class CsvParser {
 public:
  CsvParser(std::string_view text, Table& table) : text_(text), table_(table) {}

  void parse() {
    while (at_ < text_.size()) row();
  }

 private:
  void row() {
    const std::size_t line = line_;
    std::vector<std::optional<std::string>> cells = {cell()};
    while (at_ < text_.size() && text_[at_] == ',') {
      ++at_;
      cells.emplace_back(cell());
    }
    end_of_line();
    if (cells.size() > 1 || !cells[0]->empty()) add_row(table_, line, std::move(cells));
  }

  std::string cell() {
    if (at_ < text_.size() && text_[at_] == '"') return quoted();
    const std::size_t end = std::min(text_.find_first_of(",\n", at_), text_.size());
    std::string_view content = text_.substr(at_, end - at_);
    if (content.ends_with('\r') && (end == text_.size() || text_[end] == '\n')) {
      content.remove_suffix(1);
    }
    at_ = end;
    return std::string(content);
  }

  std::string quoted() {
    const std::size_t line = line_;
    std::string content;
    for (++at_;; ++at_) {
      const std::size_t quote = text_.find('"', at_);
      if (quote == text_.npos) fail(line, "a quoted cell does not end");
      const std::string_view part = text_.substr(at_, quote - at_);
      line_ += static_cast<std::size_t>(std::ranges::count(part, '\n'));
      content += part;
      at_ = quote + 1;
      if (at_ >= text_.size() || text_[at_] != '"') return content;
      content += '"';
    }
  }

  void end_of_line() {
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ < text_.size() && text_[at_] != '\n') fail(line_, "text follows a closing quote");
    ++at_;
    ++line_;
  }

  [[noreturn]] void fail(std::size_t line, std::string_view what) const {
    throw Error(codes::bad_data, fmt::format("{}:{}: {}", table_.source, line, what));
  }

  std::string_view text_;
  Table& table_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

std::optional<std::string> cell_of(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  if (value.is_number()) return value.dump();
  return std::nullopt;
}

}  // namespace

Table parse_tsv(std::string_view text, std::string source) {
  Table table{std::move(source), {}, {}};
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    if (line.empty()) return;
    std::vector<std::optional<std::string>> cells;
    for (bool more = true; more;) {
      const std::size_t tab = line.find('\t');
      more = tab != line.npos;
      cells.emplace_back(line.substr(0, tab));
      line.remove_prefix(more ? tab + 1 : line.size());
    }
    add_row(table, number, std::move(cells));
  });
  return table;
}

Table parse_csv(std::string_view text, std::string source) {
  Table table{std::move(source), {}, {}};
  CsvParser(text, table).parse();
  return table;
}

Table parse_jsonl(std::string_view text, std::string source) {
  Table table{std::move(source), {}, {}};
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    if (is_blank(line)) return;
    const std::string where = fmt::format("{}:{}", table.source, number);
    const json object = parse_json(line, where, codes::bad_data);
    if (!object.is_object()) {
      throw Error(codes::bad_data, fmt::format("{}: the line is not a JSON object", where));
    }
    Table::Row row{number, std::vector<std::optional<std::string>>(table.columns.size())};
    for (const auto& [name, value] : object.items()) {
      auto column = table.find(name);
      if (!column) {
        column = table.columns.size();
        table.columns.push_back(name);
        row.cells.emplace_back();
      }
      row.cells[*column] = cell_of(value);
    }
    table.rows.push_back(std::move(row));
  });
  return table;
}

Table parse_lines(std::string_view text, std::string source) {
  Table table{std::move(source), {"text"}, {}};
  for_each_line(text, [&](std::string_view line, std::size_t number) {
    if (!is_blank(line)) table.rows.push_back({number, {std::string(line)}});
  });
  return table;
}

}  // namespace onnxpress
