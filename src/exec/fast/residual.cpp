// SPDX-License-Identifier: Apache-2.0
#include "exec/fast/residual.h"

#include <functional>

namespace onnxpress::exec::fast {

void add(ThreadPool& pool, const float* a, const Extents& a_dims, const TensorView& b, float* out,
         const Extents& dims) {
  const Broadcast broadcast(dims, {&a_dims, &b.dims});
  const float* other = b.as<float>().data();
  const std::int64_t step_a = broadcast.inner_stride(0);
  const std::int64_t step_b = broadcast.inner_stride(1);
  const auto some = [&](std::int64_t begin, std::int64_t end) {
    broadcast.visit(begin, end,
                    [&](std::int64_t at, const Broadcast::Offsets& offsets, std::int64_t count) {
                      for (std::int64_t i = 0; i < count; ++i) {
                        out[at + i] = a[offsets[0] + i * step_a] + other[offsets[1] + i * step_b];
                      }
                    });
  };
  pool.parallel_for(broadcast.size(), 16384, std::cref(some));
}

}  // namespace onnxpress::exec::fast
