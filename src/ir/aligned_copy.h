// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

namespace onnxpress {

// A copy, at an address that suits every element type, of bytes that lie anywhere in a file. It is
// made when it is first asked for, by any thread.
class AlignedCopy {
 public:
  // `source` must stay valid as long as the object is used. `release`, if not empty, is called when
  // the source has been copied and when nobody uses it any more.
  AlignedCopy(std::span<const std::byte> source, std::function<void()> release)
      : source_(source), release_(std::move(release)) {}
  AlignedCopy(const AlignedCopy&) = delete;
  AlignedCopy& operator=(const AlignedCopy&) = delete;
  ~AlignedCopy() {
    if (release_) release_();
  }

  // The copy.
  [[nodiscard]] std::span<const std::byte> bytes();
  // The copy if there is one already, else the source.
  [[nodiscard]] std::span<const std::byte> nearest() const {
    const std::byte* copy = copy_.load(std::memory_order_acquire);
    return {copy == nullptr ? source_.data() : copy, source_.size()};
  }

 private:
  std::span<const std::byte> source_;
  std::function<void()> release_;
  std::once_flag once_;
  std::shared_ptr<std::byte[]> memory_;
  std::atomic<const std::byte*> copy_{nullptr};  // once it is whole
};

}  // namespace onnxpress
