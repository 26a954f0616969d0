// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/kernel.h"
#include "exec/kernels/broadcast.h"

namespace onnxpress::exec::fast {

// out = a + b, where both broadcast to `dims`. For the rare sums that are not element by element.
void add(ThreadPool& pool, const float* a, const Extents& a_dims, const TensorView& b, float* out,
         const Extents& dims);

// Runs `multiply`, which writes a product of sizes `dims` to `product` and adds `residual` to it if
// that is not null. Input `i`, if there is one, is the residual; where its sizes differ from the
// product's, it is added afterwards.
template <class Multiply>
void run_with_residual(KernelContext& c, std::size_t i, const Extents& dims, const float*& residual,
                       float*& product_data, const Multiply& multiply) {
  if (!c.has_input(i) || c.input(i).dims == dims) {
    if (c.has_input(i)) residual = c.input(i).as<float>().data();
    product_data = c.output<float>(0, dims).data();
    return multiply();
  }
  const TensorView& other = c.input(i);
  const Extents sum_dims = broadcast_shape(dims, other.dims);
  product_data = c.scratch<float>(static_cast<std::size_t>(product(dims))).data();
  multiply();
  add(c.pool(), product_data, dims, other, c.output<float>(0, sum_dims).data(), sum_dims);
}

}  // namespace onnxpress::exec::fast
