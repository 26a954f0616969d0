// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "exec/kernels/elementwise.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

// As ONNX Runtime and NumPy do it: toward zero; what does not fit into an integer has no defined
// value in the standard, here it wraps modulo 2^64 or ends at the ends of int64.
template <class To, class From>
To converted(From value) {
  if constexpr (std::is_same_v<To, bool>) {
    return value != From{0};
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (std::isnan(value)) return static_cast<To>(std::numeric_limits<std::int64_t>::min());
    if constexpr (std::is_same_v<To, std::uint64_t>) {
      if (value >= From{9223372036854775808.0}) {
        return value < From{18446744073709551616.0} ? static_cast<std::uint64_t>(value)
                                                    : std::numeric_limits<std::uint64_t>::max();
      }
    }
    constexpr From kEnd{9223372036854775808.0};
    const std::int64_t whole = value >= kEnd   ? std::numeric_limits<std::int64_t>::max()
                               : value < -kEnd ? std::numeric_limits<std::int64_t>::min()
                                               : static_cast<std::int64_t>(value);
    return static_cast<To>(whole);
  } else {
    return static_cast<To>(value);
  }
}

template <class Body>
void with_any_type(DType dtype, const Body& body) {
  with_type<float, std::int64_t, bool, Half, std::int32_t, BFloat16, double, std::int8_t,
            std::uint8_t, std::int16_t, std::uint16_t, std::uint32_t, std::uint64_t>(dtype, body);
}

void cast_to(KernelContext& c, DType to) {
  const TensorView& x = c.input(0);
  if (x.dtype == to) return c.alias_output(0, 0, x.dims);
  with_any_type(x.dtype, [&]<class From>() {
    with_any_type(to, [&]<class To>() {
      map_elements<From, To>(c, [](Wide<From> value) { return converted<Wide<To>>(value); });
    });
  });
}

void cast(KernelContext& c) {
  cast_to(c, static_cast<DType>(c.get_int("to", 0)));
}
void cast_like(KernelContext& c) {
  cast_to(c, c.input(1).dtype);
}

DType cast_type(const NodeInfo& info, std::size_t /*output*/) {
  return static_cast<DType>(info.node.attributes.get_int("to", 0));
}
DType cast_like_type(const NodeInfo& info, std::size_t /*output*/) {
  return info.type(1);
}

std::optional<std::string> refuse_target(const NodeInfo& info) {
  const DType to = info.node.is("Cast") ? cast_type(info, 0) : info.type(1);
  if (to == DType::undefined || kAll.has(to)) return std::nullopt;
  return "to elements of type " + name(to);
}

constexpr KernelRow kRows[] = {
    {.op_type = "Cast",
     .since = 6,
     .run = cast,
     .refuses = refuse_target,
     .output_type = cast_type,
     .aliases = true},
    {.op_type = "CastLike",
     .since = 15,
     .run = cast_like,
     .refuses = refuse_target,
     .output_type = cast_like_type,
     .aliases = true},
};

}  // namespace

KernelRows cast_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
