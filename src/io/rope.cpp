// SPDX-License-Identifier: Apache-2.0
#include "io/rope.h"

#include <iterator>
#include <utility>

namespace onnxpress::io {
namespace {

// Shorter bytes are cheaper to copy than to point to.
constexpr std::size_t kBorrowFrom = 512;

}  // namespace

std::string& Rope::tail() {
  if (pieces_.empty() || !pieces_.back().borrowed.empty()) pieces_.emplace_back();
  return pieces_.back().own;
}

void Rope::append(std::string_view bytes) {
  tail().append(bytes);
  size_ += static_cast<std::int64_t>(bytes.size());
}

void Rope::borrow(Bytes bytes) {
  if (bytes.size() < kBorrowFrom) {
    append(text(bytes));
    return;
  }
  pieces_.push_back({{}, bytes});
  size_ += static_cast<std::int64_t>(bytes.size());
}

void Rope::append(Rope&& other) {
  auto first = other.pieces_.begin();
  if (first != other.pieces_.end() && first->borrowed.empty()) tail().append((first++)->own);
  pieces_.insert(pieces_.end(), std::make_move_iterator(first),
                 std::make_move_iterator(other.pieces_.end()));
  size_ += std::exchange(other.size_, 0);
  other.pieces_.clear();
}

void Rope::put_int(std::uint32_t number, std::int64_t value) {
  std::string wire;
  io::put_int(wire, number, value);
  append(wire);
}

void Rope::put_float(std::uint32_t number, float value) {
  std::string wire;
  io::put_float(wire, number, value);
  append(wire);
}

void Rope::put_text(std::uint32_t number, std::string_view value) {
  put_head(number, value.size());
  append(value);
}

void Rope::put_borrowed(std::uint32_t number, Bytes value) {
  put_head(number, value.size());
  borrow(value);
}

void Rope::put_message(std::uint32_t number, Rope&& message) {
  put_head(number, static_cast<std::size_t>(message.size()));
  append(std::move(message));
}

void Rope::put_head(std::uint32_t number, std::size_t length) {
  std::string head;
  put_tag(head, number, WireType::length);
  put_varint(head, length);
  append(head);
}

}  // namespace onnxpress::io
