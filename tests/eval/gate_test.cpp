// SPDX-License-Identifier: Apache-2.0
#include "eval/gate.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

Document measured() {
  Document document;
  document.models = {{"a.onnx", 1000}, {"b.onnx", 400}};
  document.models[0].metrics = {{"accuracy", 0.9, {}, 100, "share"}, {"perplexity", 5, {}, 1, ""}};
  document.models[1].metrics = {{"accuracy", 0.89, {}, 100, "share"},
                                {"perplexity", 5.5, {}, 1, ""}};
  document.models[0].latency = Latency{20, 22, 19, 10, 1, 128, 2, "AVX2", "onnxpress"};
  document.models[1].latency = Latency{10, 12, 9, 10, 1, 128, 2, "AVX2", "onnxpress"};
  document.changes = {{"ratio", 2.5, {}, 1, "x"},
                      {"accuracy_drop", 0.01, {}, 100, "share"},
                      {"perplexity_increase", 0.5, {}, 1, ""},
                      {"speedup", 2, {}, 10, "x"}};
  document.agreement = {
      {"logits", 100, {{"agreement", 0.99, {}, 100, "share"}, {"max_abs", 0.5, {}, 100, ""}}},
      {"other", 100, {{"agreement", 0.97, {}, 100, "share"}, {"max_abs", 0.25, {}, 100, ""}}}};
  document.peak_memory_bytes = 123456;
  return document;
}

bool fails(std::string_view expression) {
  return judge(parse_gate(expression), measured()).failed;
}

std::string code_of(std::string_view expression) {
  try {
    (void)parse_gate(expression);
  } catch (const Error& error) {
    return std::string(error.code());
  }
  return "";
}

TEST(ParseGate, ReadsEveryOperatorAndUnit) {
  const Gate gate = parse_gate("  size>=1.5MiB ");
  EXPECT_EQ(gate.metric->name, "size");
  EXPECT_EQ(gate.comparison, Gate::Comparison::at_least);
  EXPECT_DOUBLE_EQ(gate.threshold, 1.5 * 1048576);
  EXPECT_EQ(gate.expression, "size>=1.5MiB");
  EXPECT_DOUBLE_EQ(parse_gate("size > 20 MB").threshold, 20e6);
  EXPECT_DOUBLE_EQ(parse_gate("accuracy_drop > 0.3%").threshold, 0.003);
  EXPECT_DOUBLE_EQ(parse_gate("speedup < 1.2x").threshold, 1.2);
  EXPECT_DOUBLE_EQ(parse_gate("latency_p50 > 0.5s").threshold, 500);
  EXPECT_DOUBLE_EQ(parse_gate("kl_mean > 1e-3").threshold, 0.001);
  EXPECT_TRUE(parse_gate("size > 50%").relative);
}

TEST(ParseGate, RefusesWhatItCantRead) {
  for (const char* text : {"", "size", "size > ", "size > x", "size == 3", "size > nan",
                           "size > inf", "size > 3 parsecs", "kl_mean > 3%", "speedup < 2ms",
                           "size > 3 4", "accuracy < 1x", "size > 0x10"}) {
    EXPECT_EQ(code_of(text), "E0003") << text;
  }
  EXPECT_EQ(code_of("acuracy < 3"), "E0002");
  try {
    (void)parse_gate("acuracy < 3");
  } catch (const Error& error) {
    EXPECT_THAT(error.hint(), testing::HasSubstr("accuracy"));
  }
}

TEST(Judge, ComparesWithTheResultNotTheOriginal) {
  EXPECT_FALSE(fails("size > 400"));
  EXPECT_TRUE(fails("size >= 400"));
  EXPECT_TRUE(fails("size > 399"));
  EXPECT_TRUE(fails("accuracy < 89.5%"));
  EXPECT_FALSE(fails("accuracy < 0.89"));
  EXPECT_TRUE(fails("accuracy <= 0.89"));
  EXPECT_TRUE(fails("ratio < 2.6x"));
  EXPECT_FALSE(fails("speedup < 2"));
  EXPECT_TRUE(fails("latency_p95 > 11.5ms"));
  EXPECT_FALSE(fails("peak_memory > 200KB"));
}

TEST(Judge, PercentIsPointsForSharesAndAShareOfTheOriginalElsewhere) {
  EXPECT_TRUE(fails("accuracy_drop > 0.9%"));
  EXPECT_FALSE(fails("accuracy_drop > 1.1%"));
  EXPECT_TRUE(fails("size > 39%"));
  EXPECT_FALSE(fails("size > 41%"));
  EXPECT_TRUE(fails("latency_p50 > 49%"));
  EXPECT_FALSE(fails("latency_p50 > 51%"));
  EXPECT_TRUE(fails("perplexity_increase > 9%"));
  EXPECT_FALSE(fails("perplexity_increase > 11%"));
}

TEST(Judge, TakesTheWorstOfSeveralOutputs) {
  EXPECT_TRUE(fails("agreement < 98%"));
  EXPECT_TRUE(fails("max_abs > 0.4"));
}

TEST(Judge, NaNFailsWhateverIsAsked) {
  Document document = measured();
  document.agreement[1].metrics[1].value = std::nan("");
  EXPECT_TRUE(judge(parse_gate("max_abs > 1e30"), document).failed);
  EXPECT_TRUE(judge(parse_gate("max_abs < 0"), document).failed);
}

TEST(Judge, UnmeasuredMetricIsAUsageError) {
  try {
    (void)judge(parse_gate("kl_p99 > 1"), measured());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), codes::missing_data.id);
    EXPECT_EQ(error.kind(), ErrorKind::usage);
  }
}

}  // namespace
}  // namespace onnxpress
