// SPDX-License-Identifier: Apache-2.0
#include "exec/tensor_view.h"

#include <fmt/format.h>

#include "base/error_codes.h"

namespace onnxpress {

void Extents::throw_too_long() {
  throw Error(codes::unsupported_model,
              fmt::format("tensors of more than {} dimensions can't be run", kMaxRank));
}

std::string to_string(const Extents& extents) {
  return to_string(extents.dims());
}

void TensorView::throw_type(DType wanted) const {
  throw Error(codes::internal_error,
              fmt::format("a {} tensor was read as {}", name(dtype), name(wanted)));
}

TensorView view(const Tensor& tensor) {
  return {tensor.dtype(), Extents(tensor.dims()), tensor.size(), tensor.aligned_bytes().data()};
}

}  // namespace onnxpress
