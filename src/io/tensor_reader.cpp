// SPDX-License-Identifier: Apache-2.0
#include "io/tensor_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/error_codes.h"

namespace onnxpress::io {
namespace {

constexpr std::size_t kMaxRank = 64;
// Mapped pages of tensors larger than this are given back once they have been copied or nobody
// reads them.
constexpr std::size_t kReleaseBytes = 64 << 10;

enum TensorField : std::uint32_t {
  kDims = 1,
  kDataType = 2,
  kSegment = 3,
  kFloatData = 4,
  kInt32Data = 5,
  kStringData = 6,
  kInt64Data = 7,
  kName = 8,
  kRawData = 9,
  kDoubleData = 10,
  kUint64Data = 11,
  kExternalData = 13,
  kDataLocation = 14,
};

// The fields of a TensorProto, not yet understood.
struct RawTensor {
  std::string name, extra;
  Dims dims;
  std::int32_t type = 0;
  std::int32_t location = 0;
  std::optional<Bytes> raw;
  std::vector<Field> typed;  // one of the …_data fields, maybe in several pieces
  std::vector<std::pair<std::string_view, std::string_view>> external;
};

[[noreturn]] void malformed(const std::string& what) {
  throw Error(codes::tensor_malformed, what);
}

void read_field(const Field& field, RawTensor& tensor) {
  switch (field.number) {
    case kDims:
      for_each_varint(field, [&](std::uint64_t size) {
        if (tensor.dims.size() == kMaxRank)
          malformed(fmt::format("more than {} dimensions", kMaxRank));
        tensor.dims.push_back(static_cast<std::int64_t>(size));
      });
      return;
    case kDataType:
      tensor.type = field.as_int32();
      return;
    case kSegment:
      throw Error(codes::unsupported_model, "stored in segments, which onnxpress can't read");
    case kName:
      tensor.name = field.as_text();
      return;
    case kRawData:
      tensor.raw = field.as_bytes();
      return;
    case kFloatData:
    case kInt32Data:
    case kStringData:
    case kInt64Data:
    case kDoubleData:
    case kUint64Data:
      if (field.number != kStringData && field.type == WireType::length && field.payload.empty())
        return;
      if (!tensor.typed.empty() && tensor.typed.front().number != field.number)
        malformed("elements in two different fields");
      tensor.typed.push_back(field);
      return;
    case kExternalData:
      if (tensor.external.size() == 16) malformed("more than 16 entries of external data");
      tensor.external.push_back(read_entry(field.as_bytes()));
      return;
    case kDataLocation:
      tensor.location = field.as_int32();
      return;
    default:
      tensor.extra.append(text(field.whole));
  }
}

std::uint32_t typed_field(DType type) {
  switch (type) {
    case DType::float32:
    case DType::complex64:
      return kFloatData;
    case DType::float64:
    case DType::complex128:
      return kDoubleData;
    case DType::int64:
      return kInt64Data;
    case DType::uint32:
    case DType::uint64:
      return kUint64Data;
    case DType::string:
      return kStringData;
    default:
      return kInt32Data;
  }
}

std::size_t varints_in(Bytes bytes) {
  return static_cast<std::size_t>(std::ranges::count_if(
      bytes, [](std::byte b) { return (b & std::byte{0x80}) == std::byte{0}; }));
}

// Entries in the typed field; the size of what comes out is known before anything is allocated.
std::size_t entries(const std::vector<Field>& fields) {
  std::size_t count = 0;
  for (const Field& field : fields) {
    if (field.type != WireType::length || field.number == kStringData) {
      ++count;
    } else if (field.number == kFloatData) {
      count += field.payload.size() / 4;
    } else if (field.number == kDoubleData) {
      count += field.payload.size() / 8;
    } else {
      count += varints_in(field.payload);
    }
  }
  return count;
}

// Elements written one by one, as the bytes raw_data would have. `width`: bytes of one entry.
std::vector<std::byte> converted(const RawTensor& tensor, std::size_t width, std::size_t total) {
  std::vector<std::byte> out(total);
  std::size_t at = 0;
  const auto put = [&](const void* value) {
    if (at + width > total) malformed("more elements than the shape has");
    std::memcpy(out.data() + at, value, width);
    at += width;
  };
  for (const Field& field : tensor.typed) {
    if (field.number == kFloatData) {
      for_each_fixed<float>(field, [&](float v) { put(&v); });
    } else if (field.number == kDoubleData) {
      for_each_fixed<double>(field, [&](double v) { put(&v); });
    } else {
      for_each_varint(field, [&](std::uint64_t v) { put(&v); });
    }
  }
  return out;
}

Tensor read_strings(const RawTensor& tensor, ReadContext& context) {
  if (tensor.raw || tensor.location != 0) malformed("strings can't be raw or external data");
  std::uint64_t heap = 0;
  for (const Field& field : tensor.typed) heap += sizeof(std::string) + field.as_bytes().size();
  context.budget.take_heap(heap);
  std::vector<std::string> values;
  values.reserve(tensor.typed.size());
  for (const Field& field : tensor.typed) values.emplace_back(field.as_text());
  return Tensor::strings(tensor.dims, std::move(values));
}

// A tensor on the given bytes of a file. Memory for an aligned copy is counted here, though it is
// only taken if elements are read.
Tensor on_bytes(DType type, const Dims& dims, Bytes bytes, std::shared_ptr<const void> owner,
                const MappedFile* file, ReadContext& context) {
  std::function<void()> release;
  if (file != nullptr && bytes.size() >= kReleaseBytes)
    release = [owner, file, bytes] { file->release(bytes); };
  Tensor tensor(type, dims, bytes, std::move(owner), std::move(release));
  if (!tensor.is_aligned()) context.budget.take_heap(bytes.size());
  return tensor;
}

Tensor read_elements(const RawTensor& raw, ReadContext& context) {
  const auto type = DType{raw.type};
  if (type != DType::string && bits(type) == 0)
    malformed(fmt::format("unknown element type {}", raw.type));
  if (raw.location != 0 && raw.location != 1)
    malformed(fmt::format("unknown data location {}", raw.location));
  if (raw.raw && !raw.raw->empty() && !raw.typed.empty())
    malformed("elements both in raw_data and in a typed field");
  if (!raw.typed.empty() && raw.typed.front().number != typed_field(type)) {
    malformed(fmt::format("elements of type {} in field {} instead of {}", name(type),
                          raw.typed.front().number, typed_field(type)));
  }
  const auto count = element_count(raw.dims);
  if (!count) malformed(fmt::format("impossible shape {}", to_string(raw.dims)));
  if (type == DType::string) return read_strings(raw, context);
  const auto size = byte_size(type, *count);
  if (!size) malformed(fmt::format("impossible shape {}", to_string(raw.dims)));

  if (raw.location == 1) {
    if (raw.raw || !raw.typed.empty()) malformed("elements both in the model and in external data");
    if (context.external == nullptr) {
      throw Error(codes::external_data,
                  "external data can't be used here: neither in models that were not read from a "
                  "file of their own nor in parts that are kept verbatim");
    }
    const ExternalFiles::Part part = context.external->read(parse_external_range(raw.external));
    return on_bytes(type, raw.dims, part.bytes, part.file, part.file.get(), context);
  }
  if (raw.typed.empty()) {
    return on_bytes(type, raw.dims, raw.raw.value_or(Bytes{}), context.owner, context.file,
                    context);
  }
  const std::size_t per_element = type == DType::complex64 || type == DType::complex128 ? 2 : 1;
  const auto expected = bits(type) < 8 ? static_cast<std::uint64_t>(*size)
                                       : static_cast<std::uint64_t>(*count) * per_element;
  if (entries(raw.typed) != expected) {
    throw Error(codes::tensor_size,
                fmt::format("a tensor of type {} and shape {} needs {} numbers but has {}",
                            name(type), to_string(raw.dims), expected, entries(raw.typed)));
  }
  context.budget.take_heap(static_cast<std::uint64_t>(*size));
  const auto width = static_cast<std::size_t>(std::max(bits(type) / 8, 1)) / per_element;
  return Tensor::from_bytes(type, raw.dims, converted(raw, width, static_cast<std::size_t>(*size)));
}

}  // namespace

NamedTensor read_tensor(Bytes message, std::string_view where, ReadContext& context) {
  RawTensor raw;
  try {
    FieldReader reader(message, "TensorProto");
    for (Field field; reader.next(field);) read_field(field, raw);
    return {raw.name, read_elements(raw, context), raw.extra};
  } catch (const Error& error) {
    throw error.in(raw.name.empty() ? fmt::format("tensor of {}", where)
                                    : fmt::format("tensor \"{}\"", raw.name));
  }
}

}  // namespace onnxpress::io
