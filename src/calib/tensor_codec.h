// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "calib/tensor_statistics.h"

namespace onnxpress {

// The statistics of a tensor as they stand in a calibration file. A moving range is left out.
[[nodiscard]] std::string encode_statistics(const TensorStatistics& statistics);

// Throws Error (bad_calibration) where the bytes are not what encode_statistics() could have
// written.
[[nodiscard]] TensorStatistics decode_statistics(std::span<const std::byte> bytes);

// Throws Error (bad_calibration) unless the two, read from files, can be added.
void require_same_kind(const TensorStatistics& a, const TensorStatistics& b);

}  // namespace onnxpress
