// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <future>
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

// The SHA-256 of a file's contents, read in pieces; "" once `stop` is set. Throws Error
// (file_missing, not_a_file, cannot_read).
[[nodiscard]] std::string sha256_of_file(const std::filesystem::path& path,
                                         const std::atomic<bool>* stop = nullptr);

// The same beside other work. Destroying it ends the reading.
class BackgroundSha256 {
 public:
  BackgroundSha256() = default;
  explicit BackgroundSha256(std::filesystem::path path);
  ~BackgroundSha256();
  BackgroundSha256(BackgroundSha256&&) noexcept = default;
  BackgroundSha256& operator=(BackgroundSha256&& other) noexcept;
  [[nodiscard]] std::string get();  // once; throws what sha256_of_file() throws

 private:
  std::unique_ptr<std::atomic<bool>> stop_;
  std::future<std::string> digest_;
};

}  // namespace onnxpress
