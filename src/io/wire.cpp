// SPDX-License-Identifier: Apache-2.0
#include "io/wire.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "base/error_codes.h"

namespace onnxpress::io {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are stored little-endian");

[[noreturn]] void broken(std::string_view message, const std::string& what) {
  throw Error(codes::broken_wire, fmt::format("{}: {}", message, what));
}

std::string_view name(WireType type) {
  switch (type) {
    case WireType::varint:
      return "a varint";
    case WireType::fixed64:
      return "64 bits";
    case WireType::length:
      return "length-delimited";
    case WireType::fixed32:
      return "32 bits";
  }
  return "unknown";
}

}  // namespace

void Field::require(WireType expected) const {
  if (type == expected) return;
  broken(message,
         fmt::format("field {} should be {} but is {}", number, name(expected), name(type)));
}

std::int64_t Field::as_int() const {
  require(WireType::varint);
  return static_cast<std::int64_t>(bits);
}

std::int32_t Field::as_int32() const {
  require(WireType::varint);
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(bits));
}

float Field::as_float() const {
  require(WireType::fixed32);
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
}

Bytes Field::as_bytes() const {
  require(WireType::length);
  return payload;
}

std::string_view Field::as_text() const {
  return text(as_bytes());
}

std::uint64_t take_varint(Bytes& rest, std::string_view message) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    if (i == rest.size()) broken(message, "ends within a number");
    const auto byte = std::to_integer<std::uint64_t>(rest[i]);
    if (i == 9 && byte > 1) break;
    value |= (byte & 0x7F) << (7 * i);
    if ((byte & 0x80) == 0) {
      rest = rest.subspan(i + 1);
      return value;
    }
  }
  broken(message, "a number is longer than 64 bits");
}

template <class T>
T take_fixed(Bytes& rest, std::string_view message) {
  if (rest.size() < sizeof(T)) broken(message, "ends within a number");
  T value;
  std::memcpy(&value, rest.data(), sizeof(T));
  rest = rest.subspan(sizeof(T));
  return value;
}
template float take_fixed<float>(Bytes&, std::string_view);
template double take_fixed<double>(Bytes&, std::string_view);

bool FieldReader::next(Field& field) {
  if (rest_.empty()) return false;
  const Bytes start = rest_;
  const std::uint64_t tag = take_varint(rest_, name_);
  field = {};
  field.message = name_;
  if (tag >> 32 != 0 || tag >> 3 == 0) broken(name_, fmt::format("{} is not a field's tag", tag));
  field.number = static_cast<std::uint32_t>(tag >> 3);
  switch (tag & 7) {
    case 0:
      field.bits = take_varint(rest_, name_);
      break;
    case 1:
      field.bits = std::bit_cast<std::uint64_t>(take_fixed<double>(rest_, name_));
      break;
    case 2: {
      const std::uint64_t length = take_varint(rest_, name_);
      if (length > rest_.size()) {
        broken(name_, fmt::format("field {} says it has {} bytes, but {} are left", field.number,
                                  length, rest_.size()));
      }
      field.payload = rest_.first(length);
      rest_ = rest_.subspan(length);
      break;
    }
    case 5:
      field.bits = std::bit_cast<std::uint32_t>(take_fixed<float>(rest_, name_));
      break;
    default:
      broken(name_, fmt::format("field {} has wire type {}", field.number, tag & 7));
  }
  field.type = static_cast<WireType>(tag & 7);
  field.whole = start.first(start.size() - rest_.size());
  return true;
}

std::pair<std::string_view, std::string_view> read_entry(Bytes message) {
  std::pair<std::string_view, std::string_view> entry;
  FieldReader reader(message, "StringStringEntryProto");
  for (Field field; reader.next(field);) {
    if (field.number == 1) entry.first = field.as_text();
    if (field.number == 2) entry.second = field.as_text();
  }
  return entry;
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void put_tag(std::string& out, std::uint32_t number, WireType type) {
  put_varint(out, std::uint64_t{number} << 3 | static_cast<std::uint64_t>(type));
}

void put_int(std::string& out, std::uint32_t number, std::int64_t value) {
  put_tag(out, number, WireType::varint);
  put_varint(out, static_cast<std::uint64_t>(value));
}

void put_float(std::string& out, std::uint32_t number, float value) {
  put_tag(out, number, WireType::fixed32);
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void put_text(std::string& out, std::uint32_t number, std::string_view value) {
  put_tag(out, number, WireType::length);
  put_varint(out, value.size());
  out.append(value);
}

}  // namespace onnxpress::io
