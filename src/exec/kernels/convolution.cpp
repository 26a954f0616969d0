// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "base/error_codes.h"
#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"
#include "exec/kernels/gemm.h"
#include "exec/kernels/windows.h"
#include "exec/memory_size.h"

namespace onnxpress::exec {
namespace {

// One matrix for a group of channels of a sample: row = channel and tap, column = output place.
template <class T>
void unfold(KernelContext& c, const Windows& w, const T* from, std::int64_t channels,
            std::span<Wide<T>> to) {
  const std::int64_t places = product(w.output), taps = product(w.kernel), area = product(w.input);
  c.parallel_for(channels * taps, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* image = from + row / taps * area;
      const Extents tap = coordinates(row % taps, w.kernel);
      for (std::int64_t place = 0; place < places; ++place) {
        const Extents at = coordinates(place, w.output);
        std::int64_t offset = 0;
        bool inside = true;
        for (std::size_t d = 0; d < at.size(); ++d) {
          const std::int64_t position = w.position(d, at[d], tap[d]);
          inside = inside && position >= 0 && position < w.input[d];
          offset = offset * w.input[d] + position;
        }
        to[static_cast<std::size_t>(row * places + place)] =
            inside ? widen(image[offset]) : Wide<T>{};
      }
    }
  });
}

template <class T>
void convolve(KernelContext& c) {
  using W = Wide<T>;
  const TensorView &x = c.input(0), &weight = c.input(1);
  const std::int64_t groups = c.get_int("group", 1);
  const bool ranks_fit = x.rank() >= 3 && weight.rank() == x.rank() && groups >= 1;
  if (!ranks_fit || x.dims[1] != weight.dims[1] * groups || weight.dims[0] % groups != 0) {
    throw Error(codes::shape_mismatch,
                fmt::format("weights of shape {} in {} groups over {}", to_string(weight.dims),
                            groups, to_string(x.dims)));
  }
  const Windows w =
      windows(c, Extents(x.dims.span().subspan(2)), Extents(weight.dims.span().subspan(2)));
  const std::int64_t filters = weight.dims[0] / groups, channels = weight.dims[1];
  Extents dims{x.dims[0], weight.dims[0]};
  dims.append(w.output.span());
  static_cast<void>(memory_size(x.dtype, dims));
  const std::int64_t depth = channels * product(w.kernel), places = product(w.output);
  static_cast<void>(memory_size(DType::float64, {depth, places}));
  if (c.has_input(2) && c.input(2).size != weight.dims[0]) {
    throw Error(codes::shape_mismatch, "one bias per filter is needed");
  }
  const T* bias = c.has_input(2) ? c.input(2).as<T>().data() : nullptr;
  const auto columns = c.scratch<W>(static_cast<std::size_t>(depth * places));
  const auto weights = c.scratch<W>(static_cast<std::size_t>(weight.size));
  const auto products = c.scratch<W>(static_cast<std::size_t>(filters * places));
  std::ranges::transform(weight.as<T>(), weights.begin(), [](T e) { return widen(e); });
  T* to = c.output<T>(0, dims).data();
  for (std::int64_t image = 0; image < x.dims[0] * groups; ++image) {
    const std::int64_t group = image % groups;
    unfold(c, w, x.as<T>().data() + image * channels * product(w.input), channels, columns);
    multiply(c, MatrixProduct<W>{.m = filters,
                                 .n = places,
                                 .k = depth,
                                 .a = weights.data() + group * filters * depth,
                                 .b = columns.data(),
                                 .c = products.data()});
    for (std::int64_t i = 0; i < filters * places; ++i) {
      const W shift = bias == nullptr ? W{} : widen(bias[group * filters + i / places]);
      to[image * filters * places + i] = narrow<T>(products[static_cast<std::size_t>(i)] + shift);
    }
  }
}

void conv(KernelContext& c) {
  with_type<float, Half, BFloat16, double>(c.input(0).dtype, [&]<class T>() { convolve<T>(c); });
}

constexpr KernelRow kRows[] = {
    {.op_type = "Conv", .types = kFloats, .run = conv},
};

}  // namespace

KernelRows convolution_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
