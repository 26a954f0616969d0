// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/strided_copy.h"

#include <algorithm>
#include <cstring>

#include "exec/kernels/dispatch.h"

namespace onnxpress::exec {
namespace {

template <class U>
void copy_row(const U* from, std::int64_t step, U* to, std::int64_t count) {
  if (step == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(U));
  } else if (step == 0) {
    std::fill_n(to, count, *from);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i * step];
  }
}

}  // namespace

Extents row_major_strides(const Extents& dims) {
  Extents strides(dims.size(), 1);
  for (std::size_t d = dims.size(); d-- > 1;) strides[d - 1] = strides[d] * dims[d];
  return strides;
}

void copy_strided(KernelContext& c, DType dtype, const std::byte* from, const Extents& dims,
                  const Extents& strides, std::byte* to) {
  if (product(dims) == 0) return;
  // Dimensions that are walked as one are joined.
  Extents sizes, steps;
  for (std::size_t d = dims.size(); d-- > 0;) {
    if (dims[d] == 1) continue;
    if (!sizes.empty() && strides[d] == steps[0] * sizes[0]) {
      sizes[0] *= dims[d];
      continue;
    }
    sizes.insert(0, dims[d]);
    steps.insert(0, strides[d]);
  }
  if (sizes.empty()) {
    sizes.push_back(1);
    steps.push_back(1);
  }
  const std::int64_t inner = sizes.back(), rows = product(sizes) / inner;
  const std::int64_t rows_a_chunk = std::max<std::int64_t>(1, (1 << 14) / inner);
  with_element_size(dtype, [&]<class U>() {
    const U* source = reinterpret_cast<const U*>(from);
    U* target = reinterpret_cast<U*>(to);
    c.parallel_for(rows, rows_a_chunk, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        std::int64_t rest = row, offset = 0;
        for (std::size_t d = sizes.size() - 1; d-- > 0;) {
          offset += rest % sizes[d] * steps[d];
          rest /= sizes[d];
        }
        copy_row(source + offset, steps.back(), target + row * inner, inner);
      }
    });
  });
}

}  // namespace onnxpress::exec
