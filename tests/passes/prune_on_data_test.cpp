// SPDX-License-Identifier: Apache-2.0
// Heads and neurons that are chosen on data, and what is left refitted to the original.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <iostream>

#include "base/error_codes.h"
#include "data/input_spec.h"
#include "eval/agreement.h"
#include "io/reader.h"
#include "passes/pruning/ablation.h"
#include "passes/pruning/pruning_fixture.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

using namespace test;  // NOLINT: the builder's and the fixture's short names
using testing::HasSubstr;

// Sentences of made-up tokens, of several lengths.
Dataset sentences(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<TextSample> texts;
  for (std::size_t i = 0; i < count; ++i) {
    TextSample text;
    std::int32_t token = static_cast<std::int32_t>(random() % 60);
    for (std::size_t t = 0; t < 8 + i % 11; ++t) {
      token =
          static_cast<std::int32_t>((static_cast<std::uint32_t>(token) * 7 + random() % 5) % 60);
      text.ids.push_back(token);
    }
    texts.push_back(std::move(text));
  }
  return Dataset::of_texts(std::move(texts), {});
}

Model small_gpt() {
  return read_model(source_dir() / "models/gpt-shakespeare/model.onnx");
}

struct Pruned {
  Model model;
  PassPlan plan;
  PassResult result;
  double loss = 0;  // on other sentences
};

Pruned prune(const Model& original, std::string_view pass, const OptionValues& options) {
  const Calibration calibration{CalibrationSet(sentences(120, 1), input_specs(original.graph), 16),
                                {}};
  const Calibration others{CalibrationSet(sentences(60, 2), input_specs(original.graph), 16), {}};
  Pruned pruned{original, {}, {}, 0};
  ThreadPool pool(2);
  PassContext context(pruned.model, pool, {}, &calibration);
  const auto made = make_pass(pass, options);
  pruned.plan = made->plan(context);
  pruned.result = made->apply(pruned.plan, context);
  pruned.model.graph.remove_unused();
  pruned.model.graph.sort();
  pruned.model.graph.verify();
  pruned.loss = AblationRun(original, others).measure(pruned.model);
  return pruned;
}

double figure(const PassResult& result, std::size_t row, std::string_view name) {
  for (const auto& [key, value] : result.figures.at(row)) {
    if (key == name) return value;
  }
  return NAN;
}

OptionValues options_of(std::string scores, bool refit) {
  return {{"ratio", 0.25}, {"scores", std::move(scores)}, {"refit", refit}};
}

TEST(PruneOnData, RefitsLoseLess) {
  const Model original = small_gpt();
  for (const char* pass : {"prune_heads", "prune_neurons"}) {
    for (const char* scores : {"norm", "obs", "ablation"}) {
      SCOPED_TRACE(fmt::format("{}, {}", pass, scores));
      const Pruned without = prune(original, pass, options_of(scores, false));
      const Pruned with = prune(original, pass, options_of(scores, true));
      EXPECT_LT(with.loss, 0.8 * without.loss);
      EXPECT_EQ(weight_bytes(with.model.graph), weight_bytes(without.model.graph));
      EXPECT_LT(weight_bytes(with.model.graph), weight_bytes(original.graph));
      double logs = 0;
      std::size_t count = 0;
      for (const auto& [row, figures] : with.result.figures) {
        const double before = figure(with.result, row, "cut.output_error");
        const double after = figure(with.result, row, "output_error");
        if (with.result.kept.contains(row)) continue;
        EXPECT_LE(after, before);
        logs += std::log(after / before);
        ++count;
      }
      ASSERT_GT(count, 0U);
      const double mean = std::exp(logs / static_cast<double>(count));
      std::cout << fmt::format("{} {}: loss {:.5f}, refitted {:.5f}, output error {:.3f}\n", pass,
                               scores, without.loss, with.loss, mean);
      EXPECT_LT(mean, 0.8);
    }
  }
}

TEST(PruneOnData, AblationChoosesBetterThanNorms) {
  const Model original = small_gpt();
  for (const char* pass : {"prune_heads", "prune_neurons"}) {
    const double norms = prune(original, pass, options_of("norm", true)).loss;
    EXPECT_LT(prune(original, pass, options_of("auto", true)).loss, norms) << pass;
  }
}

TEST(PruneOnData, GivesWhatItFindsOut) {
  const Pruned pruned = prune(small_gpt(), "prune_neurons", options_of("auto", true));
  bool refitted = false;
  for (const auto& [row, way] : pruned.result.ways) {
    if (pruned.result.kept.contains(row)) continue;
    EXPECT_EQ(pruned.plan.units[row].reason, "neurons chosen on data");
    EXPECT_THAT(way, HasSubstr("neurons go"));
    EXPECT_LT(pruned.result.bytes_after.at(row), pruned.plan.units[row].bytes_before);
    EXPECT_GE(figure(pruned.result, row, "cut.kl"), 0);
    refitted |= way.find("the rest refitted") != std::string::npos;
  }
  EXPECT_TRUE(refitted);
}

TEST(PruneOnData, TheSameDataGiveTheSameModel) {
  for (const char* pass : {"prune_heads", "prune_neurons"}) {
    const Pruned a = prune(small_gpt(), pass, {});
    const Pruned b = prune(small_gpt(), pass, {});
    EXPECT_EQ(to_text(a.model.graph), to_text(b.model.graph));
    EXPECT_EQ(a.loss, b.loss);
  }
}

TEST(PruneOnData, ScoresThatNeedDataSaySo) {
  for (const char* scores : {"activation", "obs", "ablation"}) {
    Model model = small_gpt();
    try {
      run_pass(model, "prune_heads", options_of(scores, true));
      FAIL() << scores;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.code()), "E0006");
    }
  }
  Model model = small_gpt();
  const PassPlan plan = run_pass(model, "prune_heads", {});
  ASSERT_EQ(plan.warnings.size(), 1U);
  EXPECT_THAT(plan.warnings[0], HasSubstr("--data loses far less"));
}

TEST(PruneOnData, WhatLiesBehindTheCutIsRefittedToo) {
  const Model original = small_gpt();
  OptionValues options = options_of("norm", true);
  const Pruned all = prune(original, "prune_heads", options);
  options["exclude"] = std::vector<std::string>{"*mlp*"};
  const Pruned some = prune(original, "prune_heads", options);
  EXPECT_LT(all.loss, some.loss);
  const auto differ = [&](const Pruned& pruned, UnitRole role) {
    const TransformerView view = TransformerView::of(original);
    std::size_t count = 0;
    for (const LinearUnit& unit : view.units()) {
      if (unit.role != role) continue;
      const Tensor* now = pruned.model.graph.constant(unit.weight);
      const Tensor* then = original.graph.constant(unit.weight);
      count += now == nullptr || !std::ranges::equal(now->bytes(), then->bytes());
    }
    return count;
  };
  EXPECT_GT(differ(all, UnitRole::feed_forward_down), 0U);
  EXPECT_EQ(differ(some, UnitRole::feed_forward_down), 0U);
  EXPECT_EQ(differ(all, UnitRole::head), 0U);
}

TEST(Ablation, ATemperatureSoftensTheLogits) {
  const Model original = small_gpt();
  const Calibration calibration{CalibrationSet(sentences(8, 1), input_specs(original.graph), 16),
                                {}};
  const auto layers = layers_of(original, PrunableKind::heads);
  const Model changed = with_rows(original, layers[0], {{0, 1}});
  const double plain = AblationRun(original, calibration).measure(changed);
  const double soft = AblationRun(original, calibration, 4).measure(changed);
  // By the oracle: all tokens of the one batch.
  const CalibrationSet& set = *calibration.set;
  const Batch batch = set.batch(0);
  const Tensor reference = Session(original).run(batch.inputs).at("logits");
  const Tensor candidate = Session(changed).run(batch.inputs).at("logits");
  const Floats was(reference);
  const Floats now(candidate);
  const auto width = static_cast<std::size_t>(reference.dims().back());
  const auto tokens = static_cast<std::size_t>(reference.dims()[1]);
  std::vector<double> sums(2);
  std::size_t rows = 0;
  for (std::size_t sample = 0; sample < batch.lengths.size(); ++sample) {
    for (std::size_t token = 0; token < batch.lengths[sample]; ++token, ++rows) {
      const std::size_t at = (sample * tokens + token) * width;
      for (std::size_t i = 0; i < 2; ++i) {
        const float temperature = i == 0 ? 1 : 4;
        std::vector<float> a(width);
        std::vector<float> b(width);
        for (std::size_t k = 0; k < width; ++k) {
          a[k] = was.values()[at + k] / temperature;
          b[k] = now.values()[at + k] / temperature;
        }
        sums[i] += kl_divergence(a, b) * static_cast<double>(temperature * temperature);
      }
    }
  }
  EXPECT_NEAR(plain, sums[0] / static_cast<double>(rows), 1e-3 * plain);
  EXPECT_NEAR(soft, sums[1] / static_cast<double>(rows), 1e-3 * soft);
  EXPECT_GT(std::abs(soft - plain), 0.01 * plain);
}

TEST(Ablation, NothingChangedLosesNothing) {
  const Model original = small_gpt();
  const Calibration calibration{CalibrationSet(sentences(50, 1), input_specs(original.graph), 16),
                                {}};
  AblationRun run(original, calibration);
  EXPECT_TRUE(run.measures_kl());
  EXPECT_NEAR(run.measure(original), 0, 1e-9);
  const auto layers = layers_of(original, PrunableKind::heads);
  const Model changed = with_rows(original, layers[1], {{0, 1, 2, 3}});
  const double whole = run.measure(changed);
  EXPECT_GT(whole, 1e-4);
  const TransformerView view = TransformerView::of(original);
  run.advance(original, view.units()[*view.unit_of(layers[1].readers[0].product)].input);
  EXPECT_NEAR(run.measure(changed), whole, 1e-4 * whole);
}

}  // namespace
}  // namespace onnxpress
