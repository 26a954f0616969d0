// SPDX-License-Identifier: Apache-2.0
// What the pruning passes refuse, and how they report what they do.
#include <gmock/gmock.h>

#include <cmath>

#include "base/error_codes.h"
#include "io/reader.h"
#include "passes/pruning/pruning_fixture.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

using namespace test;  // NOLINT: the builder's and the fixture's short names
using testing::HasSubstr;
using testing::StartsWith;

TEST(PruneOptions, ARatioLiesBetweenZeroAndOne) {
  for (const double ratio : {0.0, 1.0, -0.5, 1.5, std::nan(""), HUGE_VAL}) {
    for (const char* pass : {"prune_heads", "prune_neurons"}) {
      EXPECT_EQ(error_of(two_blocks(20), pass, {{"ratio", ratio}}).first, "E0003") << ratio;
    }
  }
}

TEST(PruneOptions, ACountLeavesOneUnitInEachLayer) {
  const auto heads = [](std::int64_t count, const char* scope) {
    return error_of(two_blocks(20), "prune_heads",
                    {{"count", count}, {"scope", std::string(scope)}});
  };
  EXPECT_EQ(heads(3, "layer").first, "");
  EXPECT_EQ(heads(4, "layer").first, "E0003");
  EXPECT_THAT(heads(4, "layer").second, HasSubstr("keeps at least one head"));
  EXPECT_EQ(heads(6, "global").first, "");
  EXPECT_EQ(heads(7, "global").first, "E0003");
  EXPECT_EQ(heads(-1, "global").first, "E0003");
}

TEST(PruneOptions, AModelWithoutBlocksIsRefused) {
  Builder b;
  const ValueId x = b.state(24);
  b.output(b.op("Relu", {b.linear(x, 24, 24)}));
  for (const char* pass : {"prune_heads", "prune_neurons"}) {
    const auto [code, text] = error_of(model_of(b.graph), pass, {});
    EXPECT_EQ(code, "E0403");
    EXPECT_THAT(text, StartsWith("the model has no"));  // the runner adds the pass
  }
}

TEST(PruneOptions, QuantizedModelsAreToldToBePrunedFirst) {
  const Model original = read_model(source_dir() / "models/gpt-shakespeare/model.onnx");
  const std::vector<std::pair<const char*, OptionValues>> forms = {
      {"quantize_weights", {}},
      {"quantize_weights", {{"bits", std::int64_t{4}}, {"group", std::int64_t{32}}}},
      {"quantize_dynamic", {}}};
  for (const auto& [form, options] : forms) {
    Model model = original;
    run_pass(model, form, options);
    for (const char* pass : {"prune_heads", "prune_neurons"}) {
      const auto [code, text] = error_of(model, pass, {});
      EXPECT_EQ(code, "E0404") << form << ", " << pass << ": " << text;
    }
  }
}

TEST(PruneOptions, GlobsChooseLayersByTheirReaders) {
  Model model = two_blocks(20);
  const std::string second = layers_of(model, PrunableKind::heads)[1].label();
  const PassPlan plan = run_pass(model, "prune_heads",
                                 {{"ratio", 0.5}, {"include", std::vector<std::string>{second}}});
  ASSERT_EQ(plan.units.size(), 2U);
  EXPECT_EQ(plan.units[0].reason, "not named by include");
  EXPECT_EQ(plan.units[1].decision, Decision::change);
  EXPECT_THAT(plan.units[1].reason, HasSubstr("of 4 go"));
  EXPECT_EQ(TransformerView::of(model).attentions()[0].heads, 4);
  EXPECT_EQ(TransformerView::of(model).attentions()[1].heads, 2);
}

TEST(PruneOptions, NumbersGoWithTheirNouns) {
  const auto reason = [](std::string_view pass, OptionValues options) {
    Model model = two_blocks(20);
    options["scope"] = std::string("layer");
    return run_pass(model, pass, options).units[0].reason;
  };
  const std::int64_t one = 1;
  EXPECT_EQ(reason("prune_heads", {{"ratio", 0.01}}), "less than one step of 1 head would go");
  EXPECT_EQ(reason("prune_neurons", {{"ratio", 0.01}, {"multiple_of", std::int64_t{16}}}),
            "less than one step of 16 neurons would go");
  EXPECT_EQ(reason("prune_neurons", {{"count", one}, {"multiple_of", one}}),
            "1 of 20 neurons goes");
}

TEST(PruneOptions, OneLayerMayBeRefusedAndOthersCut) {
  Model model = two_blocks(20);
  const auto layers = layers_of(model, PrunableKind::neurons);
  model.graph.add_output(model.graph.node(layers[0].readers[0].product).inputs[0]);
  const PassPlan plan = run_pass(model, "prune_neurons", {{"ratio", 0.5}});
  EXPECT_EQ(plan.changes(), 1U);
  EXPECT_THAT(plan.units[0].reason, HasSubstr("is an output of the graph"));
}

TEST(PruneOptions, HeadsWithoutWeightGoFirst) {
  Model model = two_blocks(20);
  const auto layers = layers_of(model, PrunableKind::heads);
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < 24; ++row) {
    if (row / 6 != 2) rows.push_back(row);
  }
  model = with_rows(model, layers[1], {rows});
  const Model before = model;
  const PassPlan plan = run_pass(model, "prune_heads", {{"count", std::int64_t{1}}});
  EXPECT_EQ(plan.units[1].reason, "head 2 of 4 goes");
  EXPECT_LT(relative_difference(run_model(before, states(before.graph)),
                                run_model(model, states(model.graph))),
            1e-5);
}

}  // namespace
}  // namespace onnxpress
