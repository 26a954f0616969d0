// SPDX-License-Identifier: Apache-2.0
#include "data/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "base/error_codes.h"
#include "base/mapped_file.h"

namespace onnxpress {
namespace {

namespace fs = std::filesystem;

void refuse_binary(std::string_view text, const fs::path& path) {
  constexpr std::size_t kLookedAt = 4096;
  if (text.substr(0, kLookedAt).find('\0') != text.npos) {
    throw Error(codes::bad_data, fmt::format("{}: is a binary file, not text", path.string()));
  }
}

}  // namespace

std::optional<std::size_t> Table::find(std::string_view column) const {
  const auto found = std::ranges::find(columns, column);
  if (found == columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns.begin());
}

std::size_t Table::require(std::string_view column) const {
  if (const auto found = find(column)) return *found;
  throw Error(codes::bad_data,
              fmt::format("{}: there is no column \"{}\"; the columns are {}", source, column,
                          fmt::join(columns, ", ")),
              "name columns with --text and --label");
}

const std::string& Table::cell(const Row& row, std::size_t column) const {
  if (column < row.cells.size() && row.cells[column]) return *row.cells[column];
  throw Error(codes::bad_data, fmt::format("{}:{}: \"{}\" is absent, or not a text or number",
                                           source, row.line, columns[column]));
}

Table read_table(const fs::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  auto* parse = extension == ".tsv"                           ? parse_tsv
                : extension == ".csv"                         ? parse_csv
                : extension == ".jsonl"                       ? parse_jsonl
                : extension == ".txt" || extension == ".text" ? parse_lines
                                                              : nullptr;
  const auto file = MappedFile::open(path);
  if (parse == nullptr) {
    throw Error(codes::bad_data,
                fmt::format("{}: files of samples are .tsv, .csv, .txt, .jsonl, .npz or .npy, not "
                            "\"{}\"",
                            path.string(), extension));
  }
  std::string_view text(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  refuse_binary(text, path);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Table table = parse(text, path.string());
  if (table.rows.empty()) {
    throw Error(codes::empty_data, fmt::format("{}: there are no samples", path.string()));
  }
  return table;
}

}  // namespace onnxpress
