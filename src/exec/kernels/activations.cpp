// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <numbers>

#include "exec/kernels/elementwise.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

template <class Apply>
void map_floats(KernelContext& c, const Apply& apply) {
  with_type<float, Half, BFloat16, double>(c.input(0).dtype,
                                           [&]<class T>() { map_elements<T>(c, apply); });
}

template <class T>
T logistic(T x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}
template <class T>
T log_one_plus_exp(T x) {
  return std::max(x, T{0}) + std::log1p(std::exp(-std::fabs(x)));
}

void relu(KernelContext& c) {
  with_type<float, Half, BFloat16, double, std::int64_t, std::int32_t, std::int16_t, std::int8_t>(
      c.input(0).dtype,
      [&]<class T>() { map_elements<T>(c, []<class W>(W x) { return x < W{0} ? W{0} : x; }); });
}

void sigmoid(KernelContext& c) {
  map_floats(c, [](auto x) { return logistic(x); });
}

void gelu(KernelContext& c) {
  const std::string approximate = c.node().attributes.get_string("approximate", "none");
  if (approximate == "tanh") {
    map_floats(c, []<class T>(T x) {
      const T scale = static_cast<T>(std::numbers::sqrt2 * std::numbers::inv_sqrtpi);
      return x / 2 * (1 + std::tanh(scale * (x + static_cast<T>(0.044715) * x * x * x)));
    });
  } else {
    map_floats(c, []<class T>(T x) {
      return x / 2 * (1 + std::erf(x * static_cast<T>(1 / std::numbers::sqrt2)));
    });
  }
}

void leaky_relu(KernelContext& c) {
  const float alpha = c.get_float("alpha", 0.01F);
  map_floats(c, [=]<class T>(T x) { return x < 0 ? static_cast<T>(alpha) * x : x; });
}
void thresholded_relu(KernelContext& c) {
  const float alpha = c.get_float("alpha", 1.0F);
  map_floats(c, [=]<class T>(T x) { return x > static_cast<T>(alpha) ? x : T{0}; });
}
void elu(KernelContext& c) {
  const float alpha = c.get_float("alpha", 1.0F);
  map_floats(c, [=]<class T>(T x) { return x < 0 ? static_cast<T>(alpha) * std::expm1(x) : x; });
}
void celu(KernelContext& c) {
  const float alpha = c.get_float("alpha", 1.0F);
  map_floats(c, [=]<class T>(T x) {
    const T a = static_cast<T>(alpha);
    return std::max(T{0}, x) + std::min(T{0}, a * std::expm1(x / a));
  });
}
void selu(KernelContext& c) {
  const float alpha = c.get_float("alpha", 1.67326319217681884765625F);
  const float gamma = c.get_float("gamma", 1.05070102214813232421875F);
  map_floats(c, [=]<class T>(T x) {
    const T g = static_cast<T>(gamma);
    return x <= 0 ? g * static_cast<T>(alpha) * std::expm1(x) : g * x;
  });
}
void hard_sigmoid(KernelContext& c) {
  const float alpha = c.get_float("alpha", 0.2F), beta = c.get_float("beta", 0.5F);
  map_floats(c, [=]<class T>(T x) {
    return std::max(T{0}, std::min(T{1}, static_cast<T>(alpha) * x + static_cast<T>(beta)));
  });
}
void hard_swish(KernelContext& c) {
  map_floats(c, []<class T>(T x) {
    return x * std::max(T{0}, std::min(T{1}, x / static_cast<T>(6) + static_cast<T>(0.5)));
  });
}
void swish(KernelContext& c) {
  const float alpha = c.get_float("alpha", 1.0F);
  map_floats(c, [=]<class T>(T x) { return x * logistic(static_cast<T>(alpha) * x); });
}
void softplus(KernelContext& c) {
  map_floats(c, [](auto x) { return log_one_plus_exp(x); });
}
void softsign(KernelContext& c) {
  map_floats(c, [](auto x) { return x / (1 + std::fabs(x)); });
}
void mish(KernelContext& c) {
  map_floats(c, [](auto x) { return x * std::tanh(log_one_plus_exp(x)); });
}

struct LeakySlope {
  template <class T>
  static T apply(T x, T slope) {
    return x < 0 ? x * slope : x;
  }
};
void prelu(KernelContext& c) {
  with_type<float, Half, BFloat16, double>(c.input(0).dtype,
                                           [&]<class T>() { binary<LeakySlope, T>(c); });
}

template <class T>
T bound(KernelContext& c, std::size_t input, T fallback) {
  return c.has_input(input) ? c.input(input).as<T>().front() : fallback;
}

// Bounds are attributes up to opset 10 and inputs since.
void clip(KernelContext& c) {
  with_type<float, Half, BFloat16, double, std::int64_t, std::int32_t, std::int16_t, std::int8_t,
            std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t>(
      c.input(0).dtype, [&]<class T>() {
        using W = Wide<T>;
        W low = std::numeric_limits<W>::lowest(), high = std::numeric_limits<W>::max();
        if constexpr (std::is_floating_point_v<W>) {
          low = -std::numeric_limits<W>::infinity();
          high = std::numeric_limits<W>::infinity();
        }
        if (c.opset() < 11) {
          if (c.node().attributes.has("min")) low = static_cast<W>(c.get_float("min", 0));
          if (c.node().attributes.has("max")) high = static_cast<W>(c.get_float("max", 0));
        } else {
          if (c.has_input(1) && c.input(1).size == 1) low = widen(bound<T>(c, 1, T{}));
          if (c.has_input(2) && c.input(2).size == 1) high = widen(bound<T>(c, 2, T{}));
        }
        map_elements<T>(c, [=](W x) { return std::min(high, x < low ? low : x); });
      });
}

// Dropout as it is in inference: nothing is dropped.
void dropout(KernelContext& c) {
  const TensorView& x = c.input(0);
  c.alias_output(0, 0, x.dims);
  if (c.wants_output(1)) std::ranges::fill(c.output<bool>(1, x.dims), true);
}

DType dropout_type(const NodeInfo& info, std::size_t i) {
  return i == 0 ? info.type(0) : DType::boolean;
}

std::optional<std::string> refuse_training(const NodeInfo& info) {
  if (!info.has_input(2)) return std::nullopt;
  const Tensor* training = info.constant(2);
  if (training != nullptr && training->to_int64s().at(0) == 0) return std::nullopt;
  return "in training mode";
}

constexpr KernelRow kRows[] = {
    {.op_type = "Relu", .since = 6, .types = kFloats | kSigned, .run = relu, .in_place = 1},
    {.op_type = "Sigmoid", .since = 6, .types = kFloats, .run = sigmoid, .in_place = 1},
    {.op_type = "Gelu", .since = 20, .types = kFloats, .run = gelu, .in_place = 1},
    {.op_type = "LeakyRelu", .since = 6, .types = kFloats, .run = leaky_relu, .in_place = 1},
    {.op_type = "ThresholdedRelu",
     .since = 10,
     .types = kFloats,
     .run = thresholded_relu,
     .in_place = 1},
    {.op_type = "Elu", .since = 6, .types = kFloats, .run = elu, .in_place = 1},
    {.op_type = "Celu", .since = 12, .types = kFloats, .run = celu, .in_place = 1},
    {.op_type = "Selu", .since = 6, .types = kFloats, .run = selu, .in_place = 1},
    {.op_type = "HardSigmoid", .since = 6, .types = kFloats, .run = hard_sigmoid, .in_place = 1},
    {.op_type = "HardSwish", .since = 14, .types = kFloats, .run = hard_swish, .in_place = 1},
    {.op_type = "Swish", .since = 24, .types = kFloats, .run = swish, .in_place = 1},
    {.op_type = "Softplus", .types = kFloats, .run = softplus, .in_place = 1},
    {.op_type = "Softsign", .types = kFloats, .run = softsign, .in_place = 1},
    {.op_type = "Mish", .since = 18, .types = kFloats, .run = mish, .in_place = 1},
    {.op_type = "PRelu", .since = 9, .types = kFloats, .run = prelu, .in_place = 1},
    {.op_type = "Clip", .since = 6, .types = kNumbers, .run = clip, .in_place = 1},
    {.op_type = "Dropout",
     .since = 7,
     .types = kFloats,
     .run = dropout,
     .refuses = refuse_training,
     .output_type = dropout_type,
     .aliases = true},
};

}  // namespace

KernelRows activation_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
