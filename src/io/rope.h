// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/wire.h"

namespace onnxpress::io {

// A long row of bytes in pieces: what is made up is kept, what is large and exists elsewhere
// (weights) is only pointed to, so a whole model is laid out, and its exact size known, without
// copying its weights.
class Rope {
 public:
  struct Piece {
    std::string own;
    Bytes borrowed;  // where not empty, instead of `own`
    [[nodiscard]] Bytes bytes() const { return borrowed.empty() ? as_bytes(own) : borrowed; }
  };

  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }

  void append(std::string_view bytes);
  void borrow(Bytes bytes);  // they must stay valid as long as the rope is used
  void append(Rope&& other);

  // Fields of a protobuf message.
  void put_int(std::uint32_t number, std::int64_t value);
  void put_float(std::uint32_t number, float value);
  void put_text(std::uint32_t number, std::string_view value);
  void put_borrowed(std::uint32_t number, Bytes value);  // see borrow()
  void put_message(std::uint32_t number, Rope&& message);

 private:
  std::string& tail();
  void put_head(std::uint32_t number, std::size_t length);
  std::vector<Piece> pieces_;
  std::int64_t size_ = 0;
};

}  // namespace onnxpress::io
