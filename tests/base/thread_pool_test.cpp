// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace onnxpress {
namespace {

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, VisitsEveryIndexOnce) {
  ThreadPool pool(GetParam());
  for (const std::int64_t count : {0, 1, 2, 7, 1000}) {
    for (const std::int64_t chunk : {1, 3, 5000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      pool.parallel_for(count, chunk, [&](std::int64_t begin, std::int64_t end) {
        EXPECT_LE(end - begin, chunk);
        for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      for (const auto& visit : visits) ASSERT_EQ(visit, 1);
    }
  }
}

TEST_P(ThreadPoolTest, PassesAnExceptionOnAndStaysUsable) {
  ThreadPool pool(GetParam());
  const auto fail = [](std::int64_t begin, std::int64_t) {
    if (begin == 5) throw std::runtime_error("five");
  };
  EXPECT_THROW(pool.parallel_for(10, 1, fail), std::runtime_error);
  std::atomic<int> visits = 0;
  pool.parallel_for(10, 1, [&](std::int64_t, std::int64_t) { ++visits; });
  EXPECT_EQ(visits, 10);
}

TEST_P(ThreadPoolTest, ALoopWithinALoopRunsInline) {
  ThreadPool pool(GetParam());
  std::atomic<int> visits = 0;
  pool.parallel_for(4, 1, [&](std::int64_t, std::int64_t) {
    pool.parallel_for(5, 1, [&](std::int64_t, std::int64_t) { ++visits; });
  });
  EXPECT_EQ(visits, 20);
}

TEST_P(ThreadPoolTest, SurvivesManyShortLoops) {
  ThreadPool pool(GetParam());
  std::atomic<std::int64_t> sum = 0;
  for (int i = 0; i < 5000; ++i) {
    pool.parallel_for(3, 1, [&](std::int64_t begin, std::int64_t) { sum += begin; });
  }
  EXPECT_EQ(sum, 15000);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 8));

}  // namespace
}  // namespace onnxpress
