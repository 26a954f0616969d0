// SPDX-License-Identifier: Apache-2.0
#include "ir/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/checked.h"

namespace onnxpress {

std::optional<std::int64_t> element_count(const Dims& dims) {
  std::optional<std::int64_t> count = 1;
  for (const std::int64_t size : dims) {
    if (size < 0) return std::nullopt;
    count = checked_mul(*count, size);
    if (!count) return std::nullopt;
  }
  return count;
}

std::string to_string(const Dims& dims) {
  return fmt::format("[{}]", fmt::join(dims, ", "));
}

Shape to_shape(const Dims& dims) {
  Shape shape;
  for (const std::int64_t size : dims) shape.push_back({size, {}});
  return shape;
}

std::string to_string(const Shape& shape) {
  std::vector<std::string> parts;
  for (const Dim& dim : shape) {
    parts.push_back(dim.known() ? std::to_string(dim.size) : dim.symbol.empty() ? "?" : dim.symbol);
  }
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

std::optional<Dims> known_dims(const Shape& shape) {
  Dims dims;
  for (const Dim& dim : shape) {
    if (!dim.known()) return std::nullopt;
    dims.push_back(dim.size);
  }
  return dims;
}

}  // namespace onnxpress
