// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "exec/fast/fast_kernels.h"
#include "exec/fast/products.h"

namespace onnxpress::exec::fast {
namespace {

void run_dynamic(KernelContext& c) {
  const TensorView& x = c.input(0);
  const float* from = x.as<float>().data();
  std::uint8_t* codes = c.output<std::uint8_t>(0, x.dims).data();
  const DynamicRange range =
      quantize_dynamically(level(c.instruction_set()), c.pool(), from, x.size, codes);
  if (c.wants_output(1)) c.output<float>(1, {})[0] = range.scale;
  if (c.wants_output(2)) c.output<std::uint8_t>(2, {})[0] = range.zero_point;
}

DType dynamic_type(const NodeInfo& /*info*/, std::size_t output) {
  return output == 1 ? DType::float32 : DType::uint8;
}

constexpr std::array kRows{KernelRow{.op_type = "DynamicQuantizeLinear",
                                     .types = kFloat32,
                                     .run = run_dynamic,
                                     .output_type = dynamic_type}};

}  // namespace

KernelRows quantization_rows() {
  return kRows;
}

}  // namespace onnxpress::exec::fast
