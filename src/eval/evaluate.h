// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "eval/metrics.h"
#include "eval/task.h"
#include "exec/session.h"
#include "onnxpress/document.h"

namespace onnxpress {

struct EvaluationOptions {
  std::size_t batch = 32;
  std::uint64_t seed = 1;                // of the bootstrap
  std::size_t logits_bytes = 256 << 20;  // a batch is split where its outputs would be larger
  std::function<void(std::size_t done, std::size_t total)> progress;  // in samples
  const std::atomic<bool>* cancelled = nullptr;  // once true: Error (cancelled)
};

// One model's figures over the data set.
struct ModelScore {
  std::vector<Metric> metrics;
  double seconds = 0;  // spent in Session::run
};

struct Evaluation {
  TaskChoice task;
  std::size_t samples = 0;
  std::int64_t tokens = 0;
  ModelScore reference;
  std::optional<ModelScore> candidate;
  std::vector<OutputAgreement> agreement;  // one an output, with a candidate
  std::vector<Metric> changes;             // with a candidate: accuracy_drop, …
};

// Runs the models side by side, batch by batch, and measures the reference, the candidate (unless
// nullptr) and how far apart they are. Only figures are kept of a batch. `tokens`: what token ids
// are looked up in, see token_input().
// Throws Error: bad_label where a label is no class of the model, tokenizer_mismatch where a token
// id has no row in the table, shape_mismatch where the outputs of the two differ in shape, and what
// Session::run and make_batch throw.
[[nodiscard]] Evaluation evaluate(const Session& reference, const Session* candidate,
                                  const Dataset& data, std::span<const InputSpec> inputs,
                                  const std::optional<LookedUpInput>& tokens,
                                  const EvaluationOptions& options);

// Throws Error (tokenizer_mismatch) if a token id of the data has no row in the table.
void require_known_tokens(const Dataset& data, const std::optional<LookedUpInput>& tokens);

// Throws Error (bad_label) naming the first sample whose label is not one of 0 … classes-1.
void require_known_labels(const Dataset& data, std::int64_t classes);

}  // namespace onnxpress
