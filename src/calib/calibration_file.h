// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "base/sha256.h"
#include "calib/calibration_set.h"
#include "calib/tensor_statistics.h"
#include "ir/graph.h"

namespace onnxpress {

// What a calibration file says about itself.
struct CalibrationHeader {
  std::string model;  // fingerprint() of the model and of all samples, also of other shards
  std::string data;
  bool random = false;             // made-up inputs
  std::uint64_t data_samples = 0;  // of all shards together, with those that were skipped
  std::uint64_t batch_size = 0;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> chunks;  // covered, [first, last), ascending
  std::int64_t samples = 0, tokens = 0, skipped_samples = 0;    // of the chunks covered
  StatisticsRequest request;                                    // without a moving range

  [[nodiscard]] std::uint64_t chunk_count() const {
    return (data_samples + kChunkSamples - 1) / kChunkSamples;
  }
  [[nodiscard]] std::uint64_t chunks_covered() const;
  // No other shard is to be merged: Gram matrices are stored as floats.
  [[nodiscard]] bool is_complete() const { return chunks_covered() == chunk_count(); }
  friend bool operator==(const CalibrationHeader&, const CalibrationHeader&) = default;
};

[[nodiscard]] CalibrationHeader header_of(const Model& model, const CalibrationSet& set,
                                          const StatisticsRequest& request, bool random);

// The bytes of a calibration file. docs/calibration.md describes the format.
class CalibrationEncoder {
 public:
  CalibrationEncoder(CalibrationHeader header, std::size_t tensors);
  // As many as were announced. Names must differ.
  void add(const std::string& name, TensorStatistics&& statistics);
  // The contents, in pieces.
  [[nodiscard]] std::vector<std::string> finish() &&;

 private:
  void append(std::string piece);
  CalibrationHeader header_;
  std::vector<std::string> pieces_;
  Sha256 hash_;
};

// A calibration file, open for reading. Its tensors are decoded one by one as they are asked for.
class CalibrationFile {
 public:
  // Throws Error: file_missing, not_a_file, cannot_read, bad_calibration (no calibration file, of
  // another version, damaged).
  static CalibrationFile open(const std::filesystem::path& path);

  [[nodiscard]] const CalibrationHeader& header() const { return header_; }
  // In the order of the graph.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  // Nothing if the file has no tensor of that name. Throws Error (bad_calibration).
  [[nodiscard]] std::optional<TensorStatistics> statistics_for(std::string_view value_name) const;
  // Throws Error (calibration_mismatch) unless the file was made with this very model.
  void require_model(const Model& model) const;

 private:
  CalibrationFile() = default;
  std::shared_ptr<const MappedFile> file_;
  CalibrationHeader header_;
  std::vector<std::string> names_;
  std::map<std::string, std::span<const std::byte>, std::less<>> tensors_;
};

// The file that a run over all the files' chunks would have made, to the byte. Throws Error
// (calibration_mismatch) if they were made with different models, data or options, or if two have
// the same samples.
[[nodiscard]] std::vector<std::string> merge_calibrations(std::span<const CalibrationFile> files);

}  // namespace onnxpress
