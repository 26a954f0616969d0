// SPDX-License-Identifier: Apache-2.0
// f32 MatMul of two computed tensors: each matrix of the second one is packed on the way.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error_codes.h"
#include "exec/fast/fast_kernels.h"
#include "exec/fast/products.h"

namespace onnxpress::exec::fast {
namespace {

[[noreturn]] void refuse(const TensorView& a, const TensorView& b) {
  throw Error(codes::shape_mismatch,
              fmt::format("{} × {} do not fit together", to_string(a.dims), to_string(b.dims)));
}

// The batch sizes that both broadcast to.
Extents common_batch(const TensorView& a, const TensorView& b, const Extents& left,
                     const Extents& right) {
  Extents batch(std::max(left.size(), right.size()), 1);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto at = [&](const Extents& e) {
      const std::size_t missing = batch.size() - e.size();
      return i < missing ? 1 : e[i - missing];
    };
    if (at(left) != at(right) && at(left) != 1 && at(right) != 1) refuse(a, b);
    batch[i] = at(left) == 1 ? at(right) : at(left);
  }
  return batch;
}

// The matrix of `own` batch sizes that stands at `index` of the common ones.
std::int64_t matrix_at(std::int64_t index, const Extents& batch, const Extents& own) {
  std::int64_t result = 0;
  std::int64_t step = 1;
  for (std::size_t i = 0; i < own.size(); ++i) {
    const std::size_t axis = batch.size() - 1 - i;
    const std::int64_t size = own[own.size() - 1 - i];
    if (size != 1) result += index % batch[axis] * step;
    step *= size;
    index /= batch[axis];
  }
  return result;
}

void run(KernelContext& c) {
  const TensorView& a = c.input(0);
  const TensorView& b = c.input(1);
  if (a.rank() == 0 || b.rank() == 0) refuse(a, b);
  Extents left = a.dims;
  Extents right = b.dims;
  if (left.size() == 1) left.insert(0, 1);
  if (right.size() == 1) right.push_back(1);
  const std::int64_t m = left[left.size() - 2];
  const std::int64_t k = left.back();
  const std::int64_t n = right.back();
  if (right[right.size() - 2] != k) refuse(a, b);
  for (Extents* e : {&left, &right}) {
    e->erase(e->size() - 1);
    e->erase(e->size() - 1);
  }
  const Extents batch = common_batch(a, b, left, right);
  Extents dims = batch;
  if (a.rank() > 1) dims.push_back(m);
  if (b.rank() > 1) dims.push_back(n);

  const Level& best = level(c.instruction_set());
  const std::int64_t count = product(batch);
  // One task a matrix where there are enough of them, otherwise the threads share each matrix.
  const bool share = count < c.pool().threads();
  const std::int64_t chunk =
      share ? std::max<std::int64_t>(1, count)
            : std::max<std::int64_t>(1, count / (std::int64_t{4} * c.pool().threads()));
  const std::int64_t floats = (best.packed_floats(k, n) + 15) / 16 * 16;
  const std::int64_t slots = count == 0 ? 0 : (count + chunk - 1) / chunk;
  const auto packed = c.scratch<float>(static_cast<std::size_t>(slots * floats));
  const float* x = a.as<float>().data();
  const float* w = b.as<float>().data();
  float* y = c.output<float>(0, dims).data();
  const auto some = [&](std::int64_t begin, std::int64_t end) {
    float* slot = packed.data() + begin / chunk * floats;
    for (std::int64_t i = begin; i < end; ++i) {
      best.pack_float(w + matrix_at(i, batch, right) * k * n, n, 1, k, n, slot);
      FloatProduct p;
      p.a = x + matrix_at(i, batch, left) * m * k;
      p.a_stride = p.k = k;
      p.b = slot;
      p.c = y + i * m * n;
      p.c_stride = p.n = n;
      p.rows = m;
      multiply(best, c.pool(), p);
    }
  };
  if (share) return some(0, count);
  c.parallel_for(count, chunk, some);
}

constexpr std::array kRows{KernelRow{.op_type = "MatMul", .types = kFloat32, .run = run}};

}  // namespace

KernelRows dynamic_product_rows() {
  return kRows;
}

}  // namespace onnxpress::exec::fast
