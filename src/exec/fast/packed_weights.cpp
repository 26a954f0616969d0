// SPDX-License-Identifier: Apache-2.0
#include "exec/fast/packed_weights.h"

#include <cstring>
#include <new>

namespace onnxpress::exec::fast {

AlignedBytes::AlignedBytes(std::size_t bytes)
    : bytes_(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64}))) {
  std::memset(bytes_.get(), 0, bytes);
}

void AlignedBytes::Free::operator()(std::byte* bytes) const {
  ::operator delete (bytes, std::align_val_t{64});
}

PackedFloats::PackedFloats(const Level& level, std::span<const float> b, MatrixStrides strides,
                           std::int64_t k, std::int64_t n)
    : level_(&level),
      k_(k),
      n_(n),
      bytes_(static_cast<std::size_t>(level.packed_floats(k, n)) * sizeof(float)) {
  level.pack_float(b.data(), strides.rows, strides.columns, k, n,
                   reinterpret_cast<float*>(bytes_.data()));
}

PackedIntegers::PackedIntegers(const Level& level, std::span<const std::int8_t> b,
                               MatrixStrides strides, std::int64_t k, std::int64_t n)
    : level_(&level),
      k_(k),
      n_(n),
      bytes_(static_cast<std::size_t>(level.packed_bytes(k, n))),
      column_sums_(static_cast<std::size_t>(n), 0) {
  level.pack_integer(b.data(), strides.rows, strides.columns, k, n, bytes_.data());
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      column_sums_[static_cast<std::size_t>(j)] +=
          b[static_cast<std::size_t>(i * strides.rows + j * strides.columns)];
    }
  }
}

}  // namespace onnxpress::exec::fast
