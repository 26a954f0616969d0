// SPDX-License-Identifier: Apache-2.0
#include "exec/fast/fast_kernels.h"

#include <array>

namespace onnxpress::exec {

std::span<const KernelRows> fast_kernels() {
  static const std::array kRows{
      fast::product_rows(),      fast::integer_product_rows(), fast::dynamic_product_rows(),
      fast::quantization_rows(), fast::normalization_rows(),   fast::activation_rows(),
      fast::attention_rows(),    fast::embedding_rows(),
  };
  return kRows;
}

}  // namespace onnxpress::exec
