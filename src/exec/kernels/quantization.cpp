// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "exec/kernels/axes.h"
#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"
#include "exec/kernels/rounding.h"

namespace onnxpress::exec {
namespace {

// Which scale and zero point an element has: one for all, one for each place along an axis, or one
// for each block of `block` places along it.
struct Grid {
  AxisView v;
  std::int64_t block = 0;  // 0: not blocked
  bool per_tensor = true;
  [[nodiscard]] std::size_t at(std::int64_t i) const {
    if (per_tensor) return 0;
    const std::int64_t place = i / v.inner % v.size;
    if (block == 0) return static_cast<std::size_t>(place);
    const std::int64_t blocks = (v.size + block - 1) / block;
    return static_cast<std::size_t>((i / (v.inner * v.size) * blocks + place / block) * v.inner +
                                    i % v.inner);
  }
};

Grid grid(const KernelContext& c, const TensorView& x, const TensorView& scale) {
  Grid g;
  g.block = c.get_int("block_size", 0);
  if (g.block == 0 && scale.size == 1 && scale.rank() <= 1) return g;
  g.per_tensor = false;
  const std::size_t axis = normalized_axis(c.get_int("axis", 1), x.rank());
  g.v = around_axis(x.dims, axis);
  Extents expected{x.dims[axis]};
  if (g.block < 0) throw Error(codes::attribute_malformed, "block_size is negative");
  if (g.block > 0) {
    expected = x.dims;
    expected[axis] = (x.dims[axis] + g.block - 1) / g.block;
  }
  if (scale.dims != expected) {
    throw Error(codes::shape_mismatch, fmt::format("scales of shape {} where {} are needed",
                                                   to_string(scale.dims), to_string(expected)));
  }
  return g;
}

template <class Body>
void with_float_type(DType dtype, const Body& body) {
  with_type<float, Half, BFloat16>(dtype, body);
}

// Elements of 4 bits lie two in a byte, the first one low.
bool is_packed(DType type) {
  return type == DType::int4 || type == DType::uint4;
}
std::int32_t packed_element(const TensorView& x, std::int64_t i) {
  const auto byte = static_cast<unsigned>(x.data[i / 2]);
  const auto code = static_cast<std::int32_t>(i % 2 == 0 ? byte & 15U : byte >> 4U);
  return x.dtype == DType::int4 && code > 7 ? code - 16 : code;
}

// Calls body(element) where element(i) is the i-th element as an int32.
template <class Body>
void with_codes(const TensorView& x, const Body& body) {
  if (is_packed(x.dtype)) {
    return body([&](std::size_t i) { return packed_element(x, static_cast<std::int64_t>(i)); });
  }
  with_type<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t>(
      x.dtype, [&]<class T>() {
        const T* all = x.as<T>().data();
        body([all](std::size_t i) { return static_cast<std::int32_t>(all[i]); });
      });
}

void check_zero_point(const TensorView& zero, const TensorView& scale) {
  if (zero.size != scale.size) {
    throw Error(codes::shape_mismatch,
                fmt::format("{} zero points for {} scales", zero.size, scale.size));
  }
}

void dequantize_linear(KernelContext& c) {
  const TensorView &x = c.input(0), &scale = c.input(1);
  const TensorView* zero = c.has_input(2) ? &c.input(2) : nullptr;
  const Grid g = grid(c, x, scale);
  if (zero != nullptr) check_zero_point(*zero, scale);
  with_float_type(scale.dtype, [&]<class S>() {
    const S* scales = scale.as<S>().data();
    S* to = c.output<S>(0, x.dims).data();
    with_codes(x, [&](const auto& code) {
      const auto fill = [&](const auto& zero_at) {
        c.parallel_for(x.size, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) {
            const std::size_t at = g.at(i);
            const std::int64_t shifted =
                std::int64_t{code(static_cast<std::size_t>(i))} - zero_at(at);
            to[i] = narrow<S>(static_cast<float>(shifted) * widen(scales[at]));
          }
        });
      };
      if (zero == nullptr) return fill([](std::size_t) { return 0; });
      with_codes(*zero, fill);
    });
  });
}

DType dequantized_type(const NodeInfo& info, std::size_t /*output*/) {
  return info.type(1);
}

template <class X, class S>
void quantize(KernelContext& c, DType type) {
  const TensorView &x = c.input(0), &scale = c.input(1);
  const TensorView* zero = c.has_input(2) ? &c.input(2) : nullptr;
  const Grid g = grid(c, x, scale);
  if (zero != nullptr) check_zero_point(*zero, scale);
  const S* scales = scale.as<S>().data();
  const X* from = x.as<X>().data();
  with_type<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t>(type, [&]<class T>() {
    const T* zeros = zero == nullptr ? nullptr : zero->as<T>().data();
    T* to = c.output<T>(0, x.dims).data();
    c.parallel_for(x.size, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::size_t at = g.at(i);
        const float value = static_cast<float>(widen(from[i])) / widen(scales[at]);
        to[i] = rounded<T>(value, zeros == nullptr ? 0 : std::int32_t{zeros[at]});
      }
    });
  });
}

DType quantized_type(const NodeInfo& info, std::size_t /*output*/) {
  if (info.has_input(2)) return info.type(2);
  const std::int64_t wanted = info.node.attributes.get_int("output_dtype", 0);
  return wanted == 0 ? DType::uint8 : static_cast<DType>(wanted);
}

void quantize_linear(KernelContext& c) {
  const auto wanted = static_cast<DType>(c.get_int("output_dtype", 0));
  const DType type = c.has_input(2)               ? c.input(2).dtype
                     : wanted == DType::undefined ? DType::uint8
                                                  : wanted;
  with_type<float, Half, BFloat16, std::int32_t>(c.input(0).dtype, [&]<class X>() {
    with_float_type(c.input(1).dtype, [&]<class S>() { quantize<X, S>(c, type); });
  });
}

std::optional<std::string> refuse_quantized_types(const NodeInfo& info) {
  constexpr TypeSet kCodes{DType::int8, DType::uint8, DType::int16, DType::uint16};
  const DType type = quantized_type(info, 0);
  if (!kCodes.has(type)) return "to elements of type " + name(type);
  if (info.node.attributes.get_int("precision", 0) > 1) return "with another precision";
  return std::nullopt;
}
std::optional<std::string> refuse_output_type(const NodeInfo& info) {
  const std::int64_t wanted = info.node.attributes.get_int("output_dtype", 0);
  if (wanted == 0 || static_cast<DType>(wanted) == info.type(1)) return std::nullopt;
  return "to elements of another type than the scale's";
}

// One scale and zero point for the whole tensor, such that 0 and all elements are covered.
void dynamic_quantize_linear(KernelContext& c) {
  const auto x = c.input(0).as<float>();
  float low = 0, high = 0;
  for (const float value : x) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const float scale = high == low ? 1.0F : (high - low) / 255.0F;
  const std::uint8_t zero = rounded<std::uint8_t>(-low / scale, 0);
  const auto to = c.output<std::uint8_t>(0, c.input(0).dims);
  c.output<float>(1, {})[0] = scale;
  c.output<std::uint8_t>(2, {})[0] = zero;
  c.parallel_for(c.input(0).size, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      to[i] = rounded<std::uint8_t>(x[i] / scale, zero);
    }
  });
}
DType dynamic_type(const NodeInfo& /*info*/, std::size_t i) {
  return i == 1 ? DType::float32 : DType::uint8;
}

constexpr TypeSet kCodes{DType::int8,  DType::uint8, DType::int16, DType::uint16,
                         DType::int32, DType::int4,  DType::uint4};
constexpr TypeSet kReals{DType::float32, DType::float16, DType::bfloat16, DType::int32};

constexpr KernelRow kRows[] = {
    {.op_type = "QuantizeLinear",
     .since = 10,
     .types = kReals,
     .run = quantize_linear,
     .refuses = refuse_quantized_types,
     .output_type = quantized_type},
    {.op_type = "DequantizeLinear",
     .since = 10,
     .types = kCodes,
     .run = dequantize_linear,
     .refuses = refuse_output_type,
     .output_type = dequantized_type},
    {.op_type = "DynamicQuantizeLinear",
     .since = 11,
     .types = kFloat32,
     .run = dynamic_quantize_linear,
     .output_type = dynamic_type},
};

}  // namespace

KernelRows quantization_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
