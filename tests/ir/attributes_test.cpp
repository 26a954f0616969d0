// SPDX-License-Identifier: Apache-2.0
#include "ir/attributes.h"

#include <gtest/gtest.h>

#include "base/error_codes.h"
#include "ir/graph.h"

namespace onnxpress {
namespace {

TEST(Attributes, GivesTheValueOrTheDefault) {
  const Attributes a{
      {"axis", std::int64_t{2}}, {"epsilon", 0.5F}, {"perm", std::vector<std::int64_t>{1, 0}}};
  EXPECT_EQ(a.get_int("axis", -1), 2);
  EXPECT_EQ(a.get_int("absent", -1), -1);
  EXPECT_EQ(a.get_float("epsilon", 1.0F), 0.5F);
  EXPECT_EQ(a.get_ints("perm"), (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(a.get_string("absent", "none"), "none");
  EXPECT_EQ(a.get_tensor("absent"), nullptr);
}

TEST(Attributes, RefusesAnotherTypeAndAbsenceWhereItIsRequired) {
  const Attributes a{{"axis", std::int64_t{2}}};
  EXPECT_THROW(static_cast<void>(a.get_float("axis", 0)), Error);
  EXPECT_THROW(static_cast<void>(a.require_int("to")), Error);
}

TEST(Attributes, KeepsTheirOrderAndRefusesTwoOfAName) {
  Attributes a{{"b", std::int64_t{1}}, {"a", std::int64_t{2}}};
  a.set("b", std::int64_t{3});
  ASSERT_EQ(a.all().size(), 2U);
  EXPECT_EQ(a.all()[0].name, "b");
  EXPECT_EQ(a.get_int("b", 0), 3);
  EXPECT_THROW(a.append({"a", std::int64_t{1}, {}}), Error);
}

TEST(Subgraph, IsCopiedByValue) {
  Graph body;
  body.add_input("x", DType::float32, std::nullopt);
  Attributes a{{"body", Subgraph(body)}};
  Attributes copy = a;
  std::get<Subgraph>(copy.all()[0].value).graph().add_input("y", DType::float32, std::nullopt);
  EXPECT_EQ(std::get<Subgraph>(a.all()[0].value).graph().inputs().size(), 1U);
}

}  // namespace
}  // namespace onnxpress
