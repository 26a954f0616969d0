// SPDX-License-Identifier: Apache-2.0
#include "data/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"
#include "support/temporary_folder.h"

namespace onnxpress {
namespace {

using test::expect_error;
using testing::ElementsAre;

std::vector<std::string> column(const Table& table, std::string_view name) {
  std::vector<std::string> cells;
  for (const auto& row : table.rows) cells.push_back(table.cell(row, table.require(name)));
  return cells;
}

TEST(ParseTsv, ReadsColumnsByNameAndQuotesNothing) {
  const Table table = parse_tsv("index\tsentence\tlabel\r\n0\t\"a\" b \t1\r\n\r\n1\tc, d\t0", "f");
  EXPECT_THAT(table.columns, ElementsAre("index", "sentence", "label"));
  EXPECT_THAT(column(table, "sentence"), ElementsAre("\"a\" b ", "c, d"));
  EXPECT_THAT(column(table, "label"), ElementsAre("1", "0"));
  EXPECT_EQ(table.rows[1].line, 4U);
}

TEST(ParseTsv, NamesTheLineWithTooManyColumns) {
  expect_error(codes::bad_data, "f:3: the header has 2 columns, but this line has 3",
               [] { static_cast<void>(parse_tsv("a\tb\n1\t2\n1\t2\t3\n", "f")); });
}

TEST(ParseCsv, FollowsRfc4180) {
  const Table table =
      parse_csv("text,label\r\n\"a, \"\"b\"\"\r\nc\",1\r\n,0\r\n\"\",1\nplain \"x\",0", "f");
  EXPECT_THAT(column(table, "text"), ElementsAre("a, \"b\"\r\nc", "", "", "plain \"x\""));
  EXPECT_THAT(column(table, "label"), ElementsAre("1", "0", "1", "0"));
  EXPECT_EQ(table.rows[1].line, 4U);
}

TEST(ParseCsv, RefusesBrokenQuotes) {
  expect_error(codes::bad_data, "f:2: a quoted cell does not end",
               [] { static_cast<void>(parse_csv("a\n\"b\nc", "f")); });
  expect_error(codes::bad_data, "f:2: text follows a closing quote",
               [] { static_cast<void>(parse_csv("a\n\"b\"c\n", "f")); });
}

TEST(ParseJsonl, ReadsMembersAsColumns) {
  const Table table = parse_jsonl(
      "{\"text\": \"a\\nb\", \"label\": 1}\n\n{\"label\": true, \"text\": \"c\", \"extra\": [1]}\n",
      "f");
  EXPECT_THAT(column(table, "text"), ElementsAre("a\nb", "c"));
  EXPECT_THAT(column(table, "label"), ElementsAre("1", "1"));
  expect_error(codes::bad_data, "f:1: \"extra\" is absent",
               [&] { static_cast<void>(column(table, "extra")); });
}

TEST(ParseJsonl, NamesTheBrokenLine) {
  expect_error(codes::bad_data, "f:2: not valid JSON",
               [] { static_cast<void>(parse_jsonl("{}\n{\"a\": \n", "f")); });
  expect_error(codes::bad_data, "f:1: the line is not a JSON object",
               [] { static_cast<void>(parse_jsonl("[1]\n", "f")); });
  expect_error(codes::bad_data, "nested more than 128 deep",
               [] { static_cast<void>(parse_jsonl(std::string(100000, '['), "f")); });
}

TEST(ParseLines, LeavesBlankLinesOut) {
  EXPECT_THAT(column(parse_lines("a\n \t\n\n b \r\n", "f"), "text"), ElementsAre("a", " b "));
}

TEST(ReadTable, RefusesEmptyBinaryAndUnknownFiles) {
  const test::TemporaryFolder folder;
  const auto read = [&](const char* name, std::string_view content) {
    return [path = folder.write(name, content)] { static_cast<void>(read_table(path)); };
  };
  expect_error(codes::empty_data, "there are no samples", read("a.tsv", ""));
  expect_error(codes::empty_data, "there are no samples", read("b.tsv", "sentence\tlabel\n"));
  expect_error(codes::empty_data, "there are no samples", read("c.txt", "\n \n"));
  expect_error(codes::bad_data, "is a binary file",
               read("d.txt", std::string_view("\x89PNG\r\n\x1a\n\0\0", 10)));
  expect_error(codes::bad_data, "not \".xlsx\"", read("e.xlsx", "x"));
  expect_error(codes::file_missing, "no such file",
               [&] { static_cast<void>(read_table(folder.path() / "none.tsv")); });
}

TEST(ChooseColumns, FindsTheUsualNames) {
  const auto choose = [](const char* header, std::vector<std::string> text = {},
                         const std::string& label = "") {
    return choose_columns(parse_tsv(header, "f"), text, label);
  };
  EXPECT_THAT(choose("idx\tsentence\tlabel").text, ElementsAre(1U));
  EXPECT_EQ(choose("idx\tsentence\tlabel").label, 2U);
  EXPECT_THAT(choose("sentence1\tsentence2\tscore").text, ElementsAre(0U, 1U));
  EXPECT_EQ(choose("sentence1\tsentence2\tscore").label, 2U);
  EXPECT_THAT(choose("words\tlabel").text, ElementsAre(0U));
  EXPECT_FALSE(choose("text").label.has_value());
  EXPECT_THAT(choose("a\tb\tc", {"c", "a"}, "b").text, ElementsAre(2U, 0U));
  expect_error(codes::bad_data, "no column \"tone\"; the columns are a, b",
               [&] { choose("a\tb", {"a"}, "tone"); });
  expect_error(codes::bad_data, "which column holds the text? The columns are a, b",
               [&] { choose("a\tb"); });
}

}  // namespace
}  // namespace onnxpress
