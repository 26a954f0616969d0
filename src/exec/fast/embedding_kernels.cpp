// SPDX-License-Identifier: Apache-2.0
// Rows of a table that is kept in 8 bits.
#include <fmt/format.h>

#include <array>

#include "base/error_codes.h"
#include "exec/fast/fast_kernels.h"
#include "exec/fusion/fused_ops.h"

namespace onnxpress::exec::fast {
namespace {

std::optional<std::string> refuses(const NodeInfo& info) {
  const Tensor* codes = info.constant(0);
  if (codes == nullptr || codes->rank() != 2) return "a table that is no constant matrix";
  const std::int64_t rows = codes->dims()[0];
  for (std::size_t i = 1; i < 3; ++i) {
    if (!info.has_input(i)) continue;
    const Tensor* per_row = info.constant(i);
    if (per_row == nullptr || (per_row->size() != 1 && per_row->size() != rows) ||
        per_row->dtype() != (i == 1 ? DType::float32 : codes->dtype())) {
      return "scales or zero points that are no constants, one a row";
    }
  }
  return std::nullopt;
}

template <class Code, class Index>
void gather(KernelContext& c) {
  const TensorView& table = c.input(0);
  const TensorView& indices = c.input(3);
  const std::int64_t rows = table.dims[0];
  const std::int64_t width = table.dims[1];
  const auto codes = table.as<Code>();
  const auto scales = c.input(1).as<float>();
  const auto zeros = c.has_input(2) ? c.input(2).as<Code>() : std::span<const Code>{};
  const auto wanted = indices.as<Index>();
  for (const Index index : wanted) {
    if (index < -rows || index >= rows) {
      throw Error(codes::shape_mismatch,
                  fmt::format("index {} into a table of {} rows", index, rows));
    }
  }
  Extents dims = indices.dims;
  dims.push_back(width);
  float* y = c.output<float>(0, dims).data();
  c.parallel_for(indices.size, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::int64_t row = wanted[static_cast<std::size_t>(i)];
      if (row < 0) row += rows;
      const auto at = static_cast<std::size_t>(row);
      const float scale = scales.size() == 1 ? scales[0] : scales[at];
      const int zero = zeros.empty() ? 0 : zeros.size() == 1 ? zeros[0] : zeros[at];
      const Code* from = codes.data() + row * width;
      float* to = y + i * width;
      for (std::int64_t j = 0; j < width; ++j) {
        to[j] = static_cast<float>(from[j] - zero) * scale;
      }
    }
  });
}

void run(KernelContext& c) {
  const bool is_signed = c.input(0).dtype == DType::int8;
  if (c.input(3).dtype == DType::int64) {
    is_signed ? gather<std::int8_t, std::int64_t>(c) : gather<std::uint8_t, std::int64_t>(c);
  } else {
    is_signed ? gather<std::int8_t, std::int32_t>(c) : gather<std::uint8_t, std::int32_t>(c);
  }
}

constexpr std::array kRows{KernelRow{.op_type = fused::kGatherDequantized,
                                     .types = {DType::int8, DType::uint8},
                                     .run = run,
                                     .refuses = refuses,
                                     .output_type = always<DType::float32>,
                                     .domain = kFusedDomain}};

}  // namespace

KernelRows embedding_rows() {
  return kRows;
}

}  // namespace onnxpress::exec::fast
