// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace onnxpress {

// Cores that this process may run on.
[[nodiscard]] int available_cores();

// A fixed number of threads that share loops. The caller's thread takes part, so a pool of 1 starts
// no thread. Which thread runs which chunk is not fixed: bodies must write to places of their own,
// so results never depend on it.
class ThreadPool {
 public:
  explicit ThreadPool(
      int threads);  // 0: as many as the machine has cores available to this process
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] int threads() const;

  // Calls body(begin, end) for consecutive chunks of at most `chunk` indices that cover [0, count).
  // Returns when all are done; the first exception is rethrown. A call from within a body runs
  // inline.
  void parallel_for(std::int64_t count, std::int64_t chunk,
                    const std::function<void(std::int64_t, std::int64_t)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace onnxpress
