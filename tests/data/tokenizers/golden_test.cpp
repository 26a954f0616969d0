// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/tokenizers/tokenizer.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

// Every line of golden.jsonl, which the reference implementations made.
class Golden : public testing::TestWithParam<const char*> {};

TEST_P(Golden, EqualsTheReference) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const auto folder = shared / "data/tokenizers" / GetParam();
  const auto tokenizer = load_tokenizer(folder);
  std::ifstream file(folder / "golden.jsonl");
  int lines = 0;
  int different = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    const auto expected = nlohmann::json::parse(line);
    const std::string text = expected.at("text");
    const auto ids = tokenizer->encode(text).ids;
    if (ids != expected.at("ids").get<std::vector<std::int32_t>>() && ++different <= 5) {
      ADD_FAILURE() << text << "\n got " << nlohmann::json(ids) << "\n not " << expected.at("ids");
    }
  }
  EXPECT_EQ(lines, 208);
  EXPECT_EQ(different, 0);
}

INSTANTIATE_TEST_SUITE_P(Tokenizers, Golden,
                         testing::Values("bert-base-uncased", "gpt2", "roberta-base", "phi-2",
                                         "llama2", "t5-small"));

}  // namespace
}  // namespace onnxpress
