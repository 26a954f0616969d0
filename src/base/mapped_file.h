// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace onnxpress {

// A whole file, mapped into memory for reading. Spans stay valid as long as the object lives; share
// it by shared_ptr.
class MappedFile {
 public:
  // Takes over an open file descriptor. `path` is only for messages. Throws Error (not_a_file,
  // cannot_read).
  static std::shared_ptr<const MappedFile> from_descriptor(int descriptor,
                                                           std::filesystem::path path);
  // Throws Error (file_missing, not_a_file, cannot_read).
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // Throws Error (input_changed) if the file's size or modification time is no longer what it was
  // when it was opened.
  void check_unchanged() const;
  // Tells the system that these pages will not be needed again soon. `part` is a part of bytes().
  void release(std::span<const std::byte> part) const;

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  std::span<const std::byte> bytes_;
  int descriptor_ = -1;
  std::int64_t modified_ns_ = 0;
};

}  // namespace onnxpress
