// SPDX-License-Identifier: Apache-2.0
#include "exec/arena.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/error_codes.h"
#include "exec/memory_size.h"

namespace onnxpress::exec {
namespace {

constexpr std::size_t kSmallestChunk = 1 << 16;

std::size_t rounded_up(std::size_t bytes) {
  return std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
}

}  // namespace

std::shared_ptr<std::byte> allocate_bytes(std::size_t bytes) {
  auto* memory = bytes > machine_memory()
                     ? nullptr
                     : static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded_up(bytes)));
  if (memory == nullptr) {
    throw Error(codes::out_of_memory,
                fmt::format("{} bytes for an intermediate value can't be allocated", bytes));
  }
  return {memory, [](std::byte* p) { std::free(p); }};
}

void Arena::reset() {
  if (used_.empty() && chunks_.size() <= 1) return;
  if (chunks_.size() > 1) {
    merge_into_one_chunk(0);
    return;
  }
  used_.clear();
  free_.clear();
  free_[chunks_[0].memory.get()] = chunks_[0].size;
}

std::byte* Arena::allocate(std::size_t bytes) {
  const std::size_t size = rounded_up(bytes);
  auto best = free_.end();
  for (auto at = free_.begin(); at != free_.end(); ++at) {
    if (at->second >= size && (best == free_.end() || at->second < best->second)) best = at;
  }
  if (best == free_.end()) {
    add_chunk(std::max(size, kSmallestChunk));
    best = free_.find(chunks_.back().memory.get());
  }
  std::byte* block = best->first;
  const std::size_t left = best->second - size;
  free_.erase(best);
  if (left > 0) free_[block + size] = left;
  used_[block] = size;
  return block;
}

void Arena::free(std::byte* block) {
  const auto found = used_.find(block);
  if (found == used_.end()) return;
  auto at = free_.insert({block, found->second}).first;
  used_.erase(found);
  // Blocks are joined with their neighbours, but not across chunks.
  const auto begins_chunk = [&](const std::byte* p) {
    return std::ranges::any_of(chunks_, [&](const Chunk& c) { return c.memory.get() == p; });
  };
  if (const auto next = std::next(at);
      next != free_.end() && at->first + at->second == next->first && !begins_chunk(next->first)) {
    at->second += next->second;
    free_.erase(next);
  }
  if (at != free_.begin() && !begins_chunk(at->first)) {
    if (const auto previous = std::prev(at); previous->first + previous->second == at->first) {
      previous->second += at->second;
      free_.erase(at);
    }
  }
}

std::byte* Arena::whole(std::size_t bytes) {
  if (chunks_.empty() || chunks_[0].size < bytes) merge_into_one_chunk(rounded_up(bytes));
  return chunks_[0].memory.get();
}

std::size_t Arena::bytes() const {
  std::size_t total = 0;
  for (const Chunk& chunk : chunks_) total += chunk.size;
  return total;
}

void Arena::merge_into_one_chunk(std::size_t at_least) {
  const std::size_t size = std::max(bytes(), at_least);
  chunks_.clear();
  free_.clear();
  used_.clear();
  add_chunk(size);
}

void Arena::add_chunk(std::size_t size) {
  chunks_.push_back({allocate_bytes(size), size});
  free_[chunks_.back().memory.get()] = size;
}

void Scratch::reset() {
  if (chunks_.size() > 1) {
    chunks_.clear();
    chunks_.push_back(allocate_bytes(total_));
    capacity_ = total_;
  }
  used_ = total_ = 0;
}

std::byte* Scratch::allocate(std::size_t bytes) {
  if (bytes > machine_memory()) return allocate_bytes(bytes).get();  // throws
  const std::size_t size = rounded_up(bytes);
  total_ += size;
  if (chunks_.empty() || capacity_ - used_ < size) {
    chunks_.push_back(allocate_bytes(size));
    capacity_ = size;
    used_ = 0;
  }
  std::byte* block = chunks_.back().get() + used_;
  used_ += size;
  return block;
}

}  // namespace onnxpress::exec
