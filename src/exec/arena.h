// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

namespace onnxpress::exec {

inline constexpr std::size_t kAlignment = 64;

// 64-byte aligned memory that is not initialised. Throws Error (out_of_memory).
[[nodiscard]] std::shared_ptr<std::byte> allocate_bytes(std::size_t bytes);

// Memory for intermediate values that outlives runs. It is handed out in one of two ways: piecewise
// (best fit among the free blocks; for runs that learn what they need), or as one block in which
// the caller has planned the places. Grows as needed and settles on one chunk.
class Arena {
 public:
  // Forgets everything that was handed out.
  void reset();
  // Throws Error (out_of_memory).
  [[nodiscard]] std::byte* allocate(std::size_t bytes);
  void free(std::byte* block);
  // One block, after reset(). Throws Error (out_of_memory).
  [[nodiscard]] std::byte* whole(std::size_t bytes);

  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Chunk {
    std::shared_ptr<std::byte> memory;
    std::size_t size = 0;
  };
  void merge_into_one_chunk(std::size_t at_least);
  void add_chunk(std::size_t size);

  std::vector<Chunk> chunks_;
  std::map<std::byte*, std::size_t> free_, used_;
};

// Memory that a kernel needs while it runs: handed out from the front, taken back as a whole.
class Scratch {
 public:
  void reset();
  // Throws Error (out_of_memory).
  [[nodiscard]] std::byte* allocate(std::size_t bytes);

 private:
  std::vector<std::shared_ptr<std::byte>> chunks_;  // the last one is in use
  std::size_t capacity_ = 0, used_ = 0, total_ = 0;
};

}  // namespace onnxpress::exec
