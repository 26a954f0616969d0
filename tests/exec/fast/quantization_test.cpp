// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "exec/fast/products.h"
#include "levels.h"

namespace onnxpress::exec::fast {
namespace {

class Quantization : public test::EveryLevel {};

INSTANTIATE_TEST_SUITE_P(, Quantization, testing::ValuesIn(test::available_levels()),
                         test::level_name);

std::uint8_t code(float x, DynamicRange range) {
  const float rounded = std::nearbyint(x / range.scale) + static_cast<float>(range.zero_point);
  return static_cast<std::uint8_t>(std::clamp(rounded, 0.0F, 255.0F));
}

TEST_P(Quantization, FollowsTheStandard) {
  for (const std::int64_t count : {0, 1, 15, 16, 17, 1000, 300'001}) {
    const auto x = random(count, -3.7F, 9.1F);
    std::vector<std::uint8_t> one(x.size()), three(x.size());
    ThreadPool pool(1);
    ThreadPool more(3);
    const DynamicRange range = quantize_dynamically(functions(), pool, x.data(), count, one.data());
    quantize_dynamically(functions(), more, x.data(), count, three.data());
    EXPECT_EQ(one, three);
    float low = 0, high = 0;
    for (const float v : x) {
      low = std::min(low, v);
      high = std::max(high, v);
    }
    EXPECT_EQ(range.scale, count == 0 ? 1.0F : (high - low) / 255.0F);
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(one[i], code(x[i], range)) << x[i];
  }
}

TEST_P(Quantization, RoundsHalvesToEven) {
  std::vector<float> x;
  for (int i = -300; i <= 300; ++i) {
    const float half = 0.25F * static_cast<float>(i);
    x.insert(x.end(), {half, std::nextafter(half, 100.0F), std::nextafter(half, -100.0F)});
  }
  for (const float scale : {0.5F, 0.1F, 0.3F, 0.0371F}) {
    std::vector<std::uint8_t> y(x.size());
    functions().quantize(x.data(), static_cast<std::int64_t>(x.size()), scale, 100, y.data());
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(y[i], code(x[i], {scale, 100})) << x[i];
  }
}

TEST(DynamicRange, HoldsZero) {
  EXPECT_EQ(dynamic_range(2, 510).zero_point, 0);
  EXPECT_EQ(dynamic_range(2, 510).scale, 2);
  EXPECT_EQ(dynamic_range(-510, -2).zero_point, 255);
  EXPECT_EQ(dynamic_range(0, 0).scale, 1);
  EXPECT_EQ(dynamic_range(-0.5F, 254.5F).zero_point, 0);  // halves to even
  EXPECT_EQ(dynamic_range(-1.5F, 253.5F).zero_point, 2);
}

}  // namespace
}  // namespace onnxpress::exec::fast
