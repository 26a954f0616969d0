// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace onnxpress {

// Sizes of a tensor that exists; never negative.
using Dims = std::vector<std::int64_t>;

// Number of elements, or nothing if a size is negative or the product overflows.
[[nodiscard]] std::optional<std::int64_t> element_count(const Dims& dims);
[[nodiscard]] std::string to_string(const Dims& dims);  // "[2, 3]"

// One size of a value that may not be known before run time.
struct Dim {
  std::int64_t size = -1;  // -1: not known
  std::string symbol;      // "batch", or empty
  [[nodiscard]] bool known() const { return size >= 0; }
  friend bool operator==(const Dim&, const Dim&) = default;
};
using Shape = std::vector<Dim>;

[[nodiscard]] Shape to_shape(const Dims& dims);
[[nodiscard]] std::string to_string(
    const Shape& shape);  // "[batch, 384]", "?" where nothing is known
// All sizes, if all are known.
[[nodiscard]] std::optional<Dims> known_dims(const Shape& shape);

}  // namespace onnxpress
