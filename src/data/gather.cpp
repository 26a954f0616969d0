// SPDX-License-Identifier: Apache-2.0
#include "data/gather.h"

#include <cstring>

namespace onnxpress {

Tensor gather_rows(const Tensor& tensor, std::span<const std::size_t> rows) {
  Dims dims = tensor.dims();
  const std::size_t row_bytes =
      dims[0] == 0 ? 0 : tensor.bytes().size() / static_cast<std::size_t>(dims[0]);
  dims[0] = static_cast<std::int64_t>(rows.size());
  std::vector<std::byte> bytes(rows.size() * row_bytes);
  for (std::size_t i = 0; i < rows.size() && row_bytes > 0; ++i) {
    std::memcpy(&bytes[i * row_bytes], &tensor.bytes()[rows[i] * row_bytes], row_bytes);
  }
  return Tensor::from_bytes(tensor.dtype(), std::move(dims), std::move(bytes));
}

std::vector<std::string> names_of(std::span<const NamedTensor> arrays) {
  std::vector<std::string> names;
  for (const NamedTensor& array : arrays) names.push_back(array.name);
  return names;
}

}  // namespace onnxpress
