// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace onnxpress {

// How a matrix that maps `in` numbers to `out` lies in memory, row by row.
enum class MatrixLayout {
  in_out,  // [in, out]: the weight of a MatMul
  out_in,  // [out, in]: the weight of a Gemm with transB; an embedding table, whose rows are
           // outputs
};

enum class FloatType { float32, float16, bfloat16 };
[[nodiscard]] constexpr std::int64_t bytes_of(FloatType type) {
  return type == FloatType::float32 ? 4 : 2;
}

// A weight matrix that somebody else owns, as the model stores it. `data` holds in × out elements
// at any address.
struct WeightRef {
  const std::byte* data = nullptr;
  FloatType type = FloatType::float32;
  std::int64_t in = 0;
  std::int64_t out = 0;
  MatrixLayout layout = MatrixLayout::in_out;

  // Rows and columns as stored.
  [[nodiscard]] std::int64_t rows() const { return layout == MatrixLayout::in_out ? in : out; }
  [[nodiscard]] std::int64_t columns() const { return layout == MatrixLayout::in_out ? out : in; }
};

// A float at any address.
using UnalignedFloat [[gnu::aligned(1)]] = float;

// Elements [begin, begin + values.size()) in the order of storage, as float.
void read_weights(const WeightRef& w, std::int64_t begin, std::span<float> values);

// The same, where they lie or, if they must be converted, in `buffer` [count].
[[nodiscard]] const UnalignedFloat* floats_at(const WeightRef& w, std::int64_t begin,
                                              std::int64_t count, float* buffer);

// A view of floats, e.g. for tests. values.size() must be in × out.
[[nodiscard]] WeightRef weight_ref(std::span<const float> values, std::int64_t in, std::int64_t out,
                                   MatrixLayout layout = MatrixLayout::in_out);

}  // namespace onnxpress
