// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "onnxpress/document.h"

// Figures as people read them; always with a point, whatever the locale.
namespace onnxpress {

[[nodiscard]] std::string format_bytes(std::int64_t bytes);     // "91.0 MB", "512 B"
[[nodiscard]] std::string format_milliseconds(double ms);       // "20.1 ms", "1.25 s"
[[nodiscard]] std::string format_percent(double share);         // "89.56 %"
[[nodiscard]] std::string format_points(double share);          // "-0.11 points"
[[nodiscard]] std::string format_count(std::int64_t count);     // "6,212"
[[nodiscard]] std::string format_metric(const Metric& metric);  // by its unit
[[nodiscard]] std::string format_conditions(
    const Latency& latency);  // "batch 1 x 128, 2 threads, AVX2"

}  // namespace onnxpress
