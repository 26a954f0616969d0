// SPDX-License-Identifier: Apache-2.0
// ratio as a share of the model's bytes or of its time, by a table that is given.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/error_codes.h"
#include "passes/pruning/pruning_fixture.h"

namespace onnxpress {
namespace {

using namespace test;  // NOLINT: the builder's and the fixture's short names
using testing::HasSubstr;

// ms[layer][units that stay - 1]
std::string table_of(const Model& model, PrunableKind kind,
                     const std::vector<std::vector<double>>& ms) {
  std::string text = "kind\tblock\tkept\tms\nmodel\t1x128, by hand\t\t10\n";
  const auto layers = layers_of(model, kind);
  for (std::size_t i = 0; i < ms.size(); ++i) {
    for (std::size_t k = 0; k < ms[i].size(); ++k) {
      text += fmt::format("{}\t{}\t{}\t{}\n", name(kind), layers[i].label(), k + 1, ms[i][k]);
    }
  }
  const auto path = std::filesystem::path(testing::TempDir()) / "prune_budget_test.tsv";
  std::ofstream(path, std::ios::binary) << text;
  return path.string();
}

std::vector<std::int64_t> units_left(const Model& model, PrunableKind kind) {
  std::vector<std::int64_t> units;
  for (const PrunableLayer& layer : layers_of(model, kind)) units.push_back(layer.units);
  return units;
}

OptionValues by_latency(double ratio, const std::string& table) {
  return {{"ratio", ratio}, {"budget", std::string("latency")}, {"latency_table", table}};
}

TEST(PruneBudget, HeadsGoWhereTheTableSaysThatTheySave) {
  Model model = two_blocks(64);
  const std::string only_second = table_of(model, PrunableKind::heads, {{10, 10, 10}, {8, 9, 10}});
  run_pass(model, "prune_heads", by_latency(0.1, only_second));
  EXPECT_EQ(units_left(model, PrunableKind::heads), (std::vector<std::int64_t>{4, 2}));

  model = two_blocks(64);
  const std::string all_or_nothing =
      table_of(model, PrunableKind::heads, {{9, 10, 10}, {10, 10, 10}});
  run_pass(model, "prune_heads", by_latency(0.05, all_or_nothing));
  EXPECT_EQ(units_left(model, PrunableKind::heads), (std::vector<std::int64_t>{1, 4}));
}

TEST(PruneBudget, NeuronsGoByTheTableToo) {
  Model model = two_blocks(64);
  const std::string table =
      table_of(model, PrunableKind::neurons, {{9.5}, {6}});  // with 1 of 64 neurons
  run_pass(model, "prune_neurons", by_latency(0.15, table));
  // A neuron of the second saves 4/63 ms: 24 save more than 1.5 ms, 20 (a step less) do not.
  EXPECT_EQ(units_left(model, PrunableKind::neurons), (std::vector<std::int64_t>{64, 40}));
}

TEST(PruneBudget, TheSameTableGivesTheSameModel) {
  Model a = two_blocks(64);
  const std::string table = table_of(a, PrunableKind::heads, {{8, 9, 9.9}, {8, 9, 9.9}});
  run_pass(a, "prune_heads", by_latency(0.2, table));
  Model b = two_blocks(64);
  run_pass(b, "prune_heads", by_latency(0.2, table));
  EXPECT_EQ(to_text(a.graph), to_text(b.graph));
}

TEST(PruneBudget, AtLeastThatShareOfTheBytesGoes) {
  for (const char* pass : {"prune_heads", "prune_neurons"}) {
    for (const double ratio : {0.05, 0.1, 0.2}) {
      Model model = two_blocks(64);
      const auto before = static_cast<double>(weight_bytes(model.graph));
      run_pass(model, pass, {{"ratio", ratio}, {"budget", std::string("size")}});
      const double gone = 1 - static_cast<double>(weight_bytes(model.graph)) / before;
      EXPECT_GE(gone, ratio) << pass;
      EXPECT_LT(gone, ratio + 0.07) << pass;  // a head more
    }
  }
}

TEST(PruneBudget, MoreThanTheLayersHoldIsRefusedWithTheMost) {
  const auto [size, text] =
      error_of(two_blocks(64), "prune_heads", {{"ratio", 0.9}, {"budget", std::string("size")}});
  EXPECT_EQ(size, "E0003");
  EXPECT_THAT(text, HasSubstr("the heads of 2 layers hold"));
  const std::string table =
      table_of(two_blocks(64), PrunableKind::heads, {{9, 9.5, 10}, {9, 9.5, 10}});
  const auto [latency, why] = error_of(two_blocks(64), "prune_heads", by_latency(0.3, table));
  EXPECT_EQ(latency, "E0003");
  EXPECT_THAT(why, HasSubstr("hold 2 ms, a ratio of 0.200"));
  EXPECT_EQ(error_of(two_blocks(64), "prune_heads", by_latency(0.2, table)).first, "");
}

TEST(PruneBudget, OptionsThatContradictEachOther) {
  const std::string table = table_of(two_blocks(64), PrunableKind::heads, {{9}, {9}});
  const std::string size = "size";
  const std::string latency = "latency";
  for (const OptionValues& options : std::vector<OptionValues>{
           {{"budget", size}, {"count", std::int64_t{2}}},
           {{"budget", latency}, {"scope", std::string("layer")}},
           {{"latency_table", table}},
           {{"budget", size}, {"latency_shape", std::string("1x128")}},
           {{"budget", latency}, {"latency_shape", std::string("128")}},
           {{"budget", latency}, {"latency_table", table}, {"latency_shape", std::string("8x128")}},
       }) {
    EXPECT_EQ(error_of(two_blocks(64), "prune_heads", options).first, "E0003");
  }
  EXPECT_EQ(error_of(two_blocks(64), "prune_heads", by_latency(0.1, "no_such.tsv")).first, "E0201");
  // It has no rows for neurons.
  EXPECT_EQ(error_of(two_blocks(64), "prune_neurons", by_latency(0.1, table)).first, "E0501");
}

}  // namespace
}  // namespace onnxpress
