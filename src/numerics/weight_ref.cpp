// SPDX-License-Identifier: Apache-2.0
#include "numerics/weight_ref.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/half.h"

namespace onnxpress {

void read_weights(const WeightRef& w, std::int64_t begin, std::span<float> values) {
  const std::byte* data = w.data + begin * bytes_of(w.type);
  if (w.type == FloatType::float32) {
    std::memcpy(values.data(), data, values.size_bytes());
    return;
  }
  std::array<std::uint16_t, 256> halves;
  while (!values.empty()) {
    const std::size_t count = std::min(values.size(), halves.size());
    std::memcpy(halves.data(), data, count * sizeof(std::uint16_t));
    if (w.type == FloatType::float16) {
      half_to_float(std::span(halves).first(count), values.first(count));
    } else {
      std::transform(halves.begin(), halves.begin() + count, values.begin(), bfloat16_to_float);
    }
    data += count * sizeof(std::uint16_t);
    values = values.subspan(count);
  }
}

const UnalignedFloat* floats_at(const WeightRef& w, std::int64_t begin, std::int64_t count,
                                float* buffer) {
  if (w.type == FloatType::float32) {
    return reinterpret_cast<const UnalignedFloat*>(w.data + begin * bytes_of(w.type));
  }
  read_weights(w, begin, {buffer, static_cast<std::size_t>(count)});
  return buffer;
}

WeightRef weight_ref(std::span<const float> values, std::int64_t in, std::int64_t out,
                     MatrixLayout layout) {
  return {reinterpret_cast<const std::byte*>(values.data()), FloatType::float32, in, out, layout};
}

}  // namespace onnxpress
