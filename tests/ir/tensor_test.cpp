// SPDX-License-Identifier: Apache-2.0
#include "ir/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

TEST(Tensor, HoldsElementsAndSharesThemWithCopies) {
  const Tensor t = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
  const Tensor copy = t;
  EXPECT_EQ(t.dtype(), DType::float32);
  EXPECT_EQ(t.size(), 4);
  EXPECT_EQ(t.as<float>()[3], 4.0F);
  EXPECT_EQ(copy.bytes().data(), t.bytes().data());
  EXPECT_EQ(copy, t);
}

TEST(Tensor, BytesMustBeExactlyWhatTheShapeNeeds) {
  for (const std::size_t size : {0U, 15U, 17U, 32U}) {
    EXPECT_THROW(Tensor::from_bytes(DType::float32, {2, 2}, std::vector<std::byte>(size)), Error);
  }
  EXPECT_EQ(Tensor::from_bytes(DType::float32, {2, 2}, std::vector<std::byte>(16)).size(), 4);
  EXPECT_EQ(Tensor::from_bytes(DType::float32, {0, 3}, {}).size(), 0);
}

TEST(Tensor, RefusesShapesThatAreNegativeOrOverflow) {
  const Dims bad[] = {
      {-1}, {-2, -2}, {std::int64_t{1} << 32, std::int64_t{1} << 32}, {std::int64_t{1} << 62}};
  for (const Dims& dims : bad) {
    EXPECT_THROW(Tensor::from_bytes(DType::float32, dims, {}), Error) << to_string(dims);
  }
  EXPECT_THROW(Tensor::from_bytes(DType{77}, {1}, std::vector<std::byte>(1)), Error);
}

TEST(Tensor, PackedTypesTakeWholeBytes) {
  EXPECT_EQ(byte_size(DType::int4, 3), 2);
  EXPECT_EQ(byte_size(DType::int4, 4), 2);
  EXPECT_EQ(byte_size(DType::uint2, 5), 2);
  EXPECT_EQ(byte_size(DType::bfloat16, 5), 10);
  EXPECT_EQ(byte_size(DType::string, 5), std::nullopt);
}

TEST(Tensor, ReadingAnotherTypeIsAnError) {
  const Tensor t = Tensor::scalar<std::int64_t>(7);
  EXPECT_THROW(static_cast<void>(t.as<float>()), Error);
  EXPECT_EQ(t.to_doubles(), std::vector<double>{7});
  EXPECT_EQ(Tensor::of<Half>({1}, {Half{0x3c00}}).to_doubles(), std::vector<double>{1});
}

TEST(Tensor, CopiesBytesThatAreNotAlignedOnceTheyAreRead) {
  constexpr std::size_t kCount = 100'000;
  const auto owner = std::make_shared<std::vector<std::byte>>(kCount * sizeof(float) + 1);
  const std::span<const std::byte> bytes = std::span(*owner).subspan(1);
  const float last = 7;
  std::memcpy(owner->data() + owner->size() - sizeof last, &last, sizeof last);
  int released = 0;
  Tensor t(DType::float32, {kCount}, bytes, owner, [&] { ++released; });
  Tensor shared = t.reshaped({2, kCount / 2});
  EXPECT_FALSE(t.is_aligned());
  EXPECT_EQ(t.bytes().data(), bytes.data());
  EXPECT_EQ(released, 0);
  EXPECT_EQ(t.as<float>().back(), last);
  EXPECT_EQ(shared.as<float>().data(), t.as<float>().data());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.aligned_bytes().data()) % alignof(float), 0U);
  EXPECT_EQ(t.bytes().data(), t.aligned_bytes().data());
  EXPECT_EQ(released, 1);
  EXPECT_EQ(t, Tensor::from_bytes(DType::float32, {kCount}, {bytes.begin(), bytes.end()}));
  t = {};
  EXPECT_EQ(released, 1);
  shared = {};
  EXPECT_EQ(released, 2);
}

TEST(Tensor, ReshapesOnlyToTheSameNumberOfElements) {
  const Tensor t = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(t.reshaped({3, 2}).dims(), (Dims{3, 2}));
  EXPECT_THROW(static_cast<void>(t.reshaped({4})), Error);
}

}  // namespace
}  // namespace onnxpress
