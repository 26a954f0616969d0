// SPDX-License-Identifier: Apache-2.0
#include "eval/evaluate.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "base/error_codes.h"
#include "eval/latency.h"
#include "support/parse.h"

namespace onnxpress {
namespace {

// Logits of [batch, 2]: x and a constant times x.
Model classifier(const char* factor) {
  return test::parse(std::string("g (float[n,2] x) => (float[n,2] logits) <float[2] f = {") +
                     factor + "}> { logits = Mul(x, f) }");
}

Dataset points(std::vector<float> values, std::vector<double> labels) {
  const auto rows = static_cast<std::int64_t>(values.size() / 2);
  return Dataset::of_arrays({{"x", Tensor::of<float>({rows, 2}, std::move(values))}},
                            std::move(labels), "points");
}

double value(const std::vector<Metric>& metrics, std::string_view name) {
  const auto found = std::ranges::find(metrics, name, &Metric::name);
  return found == metrics.end() ? std::nan("") : found->value;
}

TEST(Evaluate, ClassifierBeforeAndAfter) {
  const Model reference = classifier("1, 1");
  const Model candidate = classifier("1, 0.5");
  const Session before(reference, {.threads = 1});
  const Session after(candidate, {.threads = 1});
  // The second point changes its class, and was right before.
  const Dataset data = points({1, 0, 3, 4, 0, 1}, {0, 1, 0});
  EvaluationOptions options;
  options.batch = 2;
  std::size_t seen = 0;
  options.progress = [&](std::size_t done, std::size_t) { seen = done; };
  const Evaluation result =
      evaluate(before, &after, data, input_specs(reference.graph), {}, options);
  EXPECT_EQ(result.task.task, Task::classification);
  EXPECT_EQ(seen, 3U);
  EXPECT_NEAR(value(result.reference.metrics, "accuracy"), 2.0 / 3, 1e-12);
  EXPECT_NEAR(value(result.candidate->metrics, "accuracy"), 1.0 / 3, 1e-12);
  EXPECT_NEAR(value(result.changes, "accuracy_drop"), 1.0 / 3, 1e-12);
  ASSERT_EQ(result.agreement.size(), 1U);
  EXPECT_NEAR(value(result.agreement[0].metrics, "agreement"), 2.0 / 3, 1e-12);
  EXPECT_NEAR(value(result.agreement[0].metrics, "max_abs"), 2, 1e-6);
}

// Logits [batch, sequence, 4]: a table looked up, so the loss is known exactly.
constexpr const char* kLanguageModel = R"(
  g (int64[n,s] input_ids) => (float[n,s,4] logits)
  <float[4,4] table = {0,1,0,0, 0,0,2,0, 0,0,0,3, 0,0,0,0}> { logits = Gather(table, input_ids) })";

TEST(Evaluate, PerplexityCountsEachNextTokenOnceAndNoPadding) {
  const Model model = test::parse(kLanguageModel);
  const Session session(model, {.threads = 1});
  std::vector<TextSample> texts(2);
  texts[0].ids = {0, 1, 2, 3};
  texts[1].ids = {1, 2};
  texts[1].next_token = 3;
  const Dataset data = Dataset::of_texts(texts, {});
  const auto tokens = token_input(model.graph);
  ASSERT_TRUE(tokens);
  const Evaluation result = evaluate(session, nullptr, data, input_specs(model.graph), tokens, {});
  EXPECT_EQ(result.task.task, Task::language_model);
  const auto loss = [](double logit) { return -(logit - std::log(std::exp(logit) + 3)); };
  // 0→1, 1→2, 2→3 in the first, 1→2 and 2→3 (behind the window) in the second.
  const double mean = (loss(1) + loss(2) + loss(3) + loss(2) + loss(3)) / 5;
  EXPECT_NEAR(value(result.reference.metrics, "perplexity"), std::exp(mean), 1e-6);
  EXPECT_EQ(result.reference.metrics[0].n, 5);
  EXPECT_EQ(value(result.reference.metrics, "token_accuracy"), 1);
}

TEST(Evaluate, RefusesLabelsAndTokensThatDoNotFit) {
  const auto code = [](auto body) -> std::string {
    try {
      body();
    } catch (const Error& error) {
      return std::string(error.code());
    }
    return "";
  };
  const Model model = classifier("1, 1");
  const Session session(model, {.threads = 1});
  for (const double label : {2.0, -1.0, 0.5}) {
    const Dataset data = points({1, 0, 0, 1}, {0, label});
    EXPECT_EQ(
        code([&] { (void)evaluate(session, nullptr, data, input_specs(model.graph), {}, {}); }),
        codes::bad_label.id);
  }
  std::vector<TextSample> texts(1);
  texts[0].ids = {0, 4};
  EXPECT_EQ(code([&] {
              require_known_tokens(Dataset::of_texts(texts, {}), LookedUpInput{"i", 4});
            }),
            codes::tokenizer_mismatch.id);
  const std::atomic<bool> cancelled = true;
  EvaluationOptions options;
  options.cancelled = &cancelled;
  EXPECT_EQ(code([&] {
              (void)evaluate(session, nullptr, points({1, 0}, {0}), input_specs(model.graph), {},
                             options);
            }),
            codes::cancelled.id);
}

TEST(Latency, ModelsGetEquallyManyRunsAndTheFasterOneWins) {
  const Model small = test::parse("g (float[64,64] x) => (float[64,64] y) { y = Relu(x) }");
  const Model large = test::parse(R"(g (float[64,64] x) => (float[64,64] y) {
    a = MatMul(x, x) b = MatMul(a, x) c = MatMul(b, x) d = MatMul(c, x) y = Softmax(d) })");
  const Session fast(small, {.threads = 1});
  const Session slow(large, {.threads = 1});
  const TensorMap inputs = synthetic_inputs(input_specs(small.graph), {}, {});
  LatencyOptions options;
  options.seconds = 0;
  const std::vector<TimedModel> models = {{&slow, &inputs}, {&fast, &inputs}};
  const auto times = time_interleaved(models, options);
  ASSERT_EQ(times.size(), 2U);
  EXPECT_EQ(times[0].size(), 15U);
  EXPECT_EQ(times[1].size(), 15U);
  const Metric ratio = speedup(times[0], times[1], 1);
  EXPECT_GT(ratio.value, 1);
  EXPECT_LE(ratio.interval->low, ratio.value);
  EXPECT_GE(ratio.interval->high, ratio.value);
  const Latency latency = summarize(slow, {1, 0}, times[0]);
  EXPECT_LE(latency.min_ms, latency.p50_ms);
  EXPECT_LE(latency.p50_ms, latency.p95_ms);
  EXPECT_EQ(latency.threads, 1);
}

TEST(PeakMemory, GrowsWithWhatIsUsed) {
  ASSERT_GT(peak_memory_bytes(), 1'000'000);
  if (!reset_peak_memory()) GTEST_SKIP() << "the system does not let us reset the peak";
  const std::int64_t before = peak_memory_bytes();
  std::vector<char> block(64 << 20, 1);
  EXPECT_GE(peak_memory_bytes(), before + (60 << 20)) << block[5];
}

}  // namespace
}  // namespace onnxpress
