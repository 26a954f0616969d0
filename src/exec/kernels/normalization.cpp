// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "exec/kernels/axes.h"
#include "exec/kernels/broadcast.h"
#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

// Optional per-feature factors: a value of the input's type at feature i, or a fallback.
template <class T>
struct Feature {
  const T* values = nullptr;
  std::int64_t count = 1;
  Wide<T> fallback{};
  [[nodiscard]] Wide<T> operator()(std::int64_t i) const {
    return values == nullptr ? fallback : widen(values[count == 1 ? 0 : i]);
  }
};

template <class T>
Feature<T> feature(const KernelContext& c, std::size_t input, std::int64_t size, float fallback) {
  Feature<T> f;
  f.fallback = static_cast<Wide<T>>(fallback);
  if (!c.has_input(input)) return f;
  const TensorView& x = c.input(input);
  if (x.size != size && x.size != 1) {
    throw Error(codes::shape_mismatch,
                fmt::format("input {} has {} elements where {} are needed", input, x.size, size));
  }
  f.values = x.as<T>().data();
  f.count = x.size;
  return f;
}

struct Moments {
  double mean = 0, inverse_deviation = 0;
};

// Over x(0) … x(size - 1). Without centering: of the root mean square.
template <class X>
Moments moments(const X& x, std::int64_t size, bool centered, double epsilon) {
  Moments m;
  const auto n = static_cast<double>(size);
  double sum = 0, squares = 0;
  if (centered) {
    for (std::int64_t i = 0; i < size; ++i) sum += static_cast<double>(x(i));
    m.mean = sum / n;
  }
  for (std::int64_t i = 0; i < size; ++i) {
    const double distance = static_cast<double>(x(i)) - m.mean;
    squares += distance * distance;
  }
  m.inverse_deviation = 1 / std::sqrt(squares / n + epsilon);
  return m;
}

struct NormInputs {
  std::size_t gain = 1, shift = 2;
  bool centered = true;
};

// y = (x - mean) / deviation · gain + shift over the dimensions from `axis` on.
template <class T>
void layer_norm(KernelContext& c, const NormInputs& in) {
  const TensorView& x = c.input(0);
  const std::size_t axis = normalized_axis(c.get_int("axis", -1), x.rank());
  const std::int64_t outer = product(x.dims, 0, axis);
  const std::int64_t size = product(x.dims, axis, x.dims.size());
  const auto gain = feature<T>(c, in.gain, size, 1), shift = feature<T>(c, in.shift, size, 0);
  const double epsilon = static_cast<double>(c.get_float("epsilon", 1e-5F));
  const T* from = x.as<T>().data();
  T* to = c.output<T>(0, x.dims).data();
  Extents statistics(x.dims.size(), 1);
  std::copy_n(x.dims.begin(), axis, statistics.begin());
  float* means = in.centered && c.wants_output(1) ? c.output<float>(1, statistics).data() : nullptr;
  const std::size_t deviation = in.centered ? 2 : 1;
  float* deviations =
      c.wants_output(deviation) ? c.output<float>(deviation, statistics).data() : nullptr;
  c.parallel_for(outer, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* xs = from + row * size;
      T* ys = to + row * size;
      const Moments m =
          moments([&](std::int64_t i) { return widen(xs[i]); }, size, in.centered, epsilon);
      for (std::int64_t i = 0; i < size; ++i) {
        const auto normal = static_cast<Wide<T>>((static_cast<double>(widen(xs[i])) - m.mean) *
                                                 m.inverse_deviation);
        ys[i] = narrow<T>(normal * gain(i) + shift(i));
      }
      if (means != nullptr) means[row] = static_cast<float>(m.mean);
      if (deviations != nullptr) deviations[row] = static_cast<float>(m.inverse_deviation);
    }
  });
}

template <class Body>
void with_floats(KernelContext& c, const Body& body) {
  with_type<float, Half, BFloat16, double>(c.input(0).dtype, body);
}

void layer_normalization(KernelContext& c) {
  with_floats(c, [&]<class T>() { layer_norm<T>(c, {}); });
}
void rms_normalization(KernelContext& c) {
  with_floats(c, [&]<class T>() { layer_norm<T>(c, {.gain = 1, .shift = 99, .centered = false}); });
}

// com.microsoft: y = norm(x + skip + bias). Outputs: y, mean, deviation, x + skip + bias.
template <class T>
void skip_norm(KernelContext& c, bool centered) {
  const TensorView &x = c.input(0), &skip = c.input(1);
  const std::int64_t size = x.dims.back();
  const auto gain = feature<T>(c, 2, size, 1);
  const auto shift = feature<T>(c, centered ? 3 : 99, size, 0);
  const auto bias = feature<T>(c, centered ? 4 : 3, size, 0);
  const double epsilon = static_cast<double>(c.get_float("epsilon", 1e-5F));
  if (skip.size == 0 || x.size % skip.size != 0 || skip.dims.back() != size) {
    throw Error(codes::shape_mismatch,
                fmt::format("{} and {} can't be added", to_string(x.dims), to_string(skip.dims)));
  }
  const T *from = x.as<T>().data(), *skipped = skip.as<T>().data();
  T* to = c.output<T>(0, x.dims).data();
  T* sums = c.wants_output(3) ? c.output<T>(3, x.dims).data() : nullptr;
  const std::int64_t skip_rows = skip.size / size;
  const auto row_sums = c.scratch<Wide<T>>(static_cast<std::size_t>(x.size));
  c.parallel_for(x.size / size, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T *xs = from + row * size, *ss = skipped + row % skip_rows * size;
      Wide<T>* total = row_sums.data() + row * size;
      for (std::int64_t i = 0; i < size; ++i) {
        total[i] = widen(xs[i]) + widen(ss[i]) + bias(i);
        if (sums != nullptr) sums[row * size + i] = narrow<T>(total[i]);
      }
      const Moments m = moments([&](std::int64_t i) { return total[i]; }, size, centered, epsilon);
      for (std::int64_t i = 0; i < size; ++i) {
        const auto normal =
            static_cast<Wide<T>>((static_cast<double>(total[i]) - m.mean) * m.inverse_deviation);
        to[row * size + i] = narrow<T>(normal * gain(i) + shift(i));
      }
    }
  });
}
void skip_layer_normalization(KernelContext& c) {
  with_floats(c, [&]<class T>() { skip_norm<T>(c, true); });
}
void skip_simplified_layer_normalization(KernelContext& c) {
  with_floats(c, [&]<class T>() { skip_norm<T>(c, false); });
}
std::optional<std::string> refuse_statistics(const NodeInfo& info) {
  for (std::size_t i = 1; i < 3 && i < info.node.outputs.size(); ++i) {
    if (info.node.outputs[i] != kNoValue) return "with mean or deviation as outputs";
  }
  return std::nullopt;
}

void require_channels(const TensorView& x) {
  if (x.rank() < 2) throw Error(codes::shape_mismatch, "needs [batch, channels, …]");
}

// Inference: statistics are inputs.
template <class T>
void batch_norm(KernelContext& c) {
  const TensorView& x = c.input(0);
  require_channels(x);
  const AxisView v = around_axis(x.dims, 1);
  const auto gain = feature<T>(c, 1, v.size, 1), shift = feature<T>(c, 2, v.size, 0);
  const auto mean = feature<T>(c, 3, v.size, 0), variance = feature<T>(c, 4, v.size, 1);
  const auto epsilon = static_cast<Wide<T>>(c.get_float("epsilon", 1e-5F));
  const T* from = x.as<T>().data();
  T* to = c.output<T>(0, x.dims).data();
  c.parallel_for(v.outer * v.size, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t channel = row % v.size;
      const Wide<T> factor = gain(channel) / std::sqrt(variance(channel) + epsilon);
      for (std::int64_t i = row * v.inner; i < (row + 1) * v.inner; ++i) {
        to[i] = narrow<T>((widen(from[i]) - mean(channel)) * factor + shift(channel));
      }
    }
  });
}
void batch_normalization(KernelContext& c) {
  with_floats(c, [&]<class T>() { batch_norm<T>(c); });
}
std::optional<std::string> refuse_training(const NodeInfo& info) {
  if (info.node.attributes.get_int("training_mode", 0) == 0 && info.node.outputs.size() == 1) {
    return std::nullopt;
  }
  return "in training mode";
}

// Normalises groups of channels of each sample; gain and shift are one per channel, or (up to opset
// 20) one per group.
template <class T>
void group_norm(KernelContext& c, std::int64_t groups) {
  const TensorView& x = c.input(0);
  require_channels(x);
  const AxisView v = around_axis(x.dims, 1);
  if (groups <= 0 || v.size % groups != 0) {
    throw Error(codes::shape_mismatch, fmt::format("{} channels in {} groups", v.size, groups));
  }
  const std::int64_t channels = v.size / groups, size = channels * v.inner;
  const bool per_group = c.input(1).size == groups && groups != v.size;
  const std::int64_t factors = per_group ? groups : v.size;
  const auto gain = feature<T>(c, 1, factors, 1), shift = feature<T>(c, 2, factors, 0);
  const double epsilon = static_cast<double>(c.get_float("epsilon", 1e-5F));
  const T* from = x.as<T>().data();
  T* to = c.output<T>(0, x.dims).data();
  c.parallel_for(v.outer * groups, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* xs = from + row * size;
      const Moments m = moments([&](std::int64_t i) { return widen(xs[i]); }, size, true, epsilon);
      for (std::int64_t i = 0; i < size; ++i) {
        const std::int64_t group = row % groups;
        const std::int64_t f = per_group ? group : group * channels + i / v.inner;
        const auto normal = static_cast<Wide<T>>((static_cast<double>(widen(xs[i])) - m.mean) *
                                                 m.inverse_deviation);
        to[row * size + i] = narrow<T>(normal * gain(f) + shift(f));
      }
    }
  });
}
void group_normalization(KernelContext& c) {
  with_floats(c,
              [&]<class T>() { group_norm<T>(c, c.node().attributes.require_int("num_groups")); });
}
void instance_normalization(KernelContext& c) {
  require_channels(c.input(0));
  with_floats(c, [&]<class T>() { group_norm<T>(c, c.input(0).dims[1]); });
}

DType norm_type(const NodeInfo& info, std::size_t i) {
  return i == 0 || i == 3 ? info.type(0) : DType::float32;
}

constexpr KernelRow kRows[] = {
    {.op_type = "LayerNormalization",
     .types = kFloats,
     .run = layer_normalization,
     .output_type = norm_type,
     .in_place = 1},
    {.op_type = "RMSNormalization",
     .since = 23,
     .types = kFloats,
     .run = rms_normalization,
     .output_type = norm_type,
     .in_place = 1},
    // ONNX Runtime writes this one into the standard's domain.
    {.op_type = "SimplifiedLayerNormalization",
     .types = kFloats,
     .run = rms_normalization,
     .output_type = norm_type,
     .in_place = 1},
    {.op_type = "SkipLayerNormalization",
     .types = kFloats,
     .run = skip_layer_normalization,
     .refuses = refuse_statistics,
     .output_type = norm_type,
     .domain = kContribDomain},
    {.op_type = "SkipSimplifiedLayerNormalization",
     .types = kFloats,
     .run = skip_simplified_layer_normalization,
     .refuses = refuse_statistics,
     .output_type = norm_type,
     .domain = kContribDomain},
    {.op_type = "BatchNormalization",
     .since = 9,
     .types = kFloats,
     .run = batch_normalization,
     .refuses = refuse_training,
     .in_place = 1},
    {.op_type = "InstanceNormalization",
     .since = 6,
     .types = kFloats,
     .run = instance_normalization},
    {.op_type = "GroupNormalization", .since = 18, .types = kFloats, .run = group_normalization},
};

}  // namespace

KernelRows normalization_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
