// SPDX-License-Identifier: Apache-2.0
#include "passes/selection.h"

#include <gtest/gtest.h>

#include "onnxpress/error.h"

namespace onnxpress {
namespace {

TEST(Glob, StarStandsForAnythingAndQuestionMarkForOne) {
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("*layer.5*", "bert.layer.5.query"));
  EXPECT_TRUE(matches_glob("a?c", "abc"));
  EXPECT_TRUE(matches_glob("a*b*c", "a__b_b__c"));
  EXPECT_FALSE(matches_glob("a?c", "ac"));
  EXPECT_FALSE(matches_glob("layer", "layer.1"));
  EXPECT_FALSE(matches_glob("", "x"));
}

TEST(Glob, ManyStarsDoNotTakeForever) {
  std::string glob;
  for (int i = 0; i < 200; ++i) glob += "a*";
  EXPECT_FALSE(matches_glob(glob + "b", std::string(10000, 'a')));
}

TEST(Selection, ExcludeWinsOverInclude) {
  const Selection s({"*dense*"}, {"*output*"});
  EXPECT_EQ(s.why_not("l0.dense"), "");
  EXPECT_EQ(s.why_not("l0.output.dense"), "left out by exclude \"*output*\"");
  EXPECT_EQ(s.why_not("l0.query"), "not named by include");
}

TEST(Selection, AGlobThatFitsNothingIsAnErrorThatNamesTheNearest) {
  const std::vector<std::string> labels{"query", "classifier"};
  const Selection s({"q*"}, {"clasifier"});
  EXPECT_EQ(s.unmatched(labels), std::vector<std::string>{"clasifier"});
  try {
    refuse_glob("clasifier", labels);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    EXPECT_NE(error.hint().find("\"classifier\""), std::string::npos) << error.hint();
  }
}

}  // namespace
}  // namespace onnxpress
