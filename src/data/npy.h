// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "ir/tensor.h"

namespace onnxpress {

// numpy's format for one array (NEP 1, versions 1 to 3): little-endian numbers and booleans.

struct NpyHeader {
  DType dtype = DType::undefined;
  Dims dims;
  bool fortran_order = false;
  std::size_t data_offset = 0;  // where the elements start
};

// Reads the header of a file of `file_size` bytes from its first bytes (all of the header must be
// in `start`) and checks that the elements fill the rest exactly. Throws Error (bad_data).
[[nodiscard]] NpyHeader parse_npy_header(std::span<const std::byte> start, std::uint64_t file_size);

// The array of a whole file; C order is made of Fortran order. Shares `bytes`, which `owner` keeps
// alive, where order and alignment allow. Throws Error (bad_data).
[[nodiscard]] Tensor parse_npy(std::span<const std::byte> bytes,
                               const std::shared_ptr<const void>& owner);

// The header that numpy would write, padded so that the elements start at a multiple of 64. Throws
// Error (unsupported_type) for types that numpy does not have.
[[nodiscard]] std::string npy_header(const Tensor& tensor);

}  // namespace onnxpress
