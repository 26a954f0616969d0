// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/error_codes.h"
#include "exec/kernels/block_codes.h"
#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"
#include "exec/kernels/gemm.h"
#include "exec/kernels/indices.h"

namespace onnxpress::exec {
namespace {

struct DequantizedWeight : KernelState {
  std::vector<float> values;  // [k, n]
  std::int64_t k = 0, n = 0;
};

std::optional<std::string> refuses_product(const NodeInfo& info) {
  if (info.has_input(4)) return "g_idx, an order of the inputs, is not supported";
  return why_not_blocks(info.node, info.constant(1), info.constant(2),
                        info.has_input(3) ? info.constant(3) : nullptr, info.has_input(3));
}

std::unique_ptr<KernelState> prepare_product(const NodeInfo& info) {
  auto state = std::make_unique<DequantizedWeight>();
  state->k = info.node.attributes.get_int("K", 0);
  state->n = info.node.attributes.get_int("N", 0);
  state->values =
      dequantize_blocks(info.node, *info.constant(1), *info.constant(2), info.constant(3));
  return state;
}

void matmul_nbits(KernelContext& c) {
  const auto& w = c.state<DequantizedWeight>();
  const TensorView& x = c.input(0);
  if (x.rank() < 1 || x.dims.back() != w.k) {
    throw Error(codes::shape_mismatch, fmt::format("an input of shape {} for a weight of {} rows",
                                                   to_string(x.dims), w.k));
  }
  Extents dims(x.dims.span().first(x.dims.size() - 1));
  const std::int64_t rows = product(dims);
  dims.append(std::span(&w.n, 1));
  const auto y = c.output<float>(0, dims);
  multiply(c, MatrixProduct<float>{.m = rows,
                                   .n = w.n,
                                   .k = w.k,
                                   .a = x.as<float>().data(),
                                   .b = w.values.data(),
                                   .c = y.data()});
  if (!c.has_input(5)) return;
  const auto bias = c.input(5).as<float>();
  for (std::int64_t i = 0; i < rows * w.n; ++i) {
    y[static_cast<std::size_t>(i)] += bias[static_cast<std::size_t>(i % w.n)];
  }
}

// A table of codes, two to a byte where they have 4 bits, with blocks along the last axis. Products
// are those of floats, rounded to the type of the scales.
template <class Scale>
void gather_rows(KernelContext& c) {
  const TensorView &table = c.input(0), &where = c.input(1), &scales = c.input(2);
  const int bits = static_cast<int>(c.get_int("bits", 4));
  const std::int64_t block = c.get_int("block_size", 128);
  const std::int64_t stored = table.dims[1];
  const std::int64_t width = bits == 4 ? stored * 2 : stored;
  const std::int64_t blocks = (width + block - 1) / block;
  const std::int64_t zero_bytes = (blocks * bits + 7) / 8;
  const bool zeros = c.has_input(3);
  if (scales.size != table.dims[0] * blocks ||
      (zeros && c.input(3).size != table.dims[0] * zero_bytes)) {
    throw Error(codes::shape_mismatch,
                fmt::format("scales of shape {} for a table of {} in blocks of {}",
                            to_string(scales.dims), to_string(table.dims), block));
  }
  const auto indices = checked_indices(c, where, table.dims[0]);
  Extents dims(where.dims.span());
  dims.append(std::span(&width, 1));
  const auto y = c.output<Scale>(0, dims);
  const auto code = [&](const std::uint8_t* row, std::int64_t i) {
    return bits == 8 ? row[i] : row[i / 2] >> (i % 2 * 4) & 15;
  };
  const auto* codes = table.as<std::uint8_t>().data();
  const std::uint8_t* points = zeros ? c.input(3).as<std::uint8_t>().data() : nullptr;
  const Scale* factors = scales.as<Scale>().data();
  c.parallel_for(
      static_cast<std::int64_t>(indices.size()), 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t at = begin; at < end; ++at) {
          const std::int64_t row = indices[static_cast<std::size_t>(at)];
          Scale* to = y.data() + at * width;
          for (std::int64_t i = 0; i < width; ++i) {
            const std::int64_t b = i / block;
            const int zero = zeros ? code(points + row * zero_bytes, b) : 1 << (bits - 1);
            to[i] = narrow<Scale>(static_cast<float>(code(codes + row * stored, i) - zero) *
                                  widen(factors[row * blocks + b]));
          }
        }
      });
}

void gather_block_quantized(KernelContext& c) {
  if (c.input(2).dtype == DType::float16) {
    gather_rows<Half>(c);
  } else {
    gather_rows<float>(c);
  }
}

std::optional<std::string> refuses_table(const NodeInfo& info) {
  const Attributes& a = info.node.attributes;
  const std::int64_t bits = a.get_int("bits", 4);
  if (bits != 4 && bits != 8) return fmt::format("{} bits", bits);
  if (a.get_int("gather_axis", 0) != 0) return "rows are looked up only along axis 0";
  const std::int64_t axis = a.get_int("quantize_axis", 1);
  if (axis != 1 && axis != -1) return "blocks lie only along axis 1";
  if (a.get_int("block_size", 128) < 1) return "the blocks have no size";
  if (info.type(2) != DType::float32 && info.type(2) != DType::float16) {
    return "scales are only of float32 and float16";
  }
  const Tensor* table = info.constant(0);
  if (table != nullptr && table->rank() != 2) return "the table has not two dimensions";
  if (table == nullptr) return "the table is not constant";
  return std::nullopt;
}

DType type_of_scales(const NodeInfo& info, std::size_t /*output*/) {
  return info.type(2);
}

constexpr KernelRow kRows[] = {
    {.op_type = "MatMulNBits",
     .types = {DType::float32},
     .run = matmul_nbits,
     .refuses = refuses_product,
     .prepare = prepare_product,
     .domain = kContribDomain},
    {.op_type = "GatherBlockQuantized",
     .types = {DType::uint8},
     .run = gather_block_quantized,
     .refuses = refuses_table,
     .output_type = type_of_scales,
     .domain = kContribDomain},
};

}  // namespace

KernelRows block_quantized_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
