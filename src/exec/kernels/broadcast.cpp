// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/broadcast.h"

#include <fmt/format.h>

#include "base/error_codes.h"

namespace onnxpress::exec {

Extents broadcast_shape(const Extents& a, const Extents& b) {
  const std::size_t rank = std::max(a.size(), b.size());
  Extents out(rank, 1);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t from_a = i < a.size() ? a[a.size() - 1 - i] : 1;
    const std::int64_t from_b = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (from_a != from_b && from_a != 1 && from_b != 1) {
      throw Error(codes::shape_mismatch,
                  fmt::format("shapes {} and {} do not broadcast", to_string(a), to_string(b)));
    }
    out[rank - 1 - i] = from_a == 1 ? from_b : from_a;
  }
  return out;
}

Broadcast::Broadcast(const Extents& out, std::initializer_list<const Extents*> operands)
    : operands_(operands.size()), size_(product(out)) {
  std::array<Extents, kOperands> full;
  std::size_t k = 0;
  for (const Extents* operand : operands) {
    full[k] = Extents(out.size(), 0);
    std::int64_t stride = 1;
    const std::size_t missing = out.size() - std::min(out.size(), operand->size());
    bool fits = operand->size() <= out.size();
    for (std::size_t d = out.size(); fits && d-- > missing;) {
      const std::int64_t size = (*operand)[d - missing];
      fits = size == out[d] || size == 1;
      full[k][d] = size == 1 ? 0 : stride;
      stride *= size;
    }
    if (!fits) {
      throw Error(codes::shape_mismatch, fmt::format("shape {} does not broadcast to {}",
                                                     to_string(*operand), to_string(out)));
    }
    ++k;
  }
  // From the last dimension to the first: a dimension joins the one after it if every operand steps
  // over it as if it went on.
  for (std::size_t d = out.size(); d-- > 0;) {
    if (out[d] == 1) continue;
    bool joins = !sizes_.empty();
    for (k = 0; joins && k < operands_; ++k) {
      joins = full[k][d] == strides_[k][0] * sizes_[0];
    }
    if (joins) {
      sizes_[0] *= out[d];
      continue;
    }
    sizes_.insert(0, out[d]);
    for (k = 0; k < operands_; ++k) strides_[k].insert(0, full[k][d]);
  }
  if (sizes_.empty()) {
    sizes_.push_back(1);
    for (k = 0; k < operands_; ++k) strides_[k].push_back(0);
  }
}

}  // namespace onnxpress::exec
