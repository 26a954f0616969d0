// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "io/rope.h"

namespace onnxpress::io {

// A file whose bytes are on their way to the disk.
class UnsyncedFile {
 public:
  UnsyncedFile(std::filesystem::path path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}
  ~UnsyncedFile();
  UnsyncedFile(UnsyncedFile&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  UnsyncedFile& operator=(UnsyncedFile&&) = delete;
  UnsyncedFile(const UnsyncedFile&) = delete;
  UnsyncedFile& operator=(const UnsyncedFile&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // Waits for the disk. Once; throws Error (cannot_write).
  void sync();

 private:
  std::filesystem::path path_;
  int descriptor_;
};

// A folder of its own beside a destination, named `<destination>.tmp-XXXXXX`, in which files are
// made before they are moved to where they belong. It goes away with the object, and with
// remove_staged_files(). Folders that a killed process has left are removed by the next one after
// an hour.
class StagingFolder {
 public:
  // Throws Error (cannot_write).
  explicit StagingFolder(const std::filesystem::path& destination);
  ~StagingFolder();
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;

  // Writes a file, down to the disk. Throws Error (cannot_write).
  std::filesystem::path write(const std::string& name, const Rope& contents);
  // The same, but the disk is only told to begin: the file can be read, and is not safe before
  // sync().
  UnsyncedFile begin_writing(const std::string& name, const Rope& contents);

 private:
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> files_;
  int lock_ = -1;  // held on the folder, so that others see that it is in use
  int slot_ = -1;  // in the table for signal handlers
};

}  // namespace onnxpress::io
