// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "onnxpress/document.h"
#include "onnxpress/options.h"

namespace onnxpress {

// Runs a model on data and writes statistics of what its layers read to a file: once, for every
// recipe that needs them. docs/calibration.md tells more.
//
//   CalibrateRequest request;
//   request.model = "model.onnx";
//   request.data = {.data = "train.tsv", .tokenizer = "vocab.txt", .samples = 512};
//   request.output = "model.calib";
//   Document document = calibrate(request);
struct CalibrateRequest {
  std::string model{};  // a file, or a folder as the Hugging Face exporters write it
  std::string output{};
  bool force = false;  // replace what is there

  // 256 samples unless data.samples says otherwise.
  DataOptions data{};
  // Only part `shard` (from 1) of `shards`, in chunks of 128 samples; the parts can be merged.
  std::size_t shard = 1, shards = 1;
  bool histogram = true;  // of all elements of each tensor
  bool gram = true;       // products of channels: what solvers of weights need; most of the file
  std::size_t kept_rows = 256;  // rows of each tensor to keep, drawn at random: for smoothing
  // Made-up inputs where there are no data. Statistics of noise say little of real data; the file
  // and everything made with it says so.
  bool allow_random = false;

  ReadingOptions reading{};
  EngineOptions engine{};
};

// document.calibration tells what was collected. Throws Error, with nothing left behind.
[[nodiscard]] Document calibrate(const CalibrateRequest& request, const Control& control = {});

// Puts the parts of one calibration together, to the very bytes of the whole.
struct MergeCalibrationsRequest {
  std::vector<std::string> files{};
  std::string output{};
  bool force = false;
};
// Throws Error (calibration_mismatch) if the files do not belong together.
[[nodiscard]] Document merge_calibrations(const MergeCalibrationsRequest& request,
                                          const Control& control = {});

}  // namespace onnxpress
