// SPDX-License-Identifier: Apache-2.0
#include "data/convert.h"

#include <fmt/format.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/error_codes.h"
#include "base/half.h"

namespace onnxpress {
namespace {

[[noreturn]] void fail(const Tensor& tensor, const InputSpec& input, const std::string& why) {
  throw Error(codes::bad_data,
              fmt::format("the model's input \"{}\" takes {} {}, but the data have "
                          "{} {}{}",
                          input.name, name(input.dtype), to_string(input.shape),
                          name(tensor.dtype()), to_string(tensor.dims()), why));
}

void check_shape(const Tensor& tensor, const InputSpec& input) {
  if (input.shape.empty()) return;
  bool fits = input.shape.size() == tensor.dims().size();
  for (std::size_t i = 0; fits && i < input.shape.size(); ++i) {
    fits = !input.shape[i].known() || input.shape[i].size == tensor.dims()[i];
  }
  if (!fits) fail(tensor, input, "");
}

template <class T>
Tensor to_integers(const Tensor& tensor, const InputSpec& input) {
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(tensor.size()));
  for (const std::int64_t value : tensor.to_int64s()) {
    if (!std::in_range<T>(value)) fail(tensor, input, fmt::format(" with the value {}", value));
    values.push_back(static_cast<T>(value));
  }
  return Tensor::of<T>(tensor.dims(), std::move(values));
}

Tensor to_booleans(const Tensor& tensor, const InputSpec& input) {
  std::vector<std::byte> values;
  for (const std::int64_t value : tensor.to_int64s()) {
    if (value != 0 && value != 1) fail(tensor, input, fmt::format(" with the value {}", value));
    values.push_back(static_cast<std::byte>(value));
  }
  return Tensor::from_bytes(DType::boolean, tensor.dims(), std::move(values));
}

// `narrow` rounds a double to the element type.
template <class T, class Narrow>
Tensor to_floats(const Tensor& tensor, Narrow narrow) {
  std::vector<T> values;
  values.reserve(static_cast<std::size_t>(tensor.size()));
  for (const double value : tensor.to_doubles()) values.push_back(narrow(value));
  return Tensor::of<T>(tensor.dims(), std::move(values));
}

}  // namespace

Tensor convert(const Tensor& tensor, const InputSpec& input) {
  check_shape(tensor, input);
  if (tensor.dtype() == input.dtype || input.dtype == DType::undefined) return tensor;
  const bool from_integer = is_integer(tensor.dtype()) || tensor.dtype() == DType::boolean;
  if (!from_integer && !is_float(tensor.dtype())) fail(tensor, input, "");
  // Whole numbers as floats are masks; pixels that still have to be scaled would be a mistake.
  const bool to_float = !from_integer || tensor.dtype() == DType::int64;
  switch (input.dtype) {
    case DType::int64:
      if (from_integer) return to_integers<std::int64_t>(tensor, input);
      break;
    case DType::int32:
      if (from_integer) return to_integers<std::int32_t>(tensor, input);
      break;
    case DType::int16:
      if (from_integer) return to_integers<std::int16_t>(tensor, input);
      break;
    case DType::int8:
      if (from_integer) return to_integers<std::int8_t>(tensor, input);
      break;
    case DType::uint8:
      if (from_integer) return to_integers<std::uint8_t>(tensor, input);
      break;
    case DType::boolean:
      if (from_integer) return to_booleans(tensor, input);
      break;
    case DType::float32:
      if (to_float) {
        return to_floats<float>(tensor, [](double v) { return static_cast<float>(v); });
      }
      break;
    case DType::float64:
      if (to_float) return to_floats<double>(tensor, [](double v) { return v; });
      break;
    case DType::float16:
      if (to_float) {
        return to_floats<Half>(tensor,
                               [](double v) { return Half{float_to_half(static_cast<float>(v))}; });
      }
      break;
    default:
      break;
  }
  fail(tensor, input, "");
}

}  // namespace onnxpress
