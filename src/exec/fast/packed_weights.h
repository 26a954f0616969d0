// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "exec/fast/level/level.h"

namespace onnxpress::exec::fast {

// Where the elements of a matrix lie: (i, j) at [i · rows + j · columns].
struct MatrixStrides {
  std::int64_t rows = 0, columns = 1;
};

// Memory for vectors: 64-byte aligned, zeroed.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t bytes);
  [[nodiscard]] std::byte* data() const { return bytes_.get(); }

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  std::unique_ptr<std::byte, Free> bytes_;
};

// A constant k × n matrix in the order in which a level's product reads it.
class PackedFloats {
 public:
  PackedFloats(const Level& level, std::span<const float> b, MatrixStrides strides, std::int64_t k,
               std::int64_t n);
  [[nodiscard]] const Level& level() const { return *level_; }
  [[nodiscard]] std::int64_t k() const { return k_; }
  [[nodiscard]] std::int64_t n() const { return n_; }
  [[nodiscard]] const float* data() const { return reinterpret_cast<const float*>(bytes_.data()); }

 private:
  const Level* level_;
  std::int64_t k_, n_;
  AlignedBytes bytes_;
};

class PackedIntegers {
 public:
  // k ≤ kMaxIntegerDepth
  PackedIntegers(const Level& level, std::span<const std::int8_t> b, MatrixStrides strides,
                 std::int64_t k, std::int64_t n);
  [[nodiscard]] const Level& level() const { return *level_; }
  [[nodiscard]] std::int64_t k() const { return k_; }
  [[nodiscard]] std::int64_t n() const { return n_; }
  [[nodiscard]] const void* data() const { return bytes_.data(); }
  [[nodiscard]] const std::vector<std::int32_t>& column_sums() const { return column_sums_; }

 private:
  const Level* level_;
  std::int64_t k_, n_;
  AlignedBytes bytes_;
  std::vector<std::int32_t> column_sums_;
};

}  // namespace onnxpress::exec::fast
