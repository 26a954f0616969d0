// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "ir/tensor.h"

namespace onnxpress {

// These rows (along axis 0) of a tensor of at least rank 1, in this order.
[[nodiscard]] Tensor gather_rows(const Tensor& tensor, std::span<const std::size_t> rows);

[[nodiscard]] std::vector<std::string> names_of(std::span<const NamedTensor> arrays);

}  // namespace onnxpress
