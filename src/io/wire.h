// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

// Protobuf's wire format: a message is a row of fields, each a tag (number and wire type) and a
// payload.
namespace onnxpress::io {

using Bytes = std::span<const std::byte>;

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, length = 2, fixed32 = 5 };

// One field of a message. The accessors throw Error (broken_wire) if the field has another wire
// type, naming message and field.
struct Field {
  std::string_view message;  // "NodeProto"
  std::uint32_t number = 0;
  WireType type = WireType::varint;
  std::uint64_t bits = 0;  // of a varint or fixed-width field
  Bytes payload;           // of a length-delimited field
  Bytes whole;             // tag and payload, for keeping the field verbatim

  [[nodiscard]] std::int64_t as_int() const;
  [[nodiscard]] std::int32_t as_int32() const;  // keeps the low 32 bits, as protobuf does
  [[nodiscard]] float as_float() const;
  [[nodiscard]] Bytes as_bytes() const;
  [[nodiscard]] std::string_view as_text() const;
  void require(WireType expected) const;
};

// Walks the fields of one message. Throws Error (broken_wire) on anything that is not well formed:
// varints over 10 bytes, lengths beyond the end, groups, field number 0.
class FieldReader {
 public:
  FieldReader(Bytes message, std::string_view name) : rest_(message), name_(name) {}
  // False at the end of the message.
  bool next(Field& field);

 private:
  Bytes rest_;
  std::string_view name_;
};

// Takes one varint off the front of `rest`.
std::uint64_t take_varint(Bytes& rest, std::string_view message);
// Takes sizeof(T) bytes off the front of `rest`.
template <class T>
T take_fixed(Bytes& rest, std::string_view message);

// The numbers of a repeated field, which may be packed or one by one: calls body(uint64).
template <std::invocable<std::uint64_t> Body>
void for_each_varint(const Field& field, Body body) {
  if (field.type == WireType::varint) {
    body(field.bits);
    return;
  }
  for (Bytes rest = field.as_bytes(); !rest.empty();) body(take_varint(rest, field.message));
}

// The same for float (fixed32) and double (fixed64).
template <class T, std::invocable<T> Body>
void for_each_fixed(const Field& field, Body body) {
  Bytes rest = field.payload;
  if (field.type != WireType::length) {
    field.require(sizeof(T) == 4 ? WireType::fixed32 : WireType::fixed64);
    rest = std::as_bytes(std::span(&field.bits, 1)).first(sizeof(T));
  }
  while (!rest.empty()) body(take_fixed<T>(rest, field.message));
}

// Key and value of a StringStringEntryProto.
[[nodiscard]] std::pair<std::string_view, std::string_view> read_entry(Bytes message);

[[nodiscard]] inline std::string_view text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
[[nodiscard]] inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Writing: each appends to `out`.
void put_varint(std::string& out, std::uint64_t value);
void put_tag(std::string& out, std::uint32_t number, WireType type);
void put_int(std::string& out, std::uint32_t number, std::int64_t value);
void put_float(std::string& out, std::uint32_t number, float value);
void put_text(std::string& out, std::uint32_t number, std::string_view value);

}  // namespace onnxpress::io
