// SPDX-License-Identifier: Apache-2.0
#include "pack/codes.h"

#include <gtest/gtest.h>

namespace onnxpress {
namespace {

TEST(Codes, SymmetricCodesBecomeSigned) {
  const Tensor t = codes_tensor({8, 0, true}, {4}, {1, 127, 128, 255});
  EXPECT_EQ(t.dtype(), DType::int8);
  EXPECT_EQ(t.to_int64s(), (std::vector<std::int64_t>{-127, -1, 0, 127}));
}

TEST(Codes, FewerBitsKeepTheirValues) {
  const Tensor t = codes_tensor({6, 0, true}, {3}, {1, 32, 63});
  EXPECT_EQ(t.to_int64s(), (std::vector<std::int64_t>{-31, 0, 31}));
}

TEST(Codes, FourBitsArePackedLowHalfFirst) {
  const Tensor t = codes_tensor({4, 0, true}, {3}, {1, 8, 15});
  EXPECT_EQ(t.dtype(), DType::int4);
  ASSERT_EQ(t.bytes().size(), 2U);
  EXPECT_EQ(static_cast<int>(t.bytes()[0]), 0x09);  // -7, 0
  EXPECT_EQ(static_cast<int>(t.bytes()[1]), 0x07);  // 7
}

TEST(Codes, ComeBackAsTheyWere) {
  for (const bool symmetric : {true, false}) {
    for (const int bits : {4, 8}) {
      std::vector<std::uint8_t> codes;
      for (int i = symmetric ? 1 : 0; i < 1 << bits; ++i)
        codes.push_back(static_cast<std::uint8_t>(i));
      const auto count = static_cast<std::int64_t>(codes.size());
      const auto back = stored_codes(codes_tensor({bits, 0, symmetric}, {count}, codes));
      ASSERT_TRUE(back.has_value());
      EXPECT_EQ(back->codes, codes);
      EXPECT_EQ(back->bits, bits);
      EXPECT_EQ(back->is_signed, symmetric);
    }
  }
}

TEST(Codes, OtherTypesAreNotCodes) {
  EXPECT_FALSE(stored_codes(Tensor::of<float>({1}, {1})).has_value());
  EXPECT_FALSE(stored_codes(Tensor::of<std::int32_t>({1}, {1})).has_value());
}

}  // namespace
}  // namespace onnxpress
