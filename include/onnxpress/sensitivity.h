// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "onnxpress/document.h"
#include "onnxpress/options.h"

namespace onnxpress {

// Measures what it costs to remove or to round one part of a model at a time: how far the outputs
// go, as the mean KL of the logits, or as the relative error where there are no logits.
//
//   SensitivityRequest request;
//   request.model = "model.onnx";
//   request.data = {.data = "train.tsv", .tokenizer = "vocab.txt"};
//   Document document = sensitivity(request);
//   for (const UnitRecord& unit : document.passes[0].units) … unit.figures[0] …
struct SensitivityRequest {
  std::string model{};  // a file, or a folder as the Hugging Face exporters write it
  DataOptions data{};   // 64 samples unless data.samples says otherwise
  ReadingOptions reading{};
  EngineOptions engine{};
};

// document.passes holds one record, "sensitivity": a unit for each part and change, with what
// would be saved and the figure "kl" or "output_error". Throws Error.
[[nodiscard]] Document sensitivity(const SensitivityRequest& request, const Control& control = {});

}  // namespace onnxpress
