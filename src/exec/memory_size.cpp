// SPDX-License-Identifier: Apache-2.0
#include "exec/memory_size.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/checked.h"
#include "base/error_codes.h"

namespace onnxpress::exec {

std::size_t machine_memory() {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PHYS_PAGES)) *
                            static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

std::size_t memory_size(DType dtype, const Extents& dims) {
  std::optional<std::int64_t> count = 1;
  for (const std::int64_t size : dims) {
    if (size < 0) {
      throw Error(codes::shape_mismatch,
                  fmt::format("the output would have the shape {}", to_string(dims)));
    }
    if (count) count = checked_mul(*count, size);
  }
  if (std::ranges::find(dims, 0) != dims.end()) return 0;
  const auto bytes = count ? byte_size(dtype, *count) : std::nullopt;
  if (!bytes || static_cast<std::size_t>(*bytes) > machine_memory()) {
    throw Error(codes::out_of_memory, fmt::format("a tensor of type {} and shape {} does not fit",
                                                  name(dtype), to_string(dims)));
  }
  return static_cast<std::size_t>(*bytes);
}

}  // namespace onnxpress::exec
