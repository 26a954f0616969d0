// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "calib/calibration_file.h"
#include "calib/moments.h"
#include "numerics/smoothing.h"

namespace onnxpress {

// What a calibration file knows of the original model, for a graph that passes have edited since.
// Values are found by their names. Where a pass has scaled the channels of a value, the statistics
// are scaled as well; rounding errors that passes have made are not in them.
//
//   OriginalStatistics original(CalibrationFile::open("model.calib"));
//   original.scaled("norm_out", "norm_out", scales);  // smoothing divided it
//   const auto moments = original.moments("norm_out");
class OriginalStatistics {
 public:
  explicit OriginalStatistics(CalibrationFile file) : file_(std::move(file)) {}

  // From now on the value `name` is what `source` was, each channel divided by its scale.
  void scaled(const std::string& name, const std::string& source, std::vector<double> scales);

  [[nodiscard]] bool has_grams() const { return file_.header().request.gram; }
  [[nodiscard]] bool has_rows() const { return file_.header().request.reservoir_rows > 0; }

  // Both models see the same input. Nothing if the file has no Gram of the value, or no row.
  // These throw Error (bad_calibration).
  [[nodiscard]] std::optional<StageMoments> moments(const std::string& name) const;
  // One batch, without padding: its range is that of all rows. Nothing if the file keeps no rows of
  // the value to solve on.
  [[nodiscard]] std::optional<SmoothingInput> smoothing_input(const std::string& name) const;

 private:
  struct Source {
    std::string name;
    std::vector<double> scales;  // empty: 1
  };
  [[nodiscard]] Source source_of(const std::string& name) const;

  CalibrationFile file_;
  std::map<std::string, Source> scaled_;
};

}  // namespace onnxpress
