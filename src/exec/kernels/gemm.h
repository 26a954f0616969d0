// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/kernel.h"

namespace onnxpress::exec {

// c[m, n] = a[m, k] · b[k, n], dense and row-major; a or b may be stored transposed. The same sums
// in the same order for any number of threads.
template <class T>
struct MatrixProduct {
  std::int64_t m = 0, n = 0, k = 0;
  const T* a = nullptr;
  const T* b = nullptr;
  T* c = nullptr;
  bool a_transposed = false, b_transposed = false;
};

void multiply(KernelContext& context, const MatrixProduct<float>& p);
void multiply(KernelContext& context, const MatrixProduct<double>& p);
// Integers wrap around.
void multiply(KernelContext& context, const MatrixProduct<std::uint32_t>& p);
void multiply(KernelContext& context, const MatrixProduct<std::uint64_t>& p);

}  // namespace onnxpress::exec
