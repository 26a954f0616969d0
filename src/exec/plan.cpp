// SPDX-License-Identifier: Apache-2.0
#include "exec/plan.h"

#include <algorithm>
#include <numeric>

#include "exec/arena.h"

namespace onnxpress::exec {

void Plan::assign_offsets() {
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(
      order, [&](std::size_t a, std::size_t b) { return buffers[a].bytes > buffers[b].bytes; });
  std::vector<std::size_t> placed_by_offset;
  for (const std::size_t index : order) {
    Buffer& buffer = buffers[index];
    const std::size_t size = (buffer.bytes + kAlignment - 1) / kAlignment * kAlignment;
    std::size_t offset = 0;
    for (const std::size_t other_index : placed_by_offset) {
      const Buffer& other = buffers[other_index];
      if (other.first > buffer.last || other.last < buffer.first) continue;
      if (offset + size <= other.offset) break;
      const std::size_t end =
          other.offset + (other.bytes + kAlignment - 1) / kAlignment * kAlignment;
      offset = std::max(offset, end);
    }
    buffer.offset = offset;
    arena_bytes = std::max(arena_bytes, offset + size);
    const auto at = std::ranges::upper_bound(placed_by_offset, offset, {},
                                             [&](std::size_t i) { return buffers[i].offset; });
    placed_by_offset.insert(at, index);
  }
  placed = true;
}

Plan* PlanCache::find(const std::vector<std::int64_t>& key) {
  for (std::size_t i = plans_.size(); i-- > 0;) {
    if (plans_[i]->key != key) continue;
    std::rotate(plans_.begin() + static_cast<std::ptrdiff_t>(i),
                plans_.begin() + static_cast<std::ptrdiff_t>(i) + 1, plans_.end());
    return plans_.back().get();
  }
  return nullptr;
}

Plan* PlanCache::insert(std::unique_ptr<Plan> plan) {
  if (plans_.size() == kCapacity) plans_.erase(plans_.begin());
  plans_.push_back(std::move(plan));
  return plans_.back().get();
}

}  // namespace onnxpress::exec
