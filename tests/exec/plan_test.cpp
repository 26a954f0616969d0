// SPDX-License-Identifier: Apache-2.0
#include "exec/plan.h"

#include <gtest/gtest.h>

#include <random>

#include "exec/arena.h"

namespace onnxpress::exec {
namespace {

TEST(Plan, BuffersThatLiveTogetherDoNotOverlap) {
  std::mt19937 generator(7);
  for (int round = 0; round < 20; ++round) {
    Plan plan;
    for (int i = 0; i < 60; ++i) {
      const auto first = static_cast<std::int32_t>(generator() % 50);
      const auto last = first + static_cast<std::int32_t>(generator() % 8);
      plan.buffers.push_back({generator() % 1000, first, last, 0});
    }
    plan.assign_offsets();
    for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
      const auto& a = plan.buffers[i];
      EXPECT_EQ(a.offset % kAlignment, 0U);
      EXPECT_LE(a.offset + a.bytes, plan.arena_bytes);
      for (std::size_t j = 0; j < i; ++j) {
        const auto& b = plan.buffers[j];
        const bool together = a.first <= b.last && b.first <= a.last;
        const bool apart = a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
        EXPECT_TRUE(!together || apart || a.bytes == 0 || b.bytes == 0) << i << " " << j;
      }
    }
  }
}

TEST(Plan, AChainNeedsTwoBuffersAtATime) {
  Plan plan;
  for (std::int32_t i = 0; i < 10; ++i) plan.buffers.push_back({1024, i, i + 1, 0});
  plan.assign_offsets();
  EXPECT_EQ(plan.arena_bytes, 2048U);
}

TEST(PlanCache, DropsThePlanThatWasNotUsedForLongest) {
  PlanCache cache;
  const auto make = [](std::int64_t key) {
    auto plan = std::make_unique<Plan>();
    plan->key = {key};
    return plan;
  };
  const auto capacity = static_cast<std::int64_t>(PlanCache::kCapacity);
  for (std::int64_t i = 0; i < capacity; ++i) cache.insert(make(i));
  EXPECT_NE(cache.find({0}), nullptr);
  cache.insert(make(100));
  EXPECT_NE(cache.find({0}), nullptr);
  EXPECT_EQ(cache.find({1}), nullptr);
  EXPECT_EQ(cache.size(), PlanCache::kCapacity);
}

TEST(Arena, HandsOutFreedMemoryAgainAndSettlesOnOneChunk) {
  Arena arena;
  std::byte* a = arena.allocate(100 << 10);
  std::byte* b = arena.allocate(200 << 10);
  arena.free(a);
  EXPECT_EQ(arena.allocate(90 << 10), a);
  arena.free(b);
  const std::size_t grown = arena.bytes();
  arena.reset();
  EXPECT_EQ(arena.bytes(), grown);
  EXPECT_NE(arena.allocate(grown), nullptr);
  EXPECT_EQ(arena.bytes(), grown);
}

TEST(Arena, JoinsFreeNeighbours) {
  Arena arena;
  arena.free(arena.allocate(1 << 20));
  std::byte* a = arena.allocate(300000);
  std::byte* b = arena.allocate(300000);
  std::byte* c = arena.allocate(300000);
  arena.free(a);
  arena.free(c);
  arena.free(b);
  EXPECT_EQ(arena.allocate(1 << 20), a);
  EXPECT_EQ(arena.bytes(), std::size_t{1} << 20);
}

}  // namespace
}  // namespace onnxpress::exec
