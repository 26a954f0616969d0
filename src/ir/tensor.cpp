// SPDX-License-Identifier: Apache-2.0
#include "ir/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/checked.h"
#include "base/error_codes.h"

namespace onnxpress {
namespace {

// Bytes in a file may lie at any address, so elements are copied out one by one.
template <class T, class Out, class Convert>
std::vector<Out> converted(std::span<const std::byte> bytes, Convert convert) {
  std::vector<Out> values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T element;
    std::memcpy(&element, bytes.data() + i * sizeof(T), sizeof(T));
    // The sign of int8 is meant. NOLINTNEXTLINE(bugprone-signed-char-misuse)
    values[i] = static_cast<Out>(convert(element));
  }
  return values;
}

template <class Out>
std::vector<Out> elements(const Tensor& t) {
  const auto same = [](auto v) { return v; };
  switch (t.dtype()) {
    case DType::float32:
      return converted<float, Out>(t.bytes(), same);
    case DType::float64:
      return converted<double, Out>(t.bytes(), same);
    case DType::float16:
      return converted<std::uint16_t, Out>(t.bytes(), [](auto v) { return half_to_float(v); });
    case DType::bfloat16:
      return converted<std::uint16_t, Out>(t.bytes(), [](auto v) { return bfloat16_to_float(v); });
    case DType::uint8:
      return converted<std::uint8_t, Out>(t.bytes(), same);
    case DType::int8:
      return converted<std::int8_t, Out>(t.bytes(), same);
    case DType::uint16:
      return converted<std::uint16_t, Out>(t.bytes(), same);
    case DType::int16:
      return converted<std::int16_t, Out>(t.bytes(), same);
    case DType::uint32:
      return converted<std::uint32_t, Out>(t.bytes(), same);
    case DType::int32:
      return converted<std::int32_t, Out>(t.bytes(), same);
    case DType::uint64:
      return converted<std::uint64_t, Out>(t.bytes(), same);
    case DType::int64:
      return converted<std::int64_t, Out>(t.bytes(), same);
    case DType::boolean:
      return converted<std::uint8_t, Out>(t.bytes(), [](auto v) { return v != 0 ? 1 : 0; });
    default:
      throw Error(codes::unsupported_type,
                  fmt::format("elements of type {} can't be read as numbers", name(t.dtype())));
  }
}

}  // namespace

std::optional<std::int64_t> byte_size(DType type, std::int64_t count) {
  const int element_bits = bits(type);
  if (element_bits == 0 || count < 0) return std::nullopt;
  if (element_bits >= 8) return checked_mul(count, element_bits / 8);
  const int per_byte = 8 / element_bits;
  return count / per_byte + (count % per_byte != 0 ? 1 : 0);
}

Tensor::Tensor(DType type, Dims dims, std::span<const std::byte> bytes,
               std::shared_ptr<const void> owner, std::function<void()> release)
    : dtype_(type), dims_(std::move(dims)), bytes_(bytes), owner_(std::move(owner)) {
  const auto count = element_count(dims_);
  const auto needed = count ? byte_size(type, *count) : std::nullopt;
  if (!needed || static_cast<std::size_t>(*needed) != bytes.size()) {
    throw Error(
        codes::tensor_size,
        fmt::format("a tensor of type {} and shape {} needs {} bytes but has {}", name(type),
                    to_string(dims_), needed ? std::to_string(*needed) : "an impossible number of",
                    bytes.size()));
  }
  size_ = *count;
  const auto alignment = static_cast<std::uintptr_t>(std::clamp(bits(type) / 8, 1, 8));
  if (bytes.empty() || reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment == 0) return;
  aligned_ = std::make_shared<AlignedCopy>(bytes, std::move(release));
}

Tensor Tensor::from_bytes(DType type, Dims dims, std::vector<std::byte> bytes) {
  auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  return {type, std::move(dims), *owner, owner};
}

Tensor Tensor::strings(Dims dims, std::vector<std::string> values) {
  const auto count = element_count(dims);
  if (!count || static_cast<std::size_t>(*count) != values.size()) {
    throw Error(codes::tensor_size, fmt::format("a string tensor of shape {} can't hold {} strings",
                                                to_string(dims), values.size()));
  }
  Tensor tensor;
  tensor.dtype_ = DType::string;
  tensor.dims_ = std::move(dims);
  tensor.size_ = *count;
  tensor.owner_ = std::make_shared<const std::vector<std::string>>(std::move(values));
  return tensor;
}

const std::vector<std::string>& Tensor::as_strings() const {
  require_type(DType::string);
  return *static_cast<const std::vector<std::string>*>(owner_.get());
}

std::vector<double> Tensor::to_doubles() const {
  return elements<double>(*this);
}
std::vector<std::int64_t> Tensor::to_int64s() const {
  return elements<std::int64_t>(*this);
}

Tensor Tensor::reshaped(Dims dims) const {
  if (element_count(dims) != size_) {
    throw Error(codes::internal_error,
                fmt::format("reshape of {} to {}", to_string(dims_), to_string(dims)));
  }
  Tensor copy = *this;
  copy.dims_ = std::move(dims);
  return copy;
}

void Tensor::require_type(DType type) const {
  if (type != dtype_) {
    throw Error(codes::internal_error,
                fmt::format("a {} tensor was read as {}", name(dtype_), name(type)));
  }
}

bool operator==(const Tensor& a, const Tensor& b) {
  if (a.dtype_ != b.dtype_ || a.dims_ != b.dims_) return false;
  if (a.dtype_ == DType::string) return a.as_strings() == b.as_strings();
  const auto left = a.bytes();
  const auto right = b.bytes();
  return left.size() == right.size() && (left.data() == right.data() || left.empty() ||
                                         std::memcmp(left.data(), right.data(), left.size()) == 0);
}

}  // namespace onnxpress
