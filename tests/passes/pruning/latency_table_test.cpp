// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/latency_table.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/error_codes.h"
#include "passes/pruning/measure_latency.h"
#include "passes/pruning/pruning_fixture.h"

namespace onnxpress {
namespace {

using namespace test;  // NOLINT: the builder's and the fixture's short names
using testing::ElementsAre;
using testing::HasSubstr;

PrunableLayer layer(std::string label, std::int64_t units, std::int64_t parts_per_unit = 1) {
  PrunableLayer layer;
  layer.readers.push_back({std::move(label)});
  layer.units = units;
  layer.parts_per_unit = parts_per_unit;
  return layer;
}

CutSavings savings(const LatencyTable& table, const PrunableLayer& one) {
  const std::vector<const PrunableLayer*> layers{&one};
  return latency_savings(table, layers);
}

std::string error_of(const std::string& text) {
  const auto path = std::filesystem::path(testing::TempDir()) / "latency_table_test.tsv";
  std::ofstream(path, std::ios::binary) << text;
  try {
    (void)read_latency_table(path);
  } catch (const Error& error) {
    return std::string(error.code()) + " " + error.what();
  }
  return "";
}

TEST(LatencyTable, SavesWhatWasMeasuredAndALineInBetween) {
  const LatencyTable table{"",
                           {1, 128},
                           "1x128",
                           10,
                           {{PrunableKind::heads, "a", 3, 10},
                            {PrunableKind::heads, "a", 1, 8},
                            {PrunableKind::heads, "b", 4, 9},
                            {PrunableKind::neurons, "a", 1, 5}}};
  EXPECT_THAT(savings(table, layer("a", 4)).layers.front(), ElementsAre(0, 0, 1, 2));
  // Units of two heads; fewer than four of its eight were not measured.
  EXPECT_THAT(savings(table, layer("b", 4, 2)).layers.front(), ElementsAre(0, 0.5, 1, 1));
  EXPECT_EQ(savings(table, layer("a", 4)).total, 10);
}

TEST(LatencyTable, AnotherModelsIsRefused) {
  const LatencyTable table{"t.tsv", {1, 128}, "1x128", 10, {{PrunableKind::heads, "a", 3, 10}}};
  EXPECT_THROW((void)savings(table, layer("c", 4)), Error);
  EXPECT_THROW((void)savings(table, layer("a", 3)), Error);
}

TEST(LatencyTable, IsWrittenAndReadBack) {
  const LatencyTable table{
      "", {2, 64}, "2x64, 2 threads, avx2", 12.5, {{PrunableKind::heads, "a b", 3, 10.25}}};
  const auto path = std::filesystem::path(testing::TempDir()) / "latency_table_test.tsv";
  std::ofstream(path, std::ios::binary) << to_text(table);
  const LatencyTable read = read_latency_table(path);
  EXPECT_EQ(to_text(read), to_text(table));
  EXPECT_EQ(read.sizes.batch, 2);
  EXPECT_EQ(read.sizes.sequence, 64);
}

TEST(LatencyTable, WhatIsNoTableSaysWhere) {
  const std::string head = "kind\tblock\tkept\tms\n";
  const std::string model = "model\t1x128\t\t10\n";
  EXPECT_THAT(error_of(""), HasSubstr("E0501"));
  EXPECT_THAT(error_of("a\tb\n"), HasSubstr("columns"));
  EXPECT_THAT(error_of(head), HasSubstr("no row of the model"));
  EXPECT_THAT(error_of(head + "heads\ta\t1\t10\n"), HasSubstr(":2: the first row"));
  EXPECT_THAT(error_of(head + model + model), HasSubstr(":3: the first row"));
  EXPECT_THAT(error_of(head + "model\tfast\t\t10\n"), HasSubstr("1x128"));
  EXPECT_THAT(error_of(head + model + "layers\ta\t1\t10\n"), HasSubstr("heads or neurons"));
  EXPECT_THAT(error_of(head + model + "heads\ta\tone\t10\n"), HasSubstr("\"one\" is no number"));
  EXPECT_THAT(error_of(head + model + "heads\ta\t2\t9\nheads\ta\t1\t8\nheads\ta\t2\t7\n"),
              HasSubstr(":5: line 3 says already how long it takes with 2 heads of a"));
  EXPECT_EQ(error_of(head + model + "heads\ta\t2\t9\nneurons\ta\t2\t8\nheads\tb\t2\t7\n"), "");
  for (const char* ms : {"nan", "inf", "-1", "0", "fast", ""}) {
    EXPECT_THAT(error_of(head + model + "heads\ta\t1\t" + ms + "\n"), HasSubstr("no time")) << ms;
  }
}

TEST(LatencyTable, ShapesAreBatchAndTokens) {
  EXPECT_EQ(parse_sizes("8x64").batch, 8);
  for (const char* text :
       {"", "128", "x", "1x", "x128", "0x128", "1x0", "1x-1", "1x128 ", "1x9999999"}) {
    EXPECT_THROW((void)parse_sizes(text), Error) << text;
  }
}

TEST(LatencyTable, IsMeasuredForEachLayerAndNumber) {
  Builder b;
  const auto block = [&](ValueId x) { return b.feed_forward(x, 24, 20); };
  const ValueId x = b.state(24);
  b.output(block(block(x)));
  const Model model = model_of(b.graph);
  const std::vector<PrunableLayer> layers = layers_of(model, PrunableKind::neurons);
  std::vector<const PrunableLayer*> all;
  for (const PrunableLayer& one : layers) all.push_back(&one);
  MeasureLatencyOptions options;
  options.session.threads = 1;
  options.sizes = {2, kSequence};
  const LatencyTable table = measure_latency(model, all, options);
  EXPECT_GT(table.model_ms, 0);
  EXPECT_THAT(table.conditions, HasSubstr("2x8, 1 thread,"));
  ASSERT_EQ(table.rows.size(), 24U);  // 12 numbers of each of two layers
  EXPECT_EQ(table.rows.back().kept, 1);
  const CutSavings saved = latency_savings(table, all);
  EXPECT_EQ(saved.layers[0], saved.layers[1]);  // they have one shape
}

}  // namespace
}  // namespace onnxpress
