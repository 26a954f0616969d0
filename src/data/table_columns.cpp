// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error_codes.h"
#include "data/table.h"

namespace onnxpress {
namespace {

// What the columns of GLUE and other public sets are called.
constexpr std::array<std::string_view, 8> kTexts = {"sentence", "text",    "review", "content",
                                                    "question", "comment", "tweet",  "prompt"};
constexpr std::array<std::array<std::string_view, 2>, 7> kPairs = {{{"sentence1", "sentence2"},
                                                                    {"premise", "hypothesis"},
                                                                    {"question1", "question2"},
                                                                    {"question", "sentence"},
                                                                    {"text1", "text2"},
                                                                    {"text_a", "text_b"},
                                                                    {"query", "passage"}}};
constexpr std::array<std::string_view, 7> kLabels = {"label",  "labels", "gold_label", "score",
                                                     "target", "class",  "y"};

std::vector<std::size_t> find_text(const Table& table, std::optional<std::size_t> label) {
  for (const auto& [first, second] : kPairs) {
    const auto a = table.find(first);
    const auto b = table.find(second);
    if (a && b) return {*a, *b};
  }
  for (const std::string_view name : kTexts) {
    if (const auto column = table.find(name)) return {*column};
  }
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (i != label) others.push_back(i);
  }
  if (others.size() == 1) return others;
  throw Error(codes::bad_data,
              fmt::format("{}: which column holds the text? The columns are {}", table.source,
                          fmt::join(table.columns, ", ")),
              "name it with --text (twice for a pair of texts)");
}

}  // namespace

TableColumns choose_columns(const Table& table, const std::vector<std::string>& text,
                            const std::string& label) {
  TableColumns columns;
  if (!label.empty()) {
    columns.label = table.require(label);
  } else {
    for (const std::string_view name : kLabels) {
      if (!columns.label) columns.label = table.find(name);
    }
  }
  if (text.size() > 2) {
    throw Error(codes::bad_option,
                fmt::format("a sample has one or two texts, not {}", text.size()),
                "name one or two columns with --text");
  }
  for (const std::string& name : text) columns.text.push_back(table.require(name));
  if (text.empty()) columns.text = find_text(table, columns.label);
  return columns;
}

}  // namespace onnxpress
