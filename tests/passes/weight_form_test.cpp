// SPDX-License-Identifier: Apache-2.0
#include "passes/weight_form.h"

#include <gmock/gmock.h>

#include "numerics/quantize_rtn.h"

namespace onnxpress {
namespace {

// Solves as if 8 bits had this error and 7 bits that.
SolvedWeight solved(WeightForm form, double error8, double error7) {
  return solve_in_form(form, [&](const Grid& grid) {
    SolvedWeight result;
    result.q = {grid, 1, 1, MatrixLayout::in_out, {3}, {1}, {}};
    result.way = "gptq";
    result.figures = {{"output_error", grid.bits == 8 ? error8 : error7}, {"sqnr_db", 40}};
    return result;
  });
}

TEST(WeightForm, EveryNameIsReadBackInOrder) {
  const auto& names = weight_form_names();
  for (std::size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(parse_weight_form(names[i])), i);
  }
}

TEST(WeightForm, SevenBitsAreChosenWhereTheyCostNextToNothing) {
  const SolvedWeight seven = solved(WeightForm::choose, 0.0100, 0.0104);
  EXPECT_EQ(seven.q.grid, (Grid{7, 0, true}));
  EXPECT_THAT(seven.way, testing::HasSubstr("INT8 of 7 bits: error 0.0104"));
  const SolvedWeight eight = solved(WeightForm::choose, 0.0100, 0.0106);
  EXPECT_EQ(eight.q.grid, (Grid{8, 0, false}));
  EXPECT_THAT(eight.q.zero_points, testing::ElementsAre(128));
  EXPECT_THAT(eight.way, testing::HasSubstr("UINT8"));
}

TEST(WeightForm, UnsignedCodesStandForTheSameNumbers) {
  std::vector<float> w{-0.5F, 0.25F, 1.0F, -1.0F, 0.0F, 0.3F};
  ThreadPool pool(1);
  const QuantizedMatrix q =
      quantize_rtn(weight_ref(w, 3, 2, MatrixLayout::in_out), {8, 0, true}, pool);
  EXPECT_EQ(dequantize(as_unsigned(q)), dequantize(q));
}

TEST(WeightForm, AFixedFormIsSolvedOnce) {
  EXPECT_EQ(solved(WeightForm::s8, 1, 0).q.grid, (Grid{8, 0, true}));
  EXPECT_EQ(solved(WeightForm::s8_7bit, 0, 1).q.grid, (Grid{7, 0, true}));
  EXPECT_EQ(solved(WeightForm::u8, 1, 0).q.grid, (Grid{8, 0, false}));
}

}  // namespace
}  // namespace onnxpress
