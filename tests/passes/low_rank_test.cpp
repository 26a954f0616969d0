// SPDX-License-Identifier: Apache-2.0
#include "passes/low_rank.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/input_spec.h"
#include "numerics/low_rank.h"
#include "onnxpress/error.h"
#include "passes/linear_units.h"
#include "passes/run_pass.h"
#include "support/parse.h"

namespace onnxpress {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::SizeIs;

constexpr std::int64_t kTrueRank = 8;

// A matrix of rank 8 and, where `noise` is not 0, a little of full rank.
Tensor thin(std::int64_t rows, std::int64_t columns, std::uint32_t seed, float noise = 0) {
  ThreadPool pool(1);
  Matrix a(rows, kTrueRank);
  Matrix b(kTrueRank, columns);
  const Tensor left = test::noise({rows, kTrueRank}, 0.4F, seed);
  const Tensor right = test::noise({kTrueRank, columns}, 0.4F, seed + 1);
  std::ranges::copy(left.as<float>(), a.values.begin());
  std::ranges::copy(right.as<float>(), b.values.begin());
  Matrix m = product(a, b, pool);
  if (noise > 0) {
    const Tensor more = test::noise({rows, columns}, noise, seed + 2);
    for (std::size_t i = 0; i < m.values.size(); ++i) m.values[i] += more.as<float>()[i];
  }
  return Tensor::of<float>({rows, columns}, m.values);
}

// y = Relu(x·U + bias)·D: MatMul with a bias, then Gemm with transB, C and alpha = 1.
Model network(float noise = 0) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 13}};
  Graph& g = model.graph;
  const ValueId x = g.add_input("x", DType::float32, Shape{{-1, "n"}, {64, ""}});
  const ValueId up = g.add_constant("up.weight", thin(64, 96, 1, noise));
  const ValueId bias = g.add_constant("up.bias", test::noise({96}));
  const ValueId down = g.add_constant("down.weight", thin(48, 96, 5, noise));
  const ValueId c = g.add_constant("down.bias", test::noise({48}, 0.1F, 9));
  ValueId h = g.add("MatMul", {x, up}, {}, "h");
  h = g.add("Add", {h, bias}, {}, "h_biased");
  h = g.add("Relu", {h}, {}, "h_active");
  const ValueId y = g.add("Gemm", {h, down, c}, {{"transB", std::int64_t{1}}}, "y");
  g.mutable_value(y).dtype = DType::float32;
  g.add_output(y);
  return model;
}

TensorMap inputs(std::int64_t rows = 5, std::uint32_t seed = 7) {
  return {{"x", test::noise({rows, 64}, 1, seed)}};
}

Calibration calibration(const Model& model) {
  return {CalibrationSet(Dataset::of_arrays({{"x", inputs(800, 70).at("x")}}, {}),
                         input_specs(model.graph), 64),
          {}};
}

OptionValues by_rank(std::int64_t rank, const char* method = "whitened") {
  return {{"method", std::string(method)}, {"by", std::string("rank")}, {"rank", rank}};
}

struct Outcome {
  Model model;
  PassPlan plan;
  PassResult result;
};

Outcome run(const Model& model, const OptionValues& options, bool data = true, bool dry = false) {
  Outcome done{model, {}, {}};
  ThreadPool pool(2);
  const Calibration samples = calibration(model);
  PassContext context(done.model, pool, {}, data ? &samples : nullptr, dry);
  const auto pass = make_pass("low_rank", options);
  done.plan = pass->plan(context);
  done.result = pass->apply(done.plan, context);
  done.model.graph.remove_unused();
  done.model.graph.sort();
  done.model.graph.verify();
  return done;
}

double figure(const Outcome& run, std::size_t row, std::string_view name) {
  for (const auto& [known, value] : run.result.figures.at(row)) {
    if (known == name) return value;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

TEST(LowRankPass, IsExactAtTheTrueRank) {
  for (const char* method : {"whitened", "svd"}) {
    const Model before = network();
    Outcome done = run(before, by_rank(kTrueRank, method));
    EXPECT_EQ(done.result.changed, 2U);
    EXPECT_THAT(done.model, test::HasOps("MatMul", "MatMul", "Add", "Relu", "MatMul", "Gemm"));
    EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                        test::run_model(done.model, inputs())),
              1e-5)
        << method;
    EXPECT_EQ(weight_bytes(done.model.graph), 4 * (8 * (64 + 96) + 96 + 8 * (96 + 48) + 48));
    EXPECT_EQ(done.plan.bytes_after(), 4 * 8 * (64 + 96 + 96 + 48));
    EXPECT_EQ(figure(done, 0, "rank"), 8);
    EXPECT_LT(figure(done, 0, "output_error"), 1e-3);  // judged in single precision
  }
}

TEST(LowRankPass, FindsTheRankByEnergyAndByError) {
  for (const char* by : {"energy", "error"}) {
    const Outcome done = run(network(1e-3F), {{"by", std::string(by)}});
    ASSERT_EQ(done.result.changed, 2U) << by;
    for (const std::size_t row : {0, 1}) {
      EXPECT_EQ(figure(done, row, "rank"), 8) << by;
      EXPECT_LT(figure(done, row, "output_error"), 0.1) << by;
      EXPECT_LE(figure(done, row, "output_error"), figure(done, row, "svd.output_error"));
      EXPECT_EQ(done.result.bytes_after.at(row), row == 0 ? 4 * 8 * 160 : 4 * 8 * 144);
    }
  }
}

TEST(LowRankPass, TakesAtMostTheShareOfBytesAndMultiplesOnly) {
  for (const std::int64_t multiple : {8, 16}) {
    const Outcome done =
        run(network(0.2F), {{"by", std::string("bytes")}, {"ratio", 0.6}, {"multiple", multiple}});
    ASSERT_EQ(done.result.changed, 2U);
    EXPECT_EQ(figure(done, 0, "rank"), multiple == 8 ? 16 : 16);  // 0.6 · 38.4 = 23
    EXPECT_LE(done.plan.units[0].bytes_after, 0.6 * 64 * 96 * 4);
  }
}

TEST(LowRankPass, LeavesAModelWhereItCannotPayAndSaysSo) {
  const Model before = network(0.5F);
  for (const OptionValues& options :
       {OptionValues{}, OptionValues{{"by", std::string("error")}, {"max_error", 0.001}}}) {
    const Outcome done = run(before, options);
    EXPECT_EQ(done.result.changed, 0U);
    EXPECT_THAT(done.result.kept, SizeIs(2));
    EXPECT_THAT(done.result.ways.at(0), HasSubstr("ranks below 38 would save bytes"));
    EXPECT_THAT(done.result.warnings, Contains(HasSubstr("low rank saves nothing here")));
    EXPECT_TRUE(
        test::identical(test::run_model(before, inputs()), test::run_model(done.model, inputs())));
  }
  const Outcome large = run(before, by_rank(39));  // 40, rounded up
  EXPECT_EQ(large.plan.changes(), 0U);
  EXPECT_THAT(large.plan.units[0].reason, HasSubstr("saves no bytes"));
  EXPECT_THAT(large.result.warnings, Contains(HasSubstr("low rank saves nothing here")));
}

TEST(LowRankPass, NeedsDataUnlessPlainSvdIsAskedFor) {
  EXPECT_THROW((void)run(network(), {}, false), Error);
  EXPECT_THROW(
      (void)run(network(), {{"method", std::string("svd")}, {"by", std::string("error")}}, false),
      Error);
  const Model before = network();
  Model model = before;
  const PassPlan plan = test::run_pass(model, "low_rank", by_rank(8, "svd"));  // checks the bytes
  EXPECT_EQ(plan.changes(), 2U);
  EXPECT_LT(test::relative_difference(test::run_model(before, inputs()),
                                      test::run_model(model, inputs())),
            1e-5);
}

TEST(LowRankPass, DryRunsPredictTheBytesWhereRanksAreKnown) {
  for (const OptionValues& options :
       {by_rank(16), OptionValues{{"by", std::string("bytes")}, {"ratio", 0.4}}}) {
    const Outcome dry = run(network(0.1F), options, false, true);
    const Outcome real = run(network(0.1F), options);
    EXPECT_EQ(weight_bytes(dry.model.graph), weight_bytes(real.model.graph));
    EXPECT_TRUE(dry.result.warnings.empty());
  }
  EXPECT_THAT(run(network(0.1F), {}, false, true).result.warnings,
              Contains(HasSubstr("ranks depend on data")));
}

TEST(LowRankPass, RefusesOptionsOutOfBounds) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, OptionValue>>{{"rank", std::int64_t{0}},
                                                        {"rank", std::int64_t{-8}},
                                                        {"multiple", std::int64_t{0}},
                                                        {"ratio", 1.0},
                                                        {"ratio", 0.0},
                                                        {"ratio", nan},
                                                        {"energy", 0.0},
                                                        {"energy", 1.5},
                                                        {"energy", nan},
                                                        {"max_error", 0.0},
                                                        {"max_error", -0.1},
                                                        {"by", std::string("magic")}}) {
    EXPECT_THROW((void)make_pass("low_rank", {{name, value}}), Error) << name;
  }
}

TEST(LowRankPass, GivesTheSameForAnyNumberOfThreads) {
  const Model before = network(0.05F);
  const auto with = [&](int threads) {
    Model model = before;
    ThreadPool pool(threads);
    const Calibration samples = calibration(before);
    PassContext context(model, pool, {}, &samples);
    const auto pass = make_pass("low_rank", by_rank(16));
    pass->apply(pass->plan(context), context);
    model.graph.remove_unused();
    model.graph.sort();
    return test::run_model(model, inputs());
  };
  EXPECT_TRUE(test::identical(with(1), with(2)));
}

}  // namespace
}  // namespace onnxpress
