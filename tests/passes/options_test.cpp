// SPDX-License-Identifier: Apache-2.0
#include "passes/options.h"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "onnxpress/error.h"
#include "passes/registry.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

struct Options {
  bool fast = false;
  std::int64_t bits = 8;
  double ratio = 0.5;
  std::string storage = "qdq";
  std::vector<std::string> exclude;
};

const OptionTable<Options> kTable{{"fast", &Options::fast, "be fast"},
                                  {"bits", &Options::bits, "bits", {}, 2, 8},
                                  {"ratio", &Options::ratio, "share", {}, 0, 1},
                                  {"storage", &Options::storage, "form", {"qdq", "integer"}},
                                  {"exclude", &Options::exclude, "globs"}};

std::string message(const OptionValues& values) {
  try {
    (void)read_options(kTable, values, "pass x");
    return "no error";
  } catch (const Error& error) {
    return std::string(error.what()) + " " + error.hint();
  }
}

TEST(Options, DefaultsComeFromTheStruct) {
  const Options options = read_options(kTable, {}, "pass x");
  EXPECT_EQ(options.bits, 8);
  EXPECT_EQ(options.storage, "qdq");
  EXPECT_EQ(to_toml(describe(kTable)[2].default_value), "0.5");
}

TEST(Options, ValuesAreSetAndIntegersServeAsNumbers) {
  const Options options = read_options(kTable,
                                       {{"bits", std::int64_t{4}},
                                        {"ratio", std::int64_t{1}},
                                        {"exclude", std::vector<std::string>{"a"}}},
                                       "pass x");
  EXPECT_EQ(options.bits, 4);
  EXPECT_EQ(options.ratio, 1.0);
  EXPECT_EQ(options.exclude, std::vector<std::string>{"a"});
}

TEST(Options, MistakesAreNamed) {
  EXPECT_THAT(message({{"bitz", std::int64_t{4}}}), testing::HasSubstr("did you mean \"bits\""));
  EXPECT_THAT(message({{"bits", std::int64_t{9}}}), testing::HasSubstr("2 to 8"));
  EXPECT_THAT(message({{"bits", 4.5}}), testing::HasSubstr("integer"));
  EXPECT_THAT(message({{"ratio", std::nan("")}}), testing::HasSubstr("number"));
  EXPECT_THAT(message({{"storage", std::string("qdp")}}),
              testing::HasSubstr("did you mean \"qdq\""));
}

TEST(Options, TextIsParsedAsTheOptionsType) {
  const auto infos = describe(kTable);
  EXPECT_EQ(parse_option(infos[0], "true"), OptionValue(true));
  EXPECT_EQ(parse_option(infos[1], "4"), OptionValue(std::int64_t{4}));
  EXPECT_EQ(parse_option(infos[4], "a*,b"), OptionValue(std::vector<std::string>{"a*", "b"}));
  for (const char* wrong : {"", "4x", "0x4", "1e1", " 4", "99999999999999999999"}) {
    EXPECT_THROW((void)parse_option(infos[1], wrong), Error) << wrong;
  }
  EXPECT_THROW((void)parse_option(infos[0], "yes"), Error);
}

TEST(Options, TomlQuotesWhatItMust) {
  EXPECT_EQ(to_toml(OptionValue(std::string("a\"b\\\n"))), "\"a\\\"b\\\\\\u000a\"");
  EXPECT_EQ(to_toml(OptionValue(2.0)), "2.0");
  EXPECT_EQ(to_toml(OptionValue(1e-4)), "0.0001");
}

TEST(Documents, EveryPassHasAPageWithItsOptions) {
  for (const PassInfo& pass : all_passes()) {
    const auto path = test::source_dir() / "docs" / "passes" / (std::string(pass.name) + ".md");
    std::ifstream file(path);
    ASSERT_TRUE(file) << path;
    std::stringstream text;
    text << file.rdbuf();
    EXPECT_THAT(text.str(), testing::HasSubstr(option_table_markdown(pass)))
        << "docs/passes/" << pass.name << ".md should hold the table above";
  }
}

}  // namespace
}  // namespace onnxpress
