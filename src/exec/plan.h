// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "ir/graph.h"
#include "ir/tensor.h"

namespace onnxpress::exec {

// What one run with given sizes of inputs teaches about all later ones with the same sizes: which
// values share which memory, and the values that the sizes alone determine.
struct Plan {
  // A piece of memory that one value, or several after each other, occupy during the steps
  // [first, last].
  struct Buffer {
    std::size_t bytes = 0;
    std::int32_t first = 0, last = 0;
    std::size_t offset = 0;  // in the arena; set by assign_offsets()
  };
  struct Kept {
    ValueId value{};
    std::shared_ptr<const Tensor> tensor;
  };

  std::vector<std::int64_t> key;  // rank and sizes of every input
  std::vector<Buffer> buffers;
  std::vector<std::int32_t> buffer_of;  // by ValueId: index in buffers, or -1
  std::vector<std::size_t> bytes_of;    // by ValueId: what it took in that run
  std::vector<Kept> kept;
  std::vector<bool> skip;  // by step: its outputs are in `kept`, or not needed
  std::size_t arena_bytes = 0;
  bool placed = false;

  // Gives every buffer its place: biggest first, each at the lowest offset that is free while it
  // lives.
  void assign_offsets();
};

// The plans of the most recent sizes of inputs.
class PlanCache {
 public:
  static constexpr std::size_t kCapacity = 32;
  // Null if there is none. Valid until the next insert().
  [[nodiscard]] Plan* find(const std::vector<std::int64_t>& key);
  Plan* insert(std::unique_ptr<Plan> plan);  // drops the one that was not used for longest
  [[nodiscard]] std::size_t size() const { return plans_.size(); }

 private:
  std::vector<std::unique_ptr<Plan>> plans_;  // most recently used last
};

}  // namespace onnxpress::exec
