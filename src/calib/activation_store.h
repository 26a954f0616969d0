// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "ir/tensor.h"

namespace onnxpress {

// Keeps tensors, one for each value and batch. Beyond a number of bytes in memory, they go to files
// without a name, one a value, that the system removes whatever happens.
class ActivationStore {
 public:
  // `folder` of the files; empty: the system's folder for temporary files.
  explicit ActivationStore(std::size_t memory_bound, std::filesystem::path folder = {});
  ~ActivationStore();
  ActivationStore(const ActivationStore&) = delete;
  ActivationStore& operator=(const ActivationStore&) = delete;

  [[nodiscard]] bool has(ValueId value) const { return kept_.contains(value); }
  // Batches are put in the order of their numbers, from 0. Throws Error (cannot_write).
  void put(ValueId value, const Tensor& tensor);
  // Throws Error (cannot_write) if the file can't be read back.
  [[nodiscard]] Tensor get(ValueId value, std::size_t batch) const;
  void drop(ValueId value);
  [[nodiscard]] std::vector<ValueId> values() const;

  [[nodiscard]] std::size_t memory_bytes() const { return memory_bytes_; }
  [[nodiscard]] std::size_t spilled_bytes() const { return spilled_bytes_; }

 private:
  struct Kept;
  std::size_t memory_bound_;
  std::filesystem::path folder_;
  std::size_t memory_bytes_ = 0, spilled_bytes_ = 0;
  std::map<ValueId, std::unique_ptr<Kept>> kept_;
};

}  // namespace onnxpress
