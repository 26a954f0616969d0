// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace onnxpress {

// A text file of samples: named columns and a row for each sample.
struct Table {
  struct Row {
    std::size_t line = 0;                           // in the file, from 1
    std::vector<std::optional<std::string>> cells;  // nothing: absent, or not a text or number
  };
  std::string source;  // the file, for messages
  std::vector<std::string> columns;
  std::vector<Row> rows;

  [[nodiscard]] std::optional<std::size_t> find(std::string_view column) const;
  // Its position. Throws Error (bad_data) that lists the columns there are.
  [[nodiscard]] std::size_t require(std::string_view column) const;
  // Throws Error (bad_data) with file and line where the cell is absent.
  [[nodiscard]] const std::string& cell(const Row& row, std::size_t column) const;
};

// A header line and a sample a line, columns parted by tabs. Nothing is quoted.
[[nodiscard]] Table parse_tsv(std::string_view text, std::string source);
// RFC 4180: commas, cells that may be quoted and then hold commas, quotes (doubled) and line ends.
[[nodiscard]] Table parse_csv(std::string_view text, std::string source);
// A JSON object a line; its members are the columns, true and false read as 1 and 0.
[[nodiscard]] Table parse_jsonl(std::string_view text, std::string source);
// A sample a line, in one column "text". Lines of white space only are left out.
[[nodiscard]] Table parse_lines(std::string_view text, std::string source);

// By the file's extension. Throws Error (bad_data) for an unknown one or a malformed file,
// empty_data for one without samples, and those of opening a file.
[[nodiscard]] Table read_table(const std::filesystem::path& path);

// The columns that hold a sample's text (one, or two for a pair) and its label.
struct TableColumns {
  std::vector<std::size_t> text;
  std::optional<std::size_t> label;
};
// `text` and `label` name them; where they are empty, the usual names are looked for. Throws Error
// (bad_data) that lists the columns there are.
[[nodiscard]] TableColumns choose_columns(const Table& table, const std::vector<std::string>& text,
                                          const std::string& label);

}  // namespace onnxpress
