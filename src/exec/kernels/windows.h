// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/kernel.h"

namespace onnxpress::exec {

// How a window slides over the spatial dimensions of [batch, channels, spatial…].
struct Windows {
  Extents input, kernel, output;  // spatial sizes
  Extents strides, dilations;
  Extents before, after;  // padding
  // Where tap `tap` of the window at `place` lies along dimension d; outside [0, input[d]) it is
  // padding.
  [[nodiscard]] std::int64_t position(std::size_t d, std::int64_t place, std::int64_t tap) const {
    return place * strides[d] - before[d] + tap * dilations[d];
  }
};

// From the attributes strides, dilations, pads, auto_pad and ceil_mode. Throws Error
// (shape_mismatch, attribute_malformed).
[[nodiscard]] Windows windows(const KernelContext& c, const Extents& input, const Extents& kernel);

// Splits a number into the coordinates of an element of `dims`.
[[nodiscard]] inline Extents coordinates(std::int64_t at, const Extents& dims) {
  Extents all(dims.size(), 0);
  for (std::size_t d = dims.size(); d-- > 0;) {
    all[d] = at % dims[d];
    at /= dims[d];
  }
  return all;
}

}  // namespace onnxpress::exec
