// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <functional>

#include "exec/fast/products.h"

namespace onnxpress::exec::fast {

DynamicRange dynamic_range(float min, float max) {
  min = std::min(min, 0.0F);
  max = std::max(max, 0.0F);
  DynamicRange range;
  if (max > min) range.scale = (max - min) / 255.0F;
  const float zero = std::nearbyint(std::clamp(-min / range.scale, 0.0F, 255.0F));
  range.zero_point = static_cast<std::uint8_t>(zero);
  return range;
}

DynamicRange quantize_dynamically(const Level& level, ThreadPool& pool, const float* x,
                                  std::int64_t count, std::uint8_t* codes) {
  // A fixed number of parts, so that no memory is needed.
  constexpr std::int64_t kParts = 64;
  const std::int64_t part = std::max<std::int64_t>(4096, (count + kParts - 1) / kParts);
  float low[kParts] = {};
  float high[kParts] = {};
  const auto find = [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; begin += part) {
      const std::int64_t size = std::min(part, end - begin);
      level.min_max(x + begin, size, &low[begin / part], &high[begin / part]);
    }
  };
  pool.parallel_for(count, part, std::cref(find));
  const DynamicRange range =
      dynamic_range(*std::min_element(low, low + kParts), *std::max_element(high, high + kParts));
  const auto quantize = [&](std::int64_t begin, std::int64_t end) {
    level.quantize(x + begin, end - begin, range.scale, range.zero_point, codes + begin);
  };
  pool.parallel_for(count, part, std::cref(quantize));
  return range;
}

}  // namespace onnxpress::exec::fast
