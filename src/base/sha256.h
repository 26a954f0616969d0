// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace onnxpress {

// SHA-256 of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void add(std::span<const std::byte> bytes);
  // 64 lower-case hexadecimal digits. Nothing can be added afterwards.
  [[nodiscard]] std::string hex() &&;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The SHA-256 of bytes, as 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256(std::span<const std::byte> bytes);

// The SHA-256 of a file's contents, read in pieces. Throws Error (file_missing, not_a_file,
// cannot_read).
[[nodiscard]] std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace onnxpress
