// SPDX-License-Identifier: Apache-2.0
#include "numerics/weight_ref.h"

#include <cstring>

#include "base/half.h"

namespace onnxpress {

void read_weights(const WeightRef& w, std::int64_t begin, std::span<float> values) {
  const std::byte* data = w.data + begin * bytes_of(w.type);
  if (w.type == FloatType::float32) {
    std::memcpy(values.data(), data, values.size_bytes());
    return;
  }
  const auto* halves = reinterpret_cast<const std::uint16_t*>(data);
  if (w.type == FloatType::float16) {
    half_to_float({halves, values.size()}, values);
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = bfloat16_to_float(halves[i]);
}

WeightRef weight_ref(std::span<const float> values, std::int64_t in, std::int64_t out,
                     MatrixLayout layout) {
  return {reinterpret_cast<const std::byte*>(values.data()), FloatType::float32, in, out, layout};
}

}  // namespace onnxpress
