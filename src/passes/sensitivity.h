// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "model/transformer_view.h"

namespace onnxpress {

// One thing that could be done to one part of a model, to find out what it costs. Heads and neurons
// have scores of their own: pruning/part_scores.h.
struct Probe {
  std::string unit;    // its label
  std::string kind;    // "layer", "linear"
  std::string change;  // "removed", "INT8", "INT4 g32"
  std::int64_t bytes_before = 0, bytes_after = 0;
  // Does it to a copy of the model that the probe was made for. Returns "" or why it can't be.
  std::function<std::string(Model&)> apply{};
};

// Each whole layer, bypassed. All probes keep references to the model and its view.
[[nodiscard]] std::vector<Probe> layer_probes(const Model& model, const TransformerView& view);

// Each linear unit that can be compressed, rounded to nearest: INT8 per channel and INT4 in groups
// of 32. Units that share a weight are rounded together and named once.
[[nodiscard]] std::vector<Probe> rounding_probes(const Model& model, const TransformerView& view,
                                                 ThreadPool& pool);

}  // namespace onnxpress
