// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/matmul_shape.h"

#include <fmt/format.h>

#include "base/error_codes.h"
#include "exec/kernels/broadcast.h"

namespace onnxpress::exec {

std::int64_t MatMulShape::index(const Extents& own, std::int64_t i) const {
  std::int64_t at = 0, stride = 1;
  const std::size_t missing = batch.size() - own.size();
  for (std::size_t d = batch.size(); d-- > missing;) {
    const std::int64_t size = own[d - missing];
    if (size != 1) at += i % batch[d] * stride;
    stride *= size;
    i /= batch[d];
  }
  return at;
}

MatMulShape matmul_shape(const Extents& a, const Extents& b) {
  MatMulShape s;
  const bool row = a.size() == 1, column = b.size() == 1;
  const bool scalars = a.empty() || b.empty();
  if (!scalars) {
    s.k = a.back();
    if (!row) s.m = a[a.size() - 2];
    if (!column) s.n = b.back();
  }
  if (scalars || b[column ? 0 : b.size() - 2] != s.k) {
    throw Error(codes::shape_mismatch,
                fmt::format("can't multiply {} by {}", to_string(a), to_string(b)));
  }
  if (!row) s.a_batch = Extents(a.span().first(a.size() - 2));
  if (!column) s.b_batch = Extents(b.span().first(b.size() - 2));
  s.batch = broadcast_shape(s.a_batch, s.b_batch);
  s.out = s.batch;
  if (!row) s.out.push_back(s.m);
  if (!column) s.out.push_back(s.n);
  return s;
}

}  // namespace onnxpress::exec
