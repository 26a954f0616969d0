// SPDX-License-Identifier: Apache-2.0
#include "targets/target.h"

#include <gmock/gmock.h>

namespace onnxpress {
namespace {

using testing::HasSubstr;

Model dynamic_product(std::int8_t code) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 13}};
  Graph& graph = model.graph;
  const ValueId x = graph.add_input("x", DType::uint8, Shape{{-1, "n"}, {8, ""}});
  const ValueId w =
      graph.add_constant("w", Tensor::of<std::int8_t>({8, 2}, std::vector<std::int8_t>(16, code)));
  graph.add_output(graph.add("MatMulInteger", {x, w}, {}, "y", "", DType::int32));
  return model;
}

TEST(Target, NamesAreRead) {
  for (const std::string_view name : target_names()) {
    ASSERT_TRUE(parse_target(name).has_value());
    EXPECT_EQ(onnxpress::name(*parse_target(name)), name);
  }
  EXPECT_FALSE(parse_target("ort").has_value());
}

TEST(Target, SaturationIsCountedWhereThereIsNoVnni) {
  EXPECT_TRUE(check_target(dynamic_product(127), Target::ort_cpu).empty());
  EXPECT_TRUE(check_target(dynamic_product(64), Target::ort_cpu_avx2).empty());
  const auto findings = check_target(dynamic_product(65), Target::ort_cpu_avx2);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_FALSE(findings[0].refused);
  EXPECT_THAT(findings[0].message, HasSubstr("8 of 8 pairs"));
}

TEST(Target, RefusalsStandFirst) {
  Model model = dynamic_product(127);
  model.ir_version = 99;
  const auto findings = check_target(model, Target::ort_cpu_avx2);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_TRUE(findings[0].refused);
  EXPECT_THAT(findings[0].message, HasSubstr("IR version 99"));
}

TEST(Target, AModelsOwnFunctionsAreNoForeignDomain) {
  Model model = dynamic_product(1);
  Graph& graph = model.graph;
  graph.add_output(graph.add("Mine", {graph.inputs()[0]}, {}, "m", "example"));
  EXPECT_TRUE(check_target(model, Target::ort_cpu).at(0).refused);
  model.functions = {"f"};
  EXPECT_TRUE(check_target(model, Target::ort_cpu).empty());
}

}  // namespace
}  // namespace onnxpress
