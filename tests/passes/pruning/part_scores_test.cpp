// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/part_scores.h"

#include <gmock/gmock.h>

#include <random>

#include "data/input_spec.h"
#include "io/reader.h"
#include "passes/pruning/ablation.h"
#include "passes/pruning/layer_moments.h"
#include "passes/pruning/unit_scores.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

Model small_gpt() {
  return read_model(test::source_dir() / "models/gpt-shakespeare/model.onnx");
}

Calibration some_tokens(const Model& model) {
  std::mt19937 random(3);
  std::vector<TextSample> texts;
  for (std::size_t i = 0; i < 40; ++i) {
    TextSample text;
    for (std::size_t t = 0; t < 8 + i % 11; ++t) {
      text.ids.push_back(static_cast<std::int32_t>(random() % 60));
    }
    texts.push_back(std::move(text));
  }
  return {CalibrationSet(Dataset::of_texts(std::move(texts), {}), input_specs(model.graph), 16),
          {}};
}

PartScoresOfKind scores_of(Model model, PrunableKind kind, const Calibration* calibration) {
  ThreadPool pool(2);
  PassContext context(model, pool, {}, calibration);
  return score_parts(context, kind, [](double) {});
}

TEST(PartScores, HeadsHaveAllFour) {
  Model model = small_gpt();
  const Calibration calibration = some_tokens(model);
  const PartScoresOfKind scores = scores_of(model, PrunableKind::heads, &calibration);
  EXPECT_TRUE(scores.loss_is_kl);
  ThreadPool pool(2);
  PassContext context(model, pool, {}, &calibration);
  const auto layers = find_prunable_layers(model.graph, context.view(), PrunableKind::heads);
  std::vector<const PrunableLayer*> all;
  std::size_t heads = 0;
  for (const PrunableLayer& layer : layers) {
    all.push_back(&layer);
    heads += static_cast<std::size_t>(layer.units);
  }
  ASSERT_EQ(scores.parts.size(), heads);
  // What the passes choose by: the norm, and the loss of the first head, others making up for it.
  const auto norms = norm_scores(model.graph, context.view(), layers.front());
  const LayerReader reader = readers_of(context, all).front();
  LayerMoments moments(context, model);
  const auto gram = moments.at(reader);
  ASSERT_TRUE(gram);
  const auto activation =
      activation_scores(model.graph, reader, *gram, layers.front().rows_per_unit);
  const ReaderObs obs(model.graph, reader, *gram, layers.front().rows_per_unit, pool);
  AblationRun ablation(model, calibration);
  for (std::int64_t head = 0; head < layers.front().units; ++head) {
    const auto at = static_cast<std::size_t>(head);
    const PartScores& part = scores.parts[at];
    EXPECT_EQ(part.part, "head " + std::to_string(head));
    EXPECT_DOUBLE_EQ(part.norm, norms[at]);
    EXPECT_DOUBLE_EQ(part.activation.value(), activation[at]);
    EXPECT_GT(part.obs.value(), 0);
    EXPECT_LT(part.obs.value(), 1);
    EXPECT_GT(part.bytes, 0);
    const double loss = ablation.measure(obs.variant_without(model, {&head, 1}, pool));
    EXPECT_NEAR(part.loss.value(), loss, 1e-6 + 1e-3 * loss);
  }
}

TEST(PartScores, NeuronsComeInSixteenthsThatCostMoreAndMore) {
  const Model model = small_gpt();
  const Calibration calibration = some_tokens(model);
  const auto parts = scores_of(model, PrunableKind::neurons, &calibration).parts;
  ASSERT_FALSE(parts.empty());
  ASSERT_EQ(parts.size() % 16, 0U);
  for (std::size_t first = 0; first < parts.size(); first += 16) {
    EXPECT_EQ(parts[first].part, "neurons 1/16");
    EXPECT_EQ(parts[first + 15].part, "neurons 16/16");
    EXPECT_LT(parts[first].obs.value(), parts[first + 15].obs.value());
    EXPECT_LT(parts[first].loss.value(), parts[first + 15].loss.value());
  }
}

TEST(PartScores, WithoutDataThereAreNorms) {
  for (const PrunableKind kind : {PrunableKind::heads, PrunableKind::neurons}) {
    const auto parts = scores_of(small_gpt(), kind, nullptr).parts;
    ASSERT_FALSE(parts.empty());
    for (const PartScores& part : parts) {
      EXPECT_GT(part.norm, 0);
      EXPECT_FALSE(part.activation || part.obs || part.loss);
    }
  }
}

}  // namespace
}  // namespace onnxpress
