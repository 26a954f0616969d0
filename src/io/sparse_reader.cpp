// SPDX-License-Identifier: Apache-2.0
#include "io/sparse_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/error_codes.h"

namespace onnxpress::io {
namespace {

constexpr std::size_t kMaxRank = 64;

[[noreturn]] void malformed(const std::string& what) {
  throw Error(codes::tensor_malformed, "sparse tensor: " + what);
}

// The position of every value in the dense tensor, ascending. Indices are positions, or one row of
// coordinates for each value.
std::vector<std::int64_t> positions(const Tensor& indices, const Dims& dims, std::int64_t count,
                                    std::int64_t size) {
  const auto rank = static_cast<std::int64_t>(dims.size());
  const bool linear = indices.dims() == Dims{count};
  if (indices.dtype() != DType::int64 || (!linear && indices.dims() != Dims{count, rank})) {
    malformed(fmt::format("{} values have indices of type {} and shape {}", count,
                          name(indices.dtype()), to_string(indices.dims())));
  }
  const std::vector<std::int64_t> given = indices.to_int64s();
  std::vector<std::int64_t> found(static_cast<std::size_t>(count), 0);
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (linear) found[i] = given[i];
    for (std::size_t axis = 0; !linear && axis < dims.size(); ++axis) {
      const std::int64_t coordinate = given[i * dims.size() + axis];
      if (coordinate < 0 || coordinate >= dims[axis])
        malformed(fmt::format("index {} is out of range", i));
      found[i] = found[i] * dims[axis] + coordinate;
    }
    if (found[i] < 0 || found[i] >= size) malformed(fmt::format("index {} is out of range", i));
    if (i > 0 && found[i] <= found[i - 1])
      malformed(fmt::format("index {} is not behind the one before it", i));
  }
  return found;
}

}  // namespace

NamedTensor read_sparse_tensor(Bytes message, std::string_view where, ReadContext& context) {
  NamedTensor values;
  Tensor indices;
  Dims dims;
  FieldReader reader(message, "SparseTensorProto");
  for (Field field; reader.next(field);) {
    if (field.number == 1) values = read_tensor(field.as_bytes(), where, context);
    if (field.number == 2) indices = read_tensor(field.as_bytes(), where, context).tensor;
    if (field.number != 3) continue;
    for_each_varint(field, [&](std::uint64_t size) {
      if (dims.size() == kMaxRank) malformed("more than 64 dimensions");
      dims.push_back(static_cast<std::int64_t>(size));
    });
  }
  const Tensor& sparse = values.tensor;
  const int width = bits(sparse.dtype()) / 8;
  if (sparse.rank() != 1 || width == 0)
    malformed(fmt::format("values of type {} and shape {}", name(sparse.dtype()),
                          to_string(sparse.dims())));
  const auto size = element_count(dims);
  const auto bytes = size ? byte_size(sparse.dtype(), *size) : std::nullopt;
  if (!bytes) malformed(fmt::format("impossible shape {}", to_string(dims)));
  context.budget.take_heap(static_cast<std::uint64_t>(*bytes));
  const auto at = positions(indices, dims, sparse.size(), *size);
  std::vector<std::byte> dense(static_cast<std::size_t>(*bytes));
  for (std::size_t i = 0; i < at.size(); ++i) {
    std::memcpy(dense.data() + at[i] * width,
                sparse.bytes().data() + i * static_cast<std::size_t>(width),
                static_cast<std::size_t>(width));
  }
  values.tensor = Tensor::from_bytes(sparse.dtype(), std::move(dims), std::move(dense));
  return values;
}

}  // namespace onnxpress::io
