// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/thread_pool.h"
#include "calib/exact_sums.h"
#include "calib/moments.h"
#include "calib/observers/channel_range.h"
#include "calib/observers/gram_sums.h"
#include "calib/observers/histogram.h"
#include "calib/observers/moving_range.h"
#include "calib/observers/range_choice.h"
#include "calib/observers/reservoir.h"

namespace onnxpress {

// What is collected of a tensor. Ranges and means per channel always are.
struct StatisticsRequest {
  bool histogram = true;
  bool gram = true;
  std::int64_t most_gram_channels = 8192;  // no Gram for wider tensors
  std::size_t reservoir_rows = 0;
  bool moving_range = false;  // can't be merged or stored
  friend bool operator==(const StatisticsRequest&, const StatisticsRequest&) = default;
};

// What a tensor [rows, width] looked like over all valid rows. Rows with NaN, infinity or a
// magnitude above 2^24 are left out of everything, and counted.
//
//   const TensorStatistics& x = statistics.at(unit.input);
//   const Range range = least_squares_range(*x.histogram, x.range(), {8, false});
struct TensorStatistics {
  std::int64_t width = 0;
  std::int64_t rows = 0;
  std::int64_t skipped_rows = 0;
  ChannelRange channels;
  ExactSums sum, sum_abs;  // [width]
  std::optional<Histogram> histogram;
  std::optional<GramSums> train, held_out;  // rows apart by CalibrationSet::held_out
  std::optional<RowReservoir> reservoir;
  std::optional<MovingRange> moving;

  TensorStatistics() = default;
  TensorStatistics(std::int64_t channel_count, const StatisticsRequest& request);

  // Adds the rows of a batch; after the last one finish() must be called. `scratch`: see
  // GramSums::add. Throws Error (unsupported_model) if the width is another, (bad_data) where sums
  // overflow.
  void add(const ValidRows& batch, Gram& scratch, ThreadPool& pool);
  void finish(Gram& scratch, ThreadPool& pool);
  // Adds another part. Both must have been made by the same request. A moving range is dropped:
  // it has no meaning for parts.
  TensorStatistics& operator+=(const TensorStatistics& other);

  [[nodiscard]] Range range() const;                   // of all elements; [0, 0] without rows
  [[nodiscard]] std::vector<double> mean() const;      // per channel
  [[nodiscard]] std::vector<double> mean_abs() const;  // per channel
  // Of all rows, train and held out. Throws Error (internal_error) where it was not collected.
  [[nodiscard]] Gram gram() const;
  // What solvers take; without an original to compare with. Same error.
  [[nodiscard]] StageMoments moments() const;

 private:
  // Rows that wait for more, since adding to a Gram matrix costs the same for one row as for many.
  // Never of two chunks, so that parts of a calibration add the same rows at once as the whole.
  struct Waiting {
    std::vector<float> train, held_out;
    std::int64_t chunk = -1;
  };
  void add_waiting(Gram& scratch, ThreadPool& pool);
  Waiting waiting_;
};

}  // namespace onnxpress
