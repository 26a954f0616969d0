// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <limits>

#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"
#include "exec/kernels/windows.h"

namespace onnxpress::exec {
namespace {

// Calls body(output index, image, place) for every output; images are (sample, channel) pairs.
template <class Body>
void each_window(KernelContext& c, const Windows& w, std::int64_t images, const Body& body) {
  const std::int64_t places = product(w.output);
  c.parallel_for(images * places, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; ++at) {
      body(at, at / places, coordinates(at % places, w.output));
    }
  });
}

Windows pool_windows(const KernelContext& c) {
  const TensorView& x = c.input(0);
  if (x.rank() < 3) throw Error(codes::shape_mismatch, "needs [batch, channels, spatial…]");
  return windows(c, Extents(x.dims.span().subspan(2)), Extents(c.ints("kernel_shape")));
}

Extents pooled_dims(const TensorView& x, const Windows& w) {
  Extents dims{x.dims[0], x.dims[1]};
  dims.append(w.output.span());
  return dims;
}

template <class T>
void max_pool(KernelContext& c) {
  const TensorView& x = c.input(0);
  const Windows w = pool_windows(c);
  const Extents dims = pooled_dims(x, w);
  const std::int64_t taps = product(w.kernel), area = product(w.input);
  const bool by_column = c.get_int("storage_order", 0) != 0;
  const T* from = x.as<T>().data();
  T* to = c.output<T>(0, dims).data();
  std::int64_t* places = c.wants_output(1) ? c.output<std::int64_t>(1, dims).data() : nullptr;
  each_window(c, w, x.dims[0] * x.dims[1],
              [&](std::int64_t at, std::int64_t image, const Extents& place) {
                std::int64_t best = -1, best_place = 0;
                for (std::int64_t i = 0; i < taps; ++i) {
                  const Extents tap = coordinates(i, w.kernel);
                  std::int64_t offset = 0, column_offset = 0, stride = 1;
                  bool inside = true;
                  for (std::size_t d = 0; d < tap.size(); ++d) {
                    const std::int64_t position = w.position(d, place[d], tap[d]);
                    inside = inside && position >= 0 && position < w.input[d];
                    offset = offset * w.input[d] + position;
                    column_offset += position * stride;
                    stride *= w.input[d];
                  }
                  if (!inside) continue;
                  const T *challenger = from + image * area + offset,
                          *champion = from + image * area + best;
                  if (best < 0 || widen(*challenger) > widen(*champion)) {
                    best = offset;
                    best_place = by_column ? column_offset : offset;
                  }
                }
                if (best >= 0) {
                  to[at] = from[image * area + best];
                } else if constexpr (std::is_floating_point_v<Wide<T>>) {
                  to[at] = narrow<T>(-std::numeric_limits<Wide<T>>::infinity());
                } else {
                  to[at] = std::numeric_limits<T>::lowest();
                }
                if (places != nullptr) places[at] = image * area + best_place;
              });
}

template <class T>
void average_pool(KernelContext& c) {
  const TensorView& x = c.input(0);
  const Windows w = pool_windows(c);
  const Extents dims = pooled_dims(x, w);
  const std::int64_t taps = product(w.kernel), area = product(w.input);
  const bool count_padding = c.get_int("count_include_pad", 0) != 0;
  const T* from = x.as<T>().data();
  T* to = c.output<T>(0, dims).data();
  each_window(c, w, x.dims[0] * x.dims[1],
              [&](std::int64_t at, std::int64_t image, const Extents& place) {
                double sum = 0;
                std::int64_t count = 0;
                for (std::int64_t i = 0; i < taps; ++i) {
                  const Extents tap = coordinates(i, w.kernel);
                  std::int64_t offset = 0;
                  bool inside = true, padded = true;
                  for (std::size_t d = 0; d < tap.size(); ++d) {
                    const std::int64_t position = w.position(d, place[d], tap[d]);
                    inside = inside && position >= 0 && position < w.input[d];
                    padded = padded && position < w.input[d] + w.after[d];
                    offset = offset * w.input[d] + position;
                  }
                  if (inside) sum += static_cast<double>(widen(from[image * area + offset]));
                  if (inside || (count_padding && padded)) ++count;
                }
                to[at] = narrow<T>(static_cast<Wide<T>>(sum / static_cast<double>(count)));
              });
}

template <class T, class Pool>
void global_pool(KernelContext& c, const Pool& pool) {
  const TensorView& x = c.input(0);
  if (x.rank() < 2) throw Error(codes::shape_mismatch, "needs [batch, channels, …]");
  Extents dims(x.dims.size(), 1);
  dims[0] = x.dims[0];
  dims[1] = x.dims[1];
  const std::int64_t size = product(x.dims, 2, x.dims.size());
  const T* from = x.as<T>().data();
  const auto to = c.output<T>(0, dims);
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = narrow<T>(pool(from + static_cast<std::int64_t>(i) * size, size));
  }
}

void max_pool(KernelContext& c) {
  with_type<float, Half, double, std::int8_t, std::uint8_t>(c.input(0).dtype,
                                                            [&]<class T>() { max_pool<T>(c); });
}
void average_pool(KernelContext& c) {
  with_type<float, Half, double>(c.input(0).dtype, [&]<class T>() { average_pool<T>(c); });
}
void global_average_pool(KernelContext& c) {
  with_type<float, Half, double>(c.input(0).dtype, [&]<class T>() {
    global_pool<T>(c, [](const T* x, std::int64_t size) {
      double sum = 0;
      for (std::int64_t i = 0; i < size; ++i) sum += static_cast<double>(widen(x[i]));
      return static_cast<Wide<T>>(sum / static_cast<double>(size));
    });
  });
}
void global_max_pool(KernelContext& c) {
  with_type<float, Half, double>(c.input(0).dtype, [&]<class T>() {
    global_pool<T>(c, [](const T* x, std::int64_t size) {
      Wide<T> best = -std::numeric_limits<Wide<T>>::infinity();
      for (std::int64_t i = 0; i < size; ++i) best = std::max(best, widen(x[i]));
      return best;
    });
  });
}

DType max_pool_type(const NodeInfo& info, std::size_t i) {
  return i == 0 ? info.type(0) : DType::int64;
}

constexpr TypeSet kPooled{DType::float32, DType::float16, DType::float64};
constexpr TypeSet kMaxPooled = kPooled | TypeSet{DType::int8, DType::uint8};

constexpr KernelRow kRows[] = {
    {.op_type = "MaxPool", .types = kMaxPooled, .run = max_pool, .output_type = max_pool_type},
    {.op_type = "AveragePool", .types = kPooled, .run = average_pool},
    {.op_type = "GlobalAveragePool", .types = kPooled, .run = global_average_pool},
    {.op_type = "GlobalMaxPool", .types = kPooled, .run = global_max_pool},
};

}  // namespace

KernelRows pooling_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
