// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "ir/tensor.h"

namespace onnxpress {

// A short list of integers without heap memory: the sizes of a tensor at run time, axes, strides.
// Behaves like a std::vector of at most kMaxRank elements; one more is an Error
// (unsupported_model).
class Extents {
 public:
  static constexpr std::size_t kMaxRank = 10;

  constexpr Extents() = default;
  Extents(std::initializer_list<std::int64_t> sizes) { append(sizes); }
  explicit Extents(std::span<const std::int64_t> sizes) { append(sizes); }
  Extents(std::size_t count, std::int64_t value) {
    for (std::size_t i = 0; i < count; ++i) push_back(value);
  }

  [[nodiscard]] int rank() const { return static_cast<int>(count_); }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::int64_t operator[](std::size_t i) const { return values_[i]; }
  [[nodiscard]] std::int64_t& operator[](std::size_t i) { return values_[i]; }
  [[nodiscard]] std::int64_t back() const { return values_[count_ - 1]; }
  [[nodiscard]] const std::int64_t* begin() const { return values_.data(); }
  [[nodiscard]] const std::int64_t* end() const { return values_.data() + count_; }
  [[nodiscard]] std::int64_t* begin() { return values_.data(); }
  [[nodiscard]] std::int64_t* end() { return values_.data() + count_; }
  [[nodiscard]] std::span<const std::int64_t> span() const { return {values_.data(), count_}; }

  void push_back(std::int64_t value) {
    if (count_ == kMaxRank) throw_too_long();
    values_[count_++] = value;
  }
  void append(std::span<const std::int64_t> values) {
    for (const std::int64_t value : values) push_back(value);
  }
  void append(std::initializer_list<std::int64_t> values) {
    for (const std::int64_t value : values) push_back(value);
  }
  void insert(std::size_t at, std::int64_t value) {
    push_back(value);
    std::rotate(begin() + at, end() - 1, end());
  }
  void erase(std::size_t at) {
    std::copy(begin() + at + 1, end(), begin() + at);
    --count_;
  }
  [[nodiscard]] Dims dims() const { return {begin(), end()}; }

  friend bool operator==(const Extents& a, const Extents& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

 private:
  [[noreturn]] static void throw_too_long();
  std::array<std::int64_t, kMaxRank> values_{};
  std::size_t count_ = 0;
};

[[nodiscard]] std::string to_string(const Extents& extents);  // "[2, 3]"
// The product of elements [begin, end): 1 for an empty range.
[[nodiscard]] inline std::int64_t product(const Extents& e, std::size_t begin, std::size_t end) {
  std::int64_t result = 1;
  for (std::size_t i = begin; i < end; ++i) result *= e[i];
  return result;
}
[[nodiscard]] inline std::int64_t product(const Extents& e) {
  return product(e, 0, e.size());
}

// What a kernel sees of a tensor: type, sizes and elements in row-major order. Does not own them.
struct TensorView {
  DType dtype = DType::undefined;
  Extents dims;
  std::int64_t size = 0;  // elements
  const std::byte* data = nullptr;

  [[nodiscard]] int rank() const { return dims.rank(); }
  // The elements. Throws Error (internal_error) if T is not the element type.
  template <class T>
  [[nodiscard]] std::span<const T> as() const {
    if (dtype != dtype_of<T>) throw_type(dtype_of<T>);
    return {reinterpret_cast<const T*>(data), static_cast<std::size_t>(size)};
  }
  [[nodiscard]] std::size_t byte_count() const {
    return static_cast<std::size_t>(byte_size(dtype, size).value_or(0));
  }

 private:
  [[noreturn]] void throw_type(DType wanted) const;
};

[[nodiscard]] TensorView view(const Tensor& tensor);

}  // namespace onnxpress
