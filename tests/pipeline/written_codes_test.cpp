// SPDX-License-Identifier: Apache-2.0
// What was solved is what is written: a model is compressed into a file for every storage and grid,
// and the codes in that file are those that the quantizer returned, bit for bit.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "io/reader.h"
#include "io/writer.h"
#include "numerics/correlated.h"
#include "numerics/matrix.h"
#include "numerics/quantize_rtn.h"
#include "onnxpress/error.h"
#include "pack/block_codes.h"
#include "pack/integer.h"
#include "pack/matmul_nbits.h"
#include "pack/qdq.h"
#include "passes/linear_units.h"
#include "passes/n_bits_units.h"
#include "passes/opset/raise_opset.h"
#include "passes/weight_solver.h"
#include "pipeline/runner.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

const std::filesystem::path kModel =
    test::source_dir() / "models" / "gpt-shakespeare" / "model.onnx";  // opset 14

struct Case {
  std::string pass;
  std::string storage;
  Grid grid;
  std::int64_t opset;  // of the written model
};

std::string label(const Case& c) {
  return fmt::format("{} {} {}", c.pass, c.storage, to_string(c.grid));
}

std::vector<Case> all_cases() {
  std::vector<Case> cases{{"quantize_dynamic", "integer", {8, 0, true}, 14}};
  for (const bool symmetric : {true, false}) {
    cases.push_back({"quantize_weights", "qdq", {8, 0, symmetric}, 14});
    for (const int bits : {2, 3, 4, 8}) {
      cases.push_back({"quantize_weights", "qdq", {bits, 32, symmetric}, 21});
    }
    cases.push_back({"quantize_weights", "qdq", {4, 0, symmetric}, 21});
    for (const int bits : {2, 4, 8}) {
      cases.push_back({"quantize_weights", "matmul_nbits", {bits, 32, symmetric}, 14});
    }
  }
  return cases;
}

Recipe recipe_of(const Case& c) {
  Recipe recipe;
  recipe.passes.push_back({c.pass, {}});
  if (c.pass == "quantize_weights") {
    recipe.passes[0].options = {{"method", std::string("rtn")},
                                {"bits", std::int64_t{c.grid.bits}},
                                {"group", c.grid.group},
                                {"symmetric", c.grid.symmetric},
                                {"storage", c.storage}};
  }
  return recipe;
}

Model written_and_read(const Model& model, const std::string& name) {
  const auto path = std::filesystem::path(testing::TempDir()) / name;
  WriteOptions options;
  options.force = true;
  stage_model(model, path, options).publish();
  return read_model(path);
}

QuantizedMatrix solved(const Case& c, const WeightRef& w, ThreadPool& pool) {
  SolverOptions options;
  options.grid = c.grid;
  options.clip = c.grid.bits < 8;
  return StageSolver({}, options, pool).solve(w, false).q;
}

// The matrix that the node, or the node behind it, multiplies with.
std::optional<QuantizedMatrix> unpacked(const Graph& graph, const Use& use, MatrixLayout layout) {
  const Node& node = graph.node(use.node);
  if (node.is("Transpose")) {  // an integer product of a weight that is stored [out, in]
    return unpacked(graph, graph.value(node.outputs[0]).uses.at(0), layout);
  }
  if (node.is("DequantizeLinear")) return unpack_qdq(graph, use.node, layout);
  if (node.is("MatMulInteger")) return unpack_integer(graph, use.node);
  return unpack_matmul_nbits(graph, use.node);
}

// Types of 4 bits hold the codes of 2 and 3, around the same zero.
QuantizedMatrix as_stored(QuantizedMatrix q, int bits) {
  const int shift = q.grid.symmetric ? (1 << (bits - 1)) - q.grid.offset() : 0;
  for (std::uint8_t& code : q.codes) code = static_cast<std::uint8_t>(code + shift);
  q.grid.bits = bits;
  return q;
}

TEST(WrittenCodes, AreThoseThatWereSolved) {
  ThreadPool pool(2);
  const Model original = read_model(kModel);
  const auto view = TransformerView::of(original);
  for (const Case& c : all_cases()) {
    SCOPED_TRACE(label(c));
    const RunResult result = run_recipe(original, recipe_of(c));
    const Model model = written_and_read(result.model, "codes.onnx");
    EXPECT_EQ(model.opset(), c.opset);
    std::size_t compared = 0;
    for (const LinearUnit& unit : view.units()) {
      const std::string name = original.graph.value(unit.weight).name;
      const auto codes = model.graph.find_value(name + "_q");
      if (!codes) continue;
      const MatrixLayout layout = matrix_layout(unit.layout);
      const auto w = weight_ref(*original.graph.constant(unit.weight), layout);
      const auto q = unpacked(model.graph, model.graph.value(*codes).uses.at(0), layout);
      ASSERT_TRUE(q.has_value()) << name;
      const QuantizedMatrix wanted = as_stored(solved(c, *w, pool), q->grid.bits);
      EXPECT_EQ(with_layout(*q, layout), wanted) << name;
      ++compared;
    }
    EXPECT_GE(compared, 8U);
  }
}

TEST(WrittenCodes, OfGptqAreThoseThatWereSolved) {
  ThreadPool pool(2);
  const Model original = read_model(kModel);
  const auto view = TransformerView::of(original);
  const LinearUnit& unit = view.units().front();
  const MatrixLayout layout = matrix_layout(unit.layout);
  const auto w = weight_ref(*original.graph.constant(unit.weight), layout);
  const auto moments = [&](std::int64_t rows, std::uint64_t seed) {
    const Matrix x = test::activations(rows, unit.in, seed);
    return test::pair_of(x, x);
  };
  SolverOptions options;
  options.method = WeightMethod::gptq;
  for (const bool symmetric : {true, false}) {
    for (const bool nbits : {true, false}) {
      options.grid = {4, 32, symmetric};
      StageSolver solver(StageMoments{moments(900, 1), moments(300, 2)}, options, pool);
      const SolvedWeight solved = solver.solve(*w, false);
      EXPECT_EQ(solved.way, "gptq");
      EXPECT_NE(solved.q.codes, quantize_rtn(*w, options.grid, pool).codes);
      Model model = original;
      if (nbits) {
        import_contrib_operators(model);
        const NBitsWeight packed = pack_matmul_nbits(model.graph, solved.q, "w");
        replace_product(model.graph, unit, packed, 0);
      } else {
        raise_opset(model, 21);
        const ValueId packed = pack_qdq(model.graph, solved.q, "w");
        model.graph.replace_all_uses(unit.weight, packed);
      }
      model.graph.remove_unused();
      model.graph.sort();
      const Model written = written_and_read(model, "gptq.onnx");
      const auto codes = written.graph.find_value("w_q");
      ASSERT_TRUE(codes.has_value());
      const auto q = unpacked(written.graph, written.graph.value(*codes).uses.at(0), layout);
      ASSERT_TRUE(q.has_value());
      EXPECT_EQ(with_layout(*q, layout), solved.q);
    }
  }
}

TEST(WrittenCodes, AnOlderModelIsRaisedOrRefused) {
  const Model original = read_model(kModel);
  Recipe recipe = recipe_of({"quantize_weights", "qdq", {4, 32, true}, 21});
  const RunResult result = run_recipe(original, recipe);
  ASSERT_EQ(result.passes.size(), 2U);
  EXPECT_EQ(result.passes[0].name, "upgrade_opset");
  EXPECT_NE(result.passes[0].summary.find("14 → 21"), std::string::npos);
  ASSERT_EQ(result.passes[0].warnings.size(), 1U);
  EXPECT_EQ(result.passes[0].warnings[0], "opset 14 → 21, which quantize_weights needs");
  EXPECT_EQ(result.model.ir_version, 10);
  RunOptions keep;
  keep.keep_opset = true;
  try {
    (void)run_recipe(original, recipe, keep);
    FAIL() << "a newer opset was not asked for";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_NE(std::string(error.what()).find("needs opset 21"), std::string::npos);
  }
  recipe = recipe_of({"quantize_weights", "matmul_nbits", {4, 32, true}, 14});
  EXPECT_EQ(run_recipe(original, recipe, keep).model.opset(), 14);
  // Where nothing is to be done the opset stays.
  recipe = recipe_of({"quantize_weights", "qdq", {4, 32, true}, 21});
  recipe.passes[0].options["min_saving"] = 1.0;
  EXPECT_EQ(run_recipe(original, recipe, keep).model.opset(), 14);
}

}  // namespace
}  // namespace onnxpress
