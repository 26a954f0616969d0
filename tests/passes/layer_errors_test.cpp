// SPDX-License-Identifier: Apache-2.0
// GPTQ against round-to-nearest on the layers of a real model: every unit gets the original's
// inputs, and errors are those on tokens that the solver did not see.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <iostream>

#include "calib/moments.h"
#include "data/input_spec.h"
#include "io/reader.h"
#include "numerics/gptq.h"
#include "numerics/output_error.h"
#include "numerics/quantize_rtn.h"
#include "passes/linear_units.h"
#include "passes/stages.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

constexpr Grid kGrid{4, 32, false};
constexpr double kGeometricMean = 0.65;

// All units that a pass may change, as one that changes nothing plans them.
PassPlan all_units(PassContext& context) {
  return plan_units(context, {}, false, [](const LinearUnit&) { return UnitOutcome{}; });
}

TEST(LayerErrors, GptqLosesFarLessThanRoundToNearestOnASentimentClassifier) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  Model model = read_model(shared / "models/minilm-l6-sst2/model.onnx");
  DataSpec spec;
  spec.path = shared / "data/sst2/train.tsv";
  spec.tokenizer = shared / "models/minilm-l6-sst2/vocab.txt";
  spec.samples = 256;
  spec.max_length = 128;
  const auto specs = input_specs(model.graph);
  const CalibrationSet set(load_dataset(spec, specs), specs, 32);
  ThreadPool pool(2);
  PassContext context(model, pool);
  const PassPlan plan = all_units(context);
  StagedRun run(model, set);
  double logs = 0;
  double worst = 0;
  std::size_t units = 0;
  for (const Stage& stage : stages_of(plan, context.view(), model.graph)) {
    const StageMoments moments = observe_moments(run, model, stage.input, pool);
    const GptqFactor factor = factor_for_gptq(moments.train.edited, {}, pool);
    for (const std::size_t row : stage.rows) {
      const LinearUnit& unit =
          context.view().units()[static_cast<std::size_t>(plan.units[row].target)];
      const Matrix w =
          to_matrix(*weight_ref(*model.graph.constant(unit.weight), matrix_layout(unit.layout)));
      const Gram& judge = moments.held_out.edited;
      const auto error = [&](const QuantizedMatrix& q) {
        return output_error(w, dequantized_matrix(q), judge, pool);
      };
      const double ratio = error(quantize_gptq(w, factor, kGrid, {}, pool).q) /
                           error(quantize_rtn(weight_ref(w), kGrid, pool));
      EXPECT_LE(ratio, 1) << unit.label;
      logs += std::log(ratio);
      worst = std::max(worst, ratio);
      ++units;
    }
  }
  const double mean = std::exp(logs / static_cast<double>(units));
  std::cout << fmt::format("{} units: geometric mean {:.3f} of round-to-nearest, worst {:.3f}\n",
                           units, mean, worst);
  EXPECT_GE(units, 36U);
  EXPECT_LE(mean, kGeometricMean);
}

}  // namespace
}  // namespace onnxpress
