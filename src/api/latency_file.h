// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/request.h"
#include "io/writer.h"
#include "onnxpress/sensitivity.h"

namespace onnxpress::api {

// The file that says what fewer heads and neurons save in time.
class LatencyFile {
 public:
  // Throws Error where the file can't be written or the shape can't be read, before there is any
  // work.
  explicit LatencyFile(const SensitivityRequest& request);

  // Measures the model, adds the record "latency" to the document and writes the file.
  void measure(Recorder& recorder, const Model& model) const;

 private:
  const SensitivityRequest& request_;
  WriteOptions writing_;
};

}  // namespace onnxpress::api
