// SPDX-License-Identifier: Apache-2.0
#include "data/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

constexpr std::array<std::pair<std::string_view, DType>, 12> kTypes = {{
    {"|b1", DType::boolean},
    {"|i1", DType::int8},
    {"|u1", DType::uint8},
    {"<i2", DType::int16},
    {"<u2", DType::uint16},
    {"<i4", DType::int32},
    {"<u4", DType::uint32},
    {"<i8", DType::int64},
    {"<u8", DType::uint64},
    {"<f2", DType::float16},
    {"<f4", DType::float32},
    {"<f8", DType::float64},
}};

[[noreturn]] void fail(const std::string& what) {
  throw Error(codes::bad_data, what);
}

DType type_of(std::string_view description) {
  for (const auto& [text, type] : kTypes) {
    if (text == description) return type;
  }
  if (description.starts_with('>')) fail("the array is big-endian; save it as little-endian");
  if (description.find('O') != description.npos) {
    fail("the array holds Python objects; save numbers instead");
  }
  fail(fmt::format("elements of type \"{}\" are not read; use numbers of 8 to 64 bits",
                   description));
}

// Reads the header's text: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  void parse(NpyHeader& header) {
    bool descr = false;
    bool order = false;
    bool shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string_view name = quoted();
      expect(':');
      if (name == "descr" && !std::exchange(descr, true)) {
        if (peek() == '[') fail("structured arrays are not read");
        header.dtype = type_of(quoted());
      } else if (name == "fortran_order" && !std::exchange(order, true)) {
        header.fortran_order = boolean();
      } else if (name == "shape" && !std::exchange(shape, true)) {
        header.dims = tuple();
      } else {
        malformed();
      }
      if (!accept(',') && peek() != '}') malformed();
    }
    skip_blanks();
    if (!text_.empty() || !descr || !order || !shape) malformed();
  }

 private:
  [[noreturn]] static void malformed() { fail("the array's header is malformed"); }

  void skip_blanks() {
    const std::size_t blanks = std::min(text_.find_first_not_of(" \n"), text_.size());
    text_.remove_prefix(blanks);
  }
  char peek() {
    skip_blanks();
    return text_.empty() ? '\0' : text_[0];
  }
  bool accept(char c) {
    if (peek() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) malformed();
  }
  std::string_view quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') malformed();
    const std::size_t end = text_.find(quote, 1);
    if (end == text_.npos) malformed();
    const std::string_view content = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return content;
  }
  bool boolean() {
    skip_blanks();
    for (const auto& [word, value] : {std::pair{"True", true}, std::pair{"False", false}}) {
      if (text_.starts_with(word)) {
        text_.remove_prefix(std::strlen(word));
        return value;
      }
    }
    malformed();
  }
  Dims tuple() {
    constexpr std::size_t kMaxRank = 32;  // numpy's own limit
    Dims dims;
    expect('(');
    while (!accept(')')) {
      std::int64_t size = 0;
      skip_blanks();
      const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0 || dims.size() == kMaxRank) malformed();
      text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
      dims.push_back(size);
      if (!accept(',') && peek() != ')') malformed();
    }
    return dims;
  }

  std::string_view text_;
};

// The elements in C order.
std::vector<std::byte> from_fortran_order(std::span<const std::byte> bytes, const Dims& dims,
                                          std::size_t element_size) {
  std::vector<std::byte> result(bytes.size());
  std::vector<std::size_t> strides(dims.size());  // in elements, of the source
  std::size_t stride = 1;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    strides[axis] = stride;
    stride *= static_cast<std::size_t>(dims[axis]);
  }
  std::vector<std::int64_t> index(dims.size(), 0);
  std::size_t source = 0;
  for (std::size_t target = 0; target < result.size(); target += element_size) {
    std::memcpy(&result[target], &bytes[source * element_size], element_size);
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      source += strides[axis];
      if (++index[axis] < dims[axis]) break;
      source -= strides[axis] * static_cast<std::size_t>(dims[axis]);
      index[axis] = 0;
    }
  }
  return result;
}

}  // namespace

NpyHeader parse_npy_header(std::span<const std::byte> start, std::uint64_t file_size) {
  constexpr std::string_view kMagic("\x93NUMPY", 6);
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  if (!text.starts_with(kMagic)) fail("not a numpy array (.npy)");
  const auto byte = [&](std::size_t i) { return std::to_integer<std::size_t>(start[i]); };
  if (text.size() < 10) fail("the array is cut off within its header");
  const std::size_t version = byte(6);
  if (version < 1 || version > 3) fail(fmt::format("version {} of .npy is not known", version));
  const std::size_t fixed = version == 1 ? 10 : 12;
  if (text.size() < fixed) fail("the array is cut off within its header");
  std::size_t length = byte(8) | byte(9) << 8U;
  if (version > 1) length |= byte(10) << 16U | byte(11) << 24U;
  if (length > text.size() - fixed) fail("the array is cut off within its header");
  NpyHeader header;
  header.data_offset = fixed + length;
  HeaderParser(text.substr(fixed, length)).parse(header);
  const auto count = element_count(header.dims);
  const auto bytes = count ? byte_size(header.dtype, *count) : std::nullopt;
  if (!bytes || file_size - header.data_offset != static_cast<std::uint64_t>(*bytes)) {
    fail(fmt::format("an array of type {} and shape {} needs {} bytes but has {}",
                     name(header.dtype), to_string(header.dims),
                     bytes ? std::to_string(*bytes) : "an impossible number of",
                     file_size - header.data_offset));
  }
  return header;
}

Tensor parse_npy(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner) {
  const NpyHeader header = parse_npy_header(bytes, bytes.size());
  const auto elements = bytes.subspan(header.data_offset);
  if (header.dtype == DType::boolean &&
      std::ranges::any_of(elements, [](std::byte b) { return std::to_integer<int>(b) > 1; })) {
    fail("a boolean is neither 0 nor 1");
  }
  if (header.fortran_order && header.dims.size() > 1) {
    const auto size = static_cast<std::size_t>(bits(header.dtype)) / 8;
    return Tensor::from_bytes(header.dtype, header.dims,
                              from_fortran_order(elements, header.dims, size));
  }
  if (reinterpret_cast<std::uintptr_t>(elements.data()) % alignof(std::int64_t) != 0) {
    return Tensor::from_bytes(header.dtype, header.dims, {elements.begin(), elements.end()});
  }
  return {header.dtype, header.dims, elements, owner};
}

std::string npy_header(const Tensor& tensor) {
  constexpr std::size_t kFixed = 10;
  constexpr std::size_t kAlignment = 64;
  const auto found =
      std::ranges::find(kTypes, tensor.dtype(), [](const auto& t) { return t.second; });
  if (found == kTypes.end()) {
    throw Error(codes::unsupported_type,
                fmt::format("numpy has no element type for {}", name(tensor.dtype())));
  }
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", found->first,
                  fmt::join(tensor.dims(), ", "), tensor.rank() == 1 ? "," : "");
  const std::size_t used = kFixed + header.size() + 1;
  header.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  header += '\n';
  std::string result("\x93NUMPY\x01\x00", 8);
  result += static_cast<char>(header.size() & 0xFFU);
  result += static_cast<char>(header.size() >> 8U);
  return result + header;
}

}  // namespace onnxpress
