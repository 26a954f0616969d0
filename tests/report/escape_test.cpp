// SPDX-License-Identifier: Apache-2.0
#include "report/escape.h"

#include <gtest/gtest.h>

namespace onnxpress {
namespace {

TEST(EscapeTerminal, KeepsReadableText) {
  EXPECT_EQ(escape_terminal("/layer.0/MatMul größe 诗"), "/layer.0/MatMul größe 诗");
}

TEST(EscapeTerminal, DisarmsControlCharacters) {
  EXPECT_EQ(escape_terminal("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(escape_terminal("a\nb\rc\td"), "a\\nb\\x0dc\\x09d");
  EXPECT_EQ(escape_terminal("\x7f"), "\\x7f");
  EXPECT_EQ(escape_terminal("\xc2\x9b"), "\\x9b");  // C1: another way to begin a sequence
  EXPECT_EQ(escape_terminal("a\xe2\x80\xae"
                            "b"),
            "a\\u{202e}b");  // right to left from here
  EXPECT_EQ(escape_terminal(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(EscapeTerminal, ShowsBytesThatAreNotUtf8) {
  EXPECT_EQ(escape_terminal("a\xff"
                            "b"),
            "a\\xffb");
  EXPECT_EQ(escape_terminal("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(escape_terminal("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(escape_terminal("\xe8\xaf"), "\\xe8\\xaf");           // cut short
}

TEST(EscapeTerminal, DisarmsWorkflowCommands) {
  EXPECT_EQ(escape_terminal("::error::x"), "\\::error::x");
}

TEST(EscapeMarkdown, DisarmsTablesAndHtml) {
  EXPECT_EQ(escape_markdown("a|b<script>`x`"), "a\\|b&lt;script&gt;\\`x\\`");
}

TEST(EscapeCsv, QuotesAndDisarmsFormulas) {
  EXPECT_EQ(escape_csv("plain"), "plain");
  EXPECT_EQ(escape_csv("a,b"), "\"a,b\"");
  EXPECT_EQ(escape_csv("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(escape_csv("=SUM(A1)"), "'=SUM(A1)");
  EXPECT_EQ(escape_csv("-1.5"), "-1.5");
  EXPECT_EQ(escape_csv("@x"), "'@x");
}

}  // namespace
}  // namespace onnxpress
