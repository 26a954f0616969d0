// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ir/aligned_copy.h"
#include "ir/dtype.h"
#include "ir/shape.h"

namespace onnxpress {

// Bytes that `count` elements take: packed types are rounded up to whole bytes. Nothing on overflow
// or for types without a size (string, unknown numbers).
[[nodiscard]] std::optional<std::int64_t> byte_size(DType type, std::int64_t count);

// An immutable array of elements; copies share the bytes, which live on the heap or in a
// memory-mapped file.
//
//   Tensor t = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
//   std::span<const float> x = t.as<float>();
class Tensor {
 public:
  Tensor() = default;  // undefined type, no bytes

  // Shares `bytes`, which `owner` keeps alive. Where they are not aligned for the elements, what
  // reads elements works on a copy, made when it is first needed; `release`: see AlignedCopy.
  // Throws Error (tensor_size) unless the bytes are exactly what dims × type need.
  Tensor(DType type, Dims dims, std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
         std::function<void()> release = {});
  // Takes the bytes over. Same check.
  static Tensor from_bytes(DType type, Dims dims, std::vector<std::byte> bytes);
  static Tensor strings(Dims dims, std::vector<std::string> values);
  template <class T>
  static Tensor of(Dims dims, std::vector<T> values);
  template <class T>
  static Tensor scalar(T value) {
    return of<T>({}, {value});
  }

  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] const Dims& dims() const { return dims_; }
  [[nodiscard]] std::int64_t size() const { return size_; }  // elements
  [[nodiscard]] int rank() const { return static_cast<int>(dims_.size()); }
  // At any address: that of the file, unless there is an aligned copy.
  [[nodiscard]] std::span<const std::byte> bytes() const {
    return aligned_ == nullptr ? bytes_ : aligned_->nearest();
  }
  [[nodiscard]] bool is_aligned() const { return aligned_ == nullptr; }
  // The same bytes, aligned for the elements.
  [[nodiscard]] std::span<const std::byte> aligned_bytes() const {
    return aligned_ == nullptr ? bytes_ : aligned_->bytes();
  }
  [[nodiscard]] const std::vector<std::string>& as_strings() const;
  // The elements. Throws Error (internal_error) if T is not the element type.
  template <class T>
  [[nodiscard]] std::span<const T> as() const;

  // Elements as double or int64, converted; for attributes and small constants. Throws Error
  // (unsupported_type) for strings, complex and packed types.
  [[nodiscard]] std::vector<double> to_doubles() const;
  [[nodiscard]] std::vector<std::int64_t> to_int64s() const;

  // The same bytes under another shape. Throws Error (internal_error) if the number of elements
  // differs.
  [[nodiscard]] Tensor reshaped(Dims dims) const;

  // Equal type, shape and bytes.
  friend bool operator==(const Tensor& a, const Tensor& b);

 private:
  void require_type(DType type) const;
  DType dtype_ = DType::undefined;
  Dims dims_;
  std::int64_t size_ = 0;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<AlignedCopy> aligned_;  // where the bytes are not aligned
};

template <class T>
Tensor Tensor::of(Dims dims, std::vector<T> values) {
  static_assert(dtype_of<T> != DType::undefined);
  static_assert(!std::is_same_v<T, bool>, "std::vector<bool> has no bytes: use from_bytes");
  auto owner = std::make_shared<const std::vector<T>>(std::move(values));
  const auto bytes = std::as_bytes(std::span(*owner));
  return {dtype_of<T>, std::move(dims), bytes, owner};
}

template <class T>
std::span<const T> Tensor::as() const {
  require_type(dtype_of<T>);
  return {reinterpret_cast<const T*>(aligned_bytes().data()), static_cast<std::size_t>(size_)};
}

}  // namespace onnxpress
