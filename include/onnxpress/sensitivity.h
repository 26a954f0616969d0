// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "onnxpress/document.h"
#include "onnxpress/options.h"

namespace onnxpress {

// Measures what it costs to remove or to round one part of a model at a time: how far the outputs
// go, as the mean KL of the logits, or as the relative error where there are no logits. Heads and
// neurons get all scores that the pruning passes know; without data only their norms.
//
//   SensitivityRequest request;
//   request.model = "model.onnx";
//   request.data = {.data = "train.tsv", .tokenizer = "vocab.txt"};
//   Document document = sensitivity(request);
//   for (const UnitRecord& unit : document.passes[0].units) … unit.figures[0] …
struct SensitivityRequest {
  std::string model{};  // a file, or a folder as the Hugging Face exporters write it
  DataOptions data{};   // 64 samples unless data.samples says otherwise
  // "layers", "units", "heads", "neurons"; empty: all, of which layers and units need data.
  std::vector<std::string> kinds{};
  // Also times the model with fewer heads and neurons in its layers, and writes what that saves to
  // this file, for the option latency_table of prune_heads and prune_neurons; "": no.
  std::string latency_table{};
  std::string latency_shape = "1x128";  // batch and tokens of the timed runs
  bool force = false;                   // replace the table if it is there
  ReadingOptions reading{};
  EngineOptions engine{};
};

// document.passes holds a record "sensitivity": a unit for each part and change, with what would be
// saved and the figure "kl" or "output_error"; of heads and neurons "norm", "activation", "obs" and
// "kl" or "model_error". With a latency table also a record "latency": a unit for each row, with
// the figures "ms" and "saved_ms". Throws Error.
[[nodiscard]] Document sensitivity(const SensitivityRequest& request, const Control& control = {});

}  // namespace onnxpress
