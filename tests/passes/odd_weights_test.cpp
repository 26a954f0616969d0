// SPDX-License-Identifier: Apache-2.0
// Weights as no training makes them, or only a bad one, through every way to quantize.
#include "passes/odd_weights.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "passes/odd_network.h"

namespace onnxpress {
namespace {

using test::noise;
using test::Way;
using test::WayResult;
using testing::HasSubstr;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Rows of token ids below `below`.
Tensor ids(std::int64_t rows, std::int64_t below = test::kTableRows) {
  std::vector<std::int64_t> values;
  for (std::int64_t i = 0; i < rows * 8; ++i) values.push_back((i * 37 + i / 11) % below);
  return Tensor::of<std::int64_t>({rows, 8}, std::move(values));
}

Dataset samples() {
  return Dataset::of_arrays({{"input_ids", ids(40)}}, {});
}

TensorMap inputs() {
  return {{"input_ids", ids(6)}};
}

struct Odd {
  const char* name;
  const char* weight;
  std::function<void(std::vector<float>&, std::int64_t)> change;
};

std::vector<Odd> sound_weights() {
  const auto all = [](float x) {
    return [x](std::vector<float>& w, std::int64_t) { std::ranges::fill(w, x); };
  };
  const auto column = [](float x) {
    return [x](std::vector<float>& w, std::int64_t columns) {
      for (std::size_t i = 5; i < w.size(); i += static_cast<std::size_t>(columns)) w[i] = x;
    };
  };
  const auto row = [](float x) {
    return [x](std::vector<float>& w, std::int64_t columns) {
      std::fill_n(w.begin() + 5 * columns, columns, x);
    };
  };
  return {{"zeros", "up", all(0)},
          {"zeros", "down", all(0)},
          {"zeros", "table", all(0)},
          {"a channel of zeros", "up", column(0)},
          {"a channel of zeros", "down", row(0)},
          {"a row of zeros", "table", row(0)},
          {"an input of zeros", "up", row(0)},
          {"negative zeros", "up", column(-0.0F)},
          {"a constant", "up", all(0.1F)},
          {"a constant channel", "up", column(0.1F)},
          {"a constant channel", "down", row(-0.1F)},
          {"a constant row", "table", row(0.1F)},
          {"a channel of subnormals", "up", column(1e-42F)},
          {"a channel of subnormals", "down", row(-1e-42F)},
          {"nothing but subnormals", "down", all(1e-42F)},
          {"the smallest normals", "up", column(1.2e-38F)}};
}

TEST(OddWeights, ThatAreFiniteAreRoundedAndTheOutputStaysClose) {
  for (const Odd& odd : sound_weights()) {
    Model original = test::odd_network();
    test::spoil(original, odd.weight, odd.change);
    const TensorMap expected = test::run_model(original, inputs());
    for (const Way& way : test::ways()) {
      SCOPED_TRACE(way.name + ": " + odd.name + " in " + odd.weight);
      Model model = original;
      const WayResult run = test::run_way(model, way, samples());
      EXPECT_TRUE(run.plan.not_finite.empty());
      EXPECT_THAT(run.plan.warnings, testing::IsEmpty());
      test::expect_sound_constants(model);
      EXPECT_LE(test::relative_difference(expected, test::run_model(model, inputs())),
                way.tolerance);
    }
  }
}

TEST(OddWeights, ZerosComeBackExactly) {
  Model original = test::odd_network();
  test::spoil(original, "down", [](std::vector<float>& w, std::int64_t columns) {
    std::fill_n(w.begin() + 5 * columns, columns, 0.0F);
  });
  for (const Way& way : test::ways()) {
    if (way.pass == "smooth") continue;
    Model model = original;
    test::run_way(model, way, samples());
    const TensorMap outputs = test::run_model(model, inputs());
    const Tensor& y = outputs.at("y");
    for (std::int64_t r = 0; r < y.dims()[0]; ++r) {
      ASSERT_EQ(y.as<float>()[static_cast<std::size_t>(r * test::kOutputs + 5)], 0) << way.name;
    }
  }
}

TEST(OddWeights, NanAndInfinityStayAsTheyAreWithAWarning) {
  for (const char* weight : {"up", "down", "table"}) {
    for (const float bad : {kNan, kInfinity, -kInfinity}) {
      Model original = test::odd_network();
      test::spoil(original, weight, [&](std::vector<float>& w, std::int64_t columns) {
        w[static_cast<std::size_t>(3 * columns + 7)] = bad;
      });
      for (const Way& way : test::ways()) {
        SCOPED_TRACE(way.name + ": " + std::to_string(bad) + " in " + weight);
        Model model = original;
        const WayResult run = test::run_way(model, way, samples());
        const bool table = std::string_view(weight) == "table";
        const ValueId id = *model.graph.find_value(weight);
        if (table == (way.pass == "quantize_embeddings")) {
          const auto refused = std::ranges::find_if(run.plan.units, [](const UnitPlan& unit) {
            return unit.reason == "the weight holds NaN or infinity";
          });
          ASSERT_NE(refused, run.plan.units.end());
          EXPECT_EQ(refused->decision, Decision::keep);
          EXPECT_EQ(refused->bytes_after, refused->bytes_before);
          if (way.pass != "smooth") {  // which may move another unit's scales into it
            EXPECT_EQ(*model.graph.constant(id), *original.graph.constant(id));
            EXPECT_THAT(run.plan.not_finite, testing::ElementsAre(HasSubstr("[3, 7]")));
            EXPECT_THAT(run.plan.warnings, testing::Contains(HasSubstr("[3, 7] is NaN or inf")));
          }
        } else {
          EXPECT_THAT(run.plan.not_finite, testing::IsEmpty());
        }
        test::expect_sound_constants(model, false);
        EXPECT_NO_THROW((void)test::run_model(model, inputs()));
      }
    }
  }
}

TEST(OddWeights, OneOutlierIsRoundedWithAWarningThatNamesItsChannel) {
  for (const float size : {1e30F, -1e30F, 3e4F}) {
    for (const char* weight : {"up", "down", "table"}) {
      Model original = test::odd_network();
      test::spoil(original, weight, [&](std::vector<float>& w, std::int64_t columns) {
        w[static_cast<std::size_t>(3 * columns + 7)] = size;
      });
      for (const Way& way : test::ways()) {
        SCOPED_TRACE(fmt::format("{}: {} in {}", way.name, size, weight));
        Model model = original;
        const WayResult run = test::run_way(model, way, samples());
        test::expect_sound_constants(model);
        const TensorMap outputs = test::run_model(model, inputs());
        for (const double y : outputs.at("y").to_doubles()) ASSERT_TRUE(std::isfinite(y));
        const bool table = std::string_view(weight) == "table";
        if (way.pass == "smooth" || table != (way.pass == "quantize_embeddings")) continue;
        const std::string channel = table                              ? "row 3 holds"
                                    : std::string_view(weight) == "up" ? "output channel 7 holds"
                                                                       : "output channel 3 holds";
        EXPECT_THAT(run.plan.warnings, testing::ElementsAre(HasSubstr(channel)));
        EXPECT_GT(run.plan.changes(), 0U);
      }
    }
  }
}

TEST(OddWeights, OutliersAreCutOnRequest) {
  const Model clean = test::odd_network();
  Model original = clean;
  test::spoil(original, "down", [](std::vector<float>& w, std::int64_t columns) {
    w[static_cast<std::size_t>(3 * columns + 7)] = 1e30F;
    w[static_cast<std::size_t>(3 * columns + 8)] = -1e20F;
  });
  const auto difference = [&](double limit) {
    Model model = original;
    const WayResult run = test::run_way(
        model, {"", "quantize_weights", {{"min_saving", 0.0}, {"outlier_limit", limit}}},
        samples());
    EXPECT_EQ(run.plan.changes(), 2U);
    return test::relative_difference(test::run_model(clean, inputs()),
                                     test::run_model(model, inputs()));
  };
  EXPECT_GT(difference(0), 1e20);
  EXPECT_LT(difference(4), 2);  // two of its 96 weights are still four times as large as others
}

TEST(OddWeights, SizesThatGroupsDoNotDivide) {
  for (const test::NetworkSize size :
       {test::NetworkSize{100, 70}, {33, 31}, {7, 5}, {1, 17}, {16, 1}}) {
    const Model original = test::odd_network(size);
    const TensorMap expected = test::run_model(original, inputs());
    for (const Way& way : test::ways()) {
      SCOPED_TRACE(fmt::format("{}: {} and {}", way.name, size.width, size.hidden));
      Model model = original;
      test::run_way(model, way, samples());
      test::expect_sound_constants(model);
      EXPECT_LE(test::relative_difference(expected, test::run_model(model, inputs())),
                way.tolerance);
    }
  }
}

TEST(OddWeights, AWeightThatIsReadBothWaysServesBoth) {
  Model original = test::odd_network({64, 64}, false);
  Graph& g = original.graph;
  const ValueId x = *g.find_value("x");
  const ValueId z = g.add("Gemm", {x, *g.find_value("up")}, {{"transB", std::int64_t{1}}}, "z", "",
                          DType::float32);
  g.add_output(z);
  const TensorMap rows{{"x", noise({20, 64}, 1, 7)}};
  const TensorMap expected = test::run_model(original, rows);
  const Dataset data = Dataset::of_arrays({{"x", noise({200, 64}, 1, 11)}}, {});
  for (const Way& way : test::ways()) {
    Model model = original;
    test::run_way(model, way, data);
    EXPECT_LE(test::relative_difference(expected, test::run_model(model, rows)), way.tolerance)
        << way.name;
  }
}

TEST(OddWeights, AlreadyQuantizedModelsAreLeftWithTheReason) {
  for (const Way& first : test::ways()) {
    if (first.pass == "smooth") continue;
    Model once = test::odd_network();
    test::run_way(once, first, samples());
    const TensorMap expected = test::run_model(once, inputs());
    for (const Way& second : test::ways()) {
      SCOPED_TRACE(first.name + ", then " + second.name);
      Model twice = once;
      const WayResult run = test::run_way(twice, second, samples());
      if (first.pass == second.pass) {
        EXPECT_EQ(run.plan.changes(), 0U);
        EXPECT_TRUE(run.plan.already_quantized);
        EXPECT_EQ(weight_bytes(twice.graph), weight_bytes(once.graph));
      }
      test::expect_sound_constants(twice);
      EXPECT_LE(test::relative_difference(expected, test::run_model(twice, inputs())), 0.3);
    }
  }
}

}  // namespace
}  // namespace onnxpress
