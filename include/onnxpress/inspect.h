// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "onnxpress/document.h"
#include "onnxpress/options.h"

namespace onnxpress {

// What is in models: one entry in document.descriptions for each. With `explain`, also every
// product of the graph with why it can or can't be compressed. Throws Error.
[[nodiscard]] Document inspect(const std::vector<std::string>& models, bool explain,
                               const ReadingOptions& reading = {});

// Reads models strictly and reports what breaks ONNX's rules, and what `target` ("": none,
// "ort-cpu", "ort-cpu-avx2") refuses or does badly: see docs/targets.md. Throws Error for a model
// that can't be read; lesser faults are findings, and errors among them make document.exit_code 3,
// refusals of the target alone 4.
[[nodiscard]] Document check(const std::vector<std::string>& models, const std::string& target,
                             const ReadingOptions& reading = {});

}  // namespace onnxpress
