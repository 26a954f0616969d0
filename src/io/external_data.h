// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "io/wire.h"

namespace onnxpress::io {

// Where a tensor's bytes lie outside the model file.
struct ExternalRange {
  std::string location;  // a path below the model's folder
  std::int64_t offset = 0;
  std::optional<std::int64_t> length;  // to the end of the file where absent
  std::string checksum;                // SHA-1 of the whole file in hex, or empty
};

// From the entries of TensorProto.external_data. Keys count once; numbers are decimal digits only.
// Throws Error (external_data).
[[nodiscard]] ExternalRange parse_external_range(
    const std::vector<std::pair<std::string_view, std::string_view>>& entries);

// The data files of one model. Each is opened once, below the folder of the model and nowhere else;
// symbolic links are refused but for the layout of the Hugging Face cache (see ReadOptions).
class ExternalFiles {
 public:
  ExternalFiles(std::filesystem::path model, bool allow_links);
  ~ExternalFiles();
  ExternalFiles(const ExternalFiles&) = delete;
  ExternalFiles& operator=(const ExternalFiles&) = delete;

  struct Part {
    Bytes bytes;
    std::shared_ptr<const MappedFile> file;
  };
  // Throws Error (external_data) if the file can't be opened safely or is too short.
  Part read(const ExternalRange& range);

  // Throws Error (external_data) if two tensors share only a part of their bytes.
  void check_overlaps() const;
  // Throws Error (input_changed) if a file is no longer what it was.
  void check_unchanged() const;

 private:
  struct Opened {
    std::shared_ptr<const MappedFile> file;
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges;  // begin, end
    std::string sha1;                                           // once it was needed
  };
  Opened& open(const std::string& location);
  [[nodiscard]] int open_descriptor(const std::string& location) const;
  [[nodiscard]] int open_linked(const std::string& location) const;
  [[noreturn]] void fail(const std::string& location, const std::string& why,
                         const std::string& hint = {}) const;

  std::filesystem::path model_;
  bool allow_links_;
  int folder_ = -1;
  std::map<std::string, Opened> files_;
};

}  // namespace onnxpress::io
