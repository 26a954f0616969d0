// SPDX-License-Identifier: Apache-2.0
#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace onnxpress {
int available_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1U, std::thread::hardware_concurrency());
}

namespace {

thread_local bool inside_body = false;

// Asks for about a tenth of a millisecond without giving the core away; false if it did not come
// true.
template <class Condition>
bool spin_until(const Condition& condition) {
  for (int spin = 0; spin < 3000; ++spin) {
    if (condition()) return true;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
  return false;
}

}  // namespace

struct ThreadPool::State {
  struct Loop {
    std::int64_t count = 0, chunk = 1;
    const std::function<void(std::int64_t, std::int64_t)>* body = nullptr;
    std::atomic<std::int64_t> next{0};
  };

  std::mutex submit;  // one loop at a time
  std::mutex mutex;
  std::condition_variable start, done;
  Loop loop;
  std::atomic<std::uint64_t> generation{0};
  std::atomic<int> active{0};  // workers within the loop; they join and leave under the mutex
  bool open = false;           // workers may still join
  std::atomic<bool> stop{false};
  std::exception_ptr error;
  std::vector<std::thread> workers;

  void work() {
    inside_body = true;
    try {
      for (;;) {
        const std::int64_t begin = loop.next.fetch_add(loop.chunk);
        if (begin >= loop.count) break;
        (*loop.body)(begin, std::min(begin + loop.chunk, loop.count));
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      loop.next = loop.count;
    }
    inside_body = false;
  }

  // Loops follow each other within microseconds while a model runs: spin for a little before
  // sleeping.
  void wait_for_loop(std::uint64_t seen) {
    const auto is_new = [&] { return generation.load(std::memory_order_acquire) != seen || stop; };
    if (spin_until(is_new)) return;
    std::unique_lock lock(mutex);
    start.wait(lock, is_new);
  }

  void serve() {
    std::uint64_t seen = 0;
    for (;;) {
      wait_for_loop(seen);
      if (stop) return;
      {
        const std::lock_guard lock(mutex);
        seen = generation;
        if (!open) continue;  // the others were done before this one woke up
        ++active;
      }
      work();
      const std::lock_guard lock(mutex);
      if (--active == 0) done.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  const int total = threads > 0 ? threads : available_cores();
  for (int i = 1; i < total; ++i) state_->workers.emplace_back([s = state_.get()] { s->serve(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->start.notify_all();
  for (auto& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const {
  return static_cast<int>(state_->workers.size()) + 1;
}

void ThreadPool::parallel_for(std::int64_t count, std::int64_t chunk,
                              const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (count <= 0) return;
  chunk = std::max<std::int64_t>(1, chunk);
  if (inside_body || state_->workers.empty() || count <= chunk) {
    for (std::int64_t begin = 0; begin < count; begin += chunk)
      body(begin, std::min(begin + chunk, count));
    return;
  }
  const std::lock_guard submit(state_->submit);
  State& s = *state_;
  {
    const std::lock_guard lock(s.mutex);
    s.loop.count = count;
    s.loop.chunk = chunk;
    s.loop.body = &body;
    s.loop.next = 0;
    s.error = nullptr;
    s.open = true;
    s.generation.fetch_add(1, std::memory_order_release);
  }
  s.start.notify_all();
  s.work();
  {
    // No chunk is left: workers that sleep, or that the system has not run yet, are not waited for.
    const std::lock_guard lock(s.mutex);
    s.open = false;
  }
  const auto left = [&] { return s.active == 0; };
  spin_until(left);
  std::unique_lock lock(s.mutex);
  s.done.wait(lock, left);
  if (s.error) std::rethrow_exception(s.error);
}

}  // namespace onnxpress
