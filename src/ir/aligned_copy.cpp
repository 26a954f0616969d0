// SPDX-License-Identifier: Apache-2.0
#include "ir/aligned_copy.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace onnxpress {
namespace {

// In huge pages where it is large, so that the system hands it over in few pieces.
std::shared_ptr<std::byte[]> memory_of(std::size_t size) {
  constexpr std::size_t kHugePage = 2 << 20;
  if (size < kHugePage) return std::make_shared_for_overwrite<std::byte[]>(size);
  const std::size_t rounded = (size + kHugePage - 1) / kHugePage * kHugePage;
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(kHugePage, rounded));
  if (memory == nullptr) throw std::bad_alloc();
  // A hint; the last page may be far from full, so it stays small.
  ::madvise(memory, size / kHugePage * kHugePage, MADV_HUGEPAGE);
  return {memory, [](std::byte* bytes) { std::free(bytes); }};
}

}  // namespace

std::span<const std::byte> AlignedCopy::bytes() {
  std::call_once(once_, [this] {
    memory_ = memory_of(source_.size());
    std::memcpy(memory_.get(), source_.data(), source_.size());
    copy_.store(memory_.get(), std::memory_order_release);
    if (release_) release_();
  });
  return {memory_.get(), source_.size()};
}

}  // namespace onnxpress
