// SPDX-License-Identifier: Apache-2.0
#include "pack/block_codes.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "numerics/matrix.h"

namespace onnxpress {
namespace {

Tensor bytes_tensor(Dims dims, std::vector<std::uint8_t> bytes) {
  return Tensor::of<std::uint8_t>(std::move(dims), std::move(bytes));
}

// Code number i of a row of codes.
std::uint8_t code_at(const std::uint8_t* row, std::int64_t i, int bits) {
  const int in_byte = 8 / bits;
  return static_cast<std::uint8_t>(row[i / in_byte] >> (i % in_byte * bits) & ((1 << bits) - 1));
}

void put_code(std::uint8_t* row, std::int64_t i, int bits, std::uint8_t code) {
  const int in_byte = 8 / bits;
  row[i / in_byte] = static_cast<std::uint8_t>(row[i / in_byte] | code << (i % in_byte * bits));
}

// Two codes of four bits to a byte, in a form that compilers turn into vectors.
void put_nibbles(std::uint8_t* row, std::span<const std::uint8_t> codes) {
  const std::size_t pairs = codes.size() / 2;
  for (std::size_t i = 0; i < pairs; ++i) {
    row[i] = static_cast<std::uint8_t>(codes[2 * i] | codes[2 * i + 1] << 4);
  }
  if (codes.size() % 2 != 0) row[pairs] = codes.back();
}

void put_codes(std::uint8_t* row, std::span<const std::uint8_t> codes, int bits) {
  if (bits == 4) {
    put_nibbles(row, codes);
    return;
  }
  const auto in_byte = static_cast<std::size_t>(8 / bits);
  for (std::size_t at = 0; at < codes.size(); at += in_byte) {
    std::uint8_t byte = 0;
    for (std::size_t i = 0; i < std::min(in_byte, codes.size() - at); ++i) {
      byte =
          static_cast<std::uint8_t>(byte | codes[at + i] << (i * static_cast<std::size_t>(bits)));
    }
    *row++ = byte;
  }
}

}  // namespace

BlockTensors to_blocks(const QuantizedMatrix& matrix) {
  const QuantizedMatrix q = with_layout(matrix, MatrixLayout::out_in);
  const int bits = q.grid.bits;
  const std::int64_t blocks = q.grid.groups(q.in);
  const std::int64_t block_bytes = q.grid.group * bits / 8;
  const std::int64_t zero_bytes = (blocks * bits + 7) / 8;
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(q.out * blocks * block_bytes));
  std::vector<std::uint8_t> zeros(
      static_cast<std::size_t>(q.zero_points.empty() ? 0 : q.out * zero_bytes));
  for (std::int64_t o = 0; o < q.out; ++o) {
    std::uint8_t* row = codes.data() + o * blocks * block_bytes;
    put_codes(row, {q.codes.data() + o * q.in, static_cast<std::size_t>(q.in)}, bits);
    for (std::int64_t b = 0; b < blocks && !q.zero_points.empty(); ++b) {
      put_code(zeros.data() + o * zero_bytes, b, bits,
               q.zero_points[static_cast<std::size_t>(o * blocks + b)]);
    }
  }
  BlockTensors tensors{bytes_tensor({q.out, blocks, block_bytes}, std::move(codes)),
                       Tensor::of<float>({q.out, blocks}, q.scales),
                       {}};
  if (q.grid.float_zeros) {
    tensors.zeros = Tensor::of<float>({q.out, blocks}, q.float_zeros);
  } else if (!q.grid.symmetric) {
    tensors.zeros = bytes_tensor({q.out, zero_bytes}, std::move(zeros));
  }
  return tensors;
}

std::optional<QuantizedMatrix> from_blocks(const Tensor& codes, const Tensor& scales,
                                           const Tensor* zeros, int bits, std::int64_t group,
                                           std::int64_t in, std::int64_t out) {
  const bool whole = bits == 2 || bits == 4 || bits == 8;
  if (!whole || group < 1 || in < 1 || out < 1) return std::nullopt;
  QuantizedMatrix q{{bits, group, zeros == nullptr}, in, out, MatrixLayout::out_in, {}, {}, {}};
  const std::int64_t blocks = q.grid.groups(in);
  const std::int64_t row_bytes = blocks * (group * bits / 8);
  const std::int64_t zero_bytes = (blocks * bits + 7) / 8;
  if (codes.dtype() != DType::uint8 || codes.size() != out * row_bytes) return std::nullopt;
  if (scales.dtype() != DType::float32 || scales.size() != out * blocks) return std::nullopt;
  q.grid.float_zeros = zeros != nullptr && zeros->dtype() == DType::float32;
  if (q.grid.float_zeros) {
    if (bits != 4 || zeros->size() != out * blocks) return std::nullopt;
    const auto points = zeros->as<float>();
    q.float_zeros.assign(points.begin(), points.end());
    zeros = nullptr;
  } else if (zeros != nullptr &&
             (zeros->dtype() != DType::uint8 || zeros->size() != out * zero_bytes)) {
    return std::nullopt;
  }
  const auto values = scales.as<float>();
  q.scales.assign(values.begin(), values.end());
  q.codes.reserve(static_cast<std::size_t>(in * out));
  for (std::int64_t o = 0; o < out; ++o) {
    const std::uint8_t* row = codes.as<std::uint8_t>().data() + o * row_bytes;
    for (std::int64_t i = 0; i < in; ++i) q.codes.push_back(code_at(row, i, bits));
    for (std::int64_t b = 0; b < blocks && zeros != nullptr; ++b) {
      q.zero_points.push_back(code_at(zeros->as<std::uint8_t>().data() + o * zero_bytes, b, bits));
    }
  }
  return q;
}

void import_contrib_operators(Model& model) {
  const auto known = std::ranges::find(model.opsets, kContribDomain, &OpsetImport::domain);
  if (known == model.opsets.end()) model.opsets.push_back({std::string(kContribDomain), 1});
}

}  // namespace onnxpress
