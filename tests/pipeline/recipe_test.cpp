// SPDX-License-Identifier: Apache-2.0
#include "pipeline/recipe.h"

#include <gmock/gmock.h>

#include "onnxpress/error.h"

namespace onnxpress {
namespace {

std::string message(std::string_view text) {
  try {
    (void)parse_recipe(text, "r.toml");
    return "no error";
  } catch (const Error& error) {
    EXPECT_EQ(exit_code(error.kind()), 2);
    return std::string(error.what()) + " | " + error.hint();
  }
}

TEST(Recipe, ReadsEverySection) {
  const Recipe r = parse_recipe(R"(
schema = 1
[data]
path = "dev.tsv"
text = ["a", "b"]
samples = 256
[[pass]]
name = "quantize_weights"
bits = 8
exclude = ["classifier*"]
[[pass]]
name = "deduplicate"
[gate]
fail_if = ["size > 20MB"]
)",
                                "r.toml");
  EXPECT_EQ(r.data.path, "dev.tsv");
  EXPECT_EQ(r.data.text, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(r.data.samples, 256);
  ASSERT_EQ(r.passes.size(), 2U);
  EXPECT_EQ(std::get<std::int64_t>(r.passes[0].options.at("bits")), 8);
  EXPECT_EQ(r.fail_if, std::vector<std::string>{"size > 20MB"});
}

TEST(Recipe, MistakesHaveFileLineColumnAndAHint) {
  using testing::HasSubstr;
  EXPECT_THAT(message("schema = 1\n[[pass]]\nname = \"fold_constants\"\nmax_grow = 1\n"),
              testing::AllOf(HasSubstr("r.toml:4:1"), HasSubstr("did you mean \"max_growth\"")));
  EXPECT_THAT(
      message("schema = 1\n[[pass]]\nname = \"quantise_weights\"\n"),
      testing::AllOf(HasSubstr("r.toml:3:8"), HasSubstr("did you mean \"quantize_weights\"")));
  EXPECT_THAT(message("schema = 1\n[[pass]]\nname = \"quantize_weights\"\nbits = 99\n"),
              testing::AllOf(HasSubstr("r.toml:4:8"), HasSubstr("2 to 8")));
  EXPECT_THAT(message("schema = 1\n[[pass]]\nname = \"quantize_weights\"\nbits = 3.5\n"),
              HasSubstr("integer"));
  EXPECT_THAT(message("schema = 1\ndate = 1\n"), HasSubstr("did you mean \"data\""));
  EXPECT_THAT(message("schema = 1\n[data]\nsamples = -1\n"), HasSubstr("r.toml:3:11"));
  EXPECT_THAT(message("schema = 2\n"), HasSubstr("newer"));
  EXPECT_THAT(message("schema = 1\nschema = 1\n"), HasSubstr("r.toml:2"));
  EXPECT_THAT(message("schema = \n"), HasSubstr("r.toml:1"));
  EXPECT_THAT(message(""), HasSubstr("schema = 1"));
  EXPECT_THAT(message("schema = 1\n"), HasSubstr("[[pass]]"));
  EXPECT_THAT(message("schema = 1\npass = 3\n"), HasSubstr("[[pass]]"));
  EXPECT_THAT(message("schema = 1\n[[pass]]\nbits = 8\n"), HasSubstr("no name"));
  EXPECT_THAT(message("\xff\xfe"), HasSubstr("r.toml:1"));
  EXPECT_THAT(message(std::string(2 << 20, '\n')), HasSubstr("bytes"));
  EXPECT_THAT(message("schema = 1\nx = " + std::string(300, '[')), HasSubstr("r.toml:2"));
}

TEST(Recipe, TakesByteOrderMarksAndCarriageReturns) {
  EXPECT_EQ(message("\xef\xbb\xbfschema = 1\r\n[[pass]]\r\nname = \"deduplicate\"\r\n"),
            "no error");
}

TEST(Recipe, FlagsSetOptionsOfTheirPass) {
  Recipe r = preset_recipe("int8-weights");
  set_option(r, "quantize_weights.exclude=a*,b");
  EXPECT_EQ(std::get<std::vector<std::string>>(r.passes[3].options.at("exclude")),
            (std::vector<std::string>{"a*", "b"}));
  add_globs(r, "exclude", {"c"});
  EXPECT_EQ(std::get<std::vector<std::string>>(r.passes[3].options.at("exclude")).size(), 3U);
  EXPECT_EQ(std::get<std::vector<std::string>>(r.passes[2].options.at("exclude")).size(), 1U);
  for (const char* wrong :
       {"quantize_weights", "quantize_weights.bits", "bits=8", "quantize_weights.bitz=8",
        "quantize_weights.bits=x", "cast_fp16.compute=float32"}) {
    EXPECT_THROW(set_option(r, wrong), Error) << wrong;
  }
  Recipe lossless = preset_recipe("lossless");
  EXPECT_THROW(add_globs(lossless, "exclude", {"c"}), Error);
}

}  // namespace
}  // namespace onnxpress
