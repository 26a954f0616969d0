// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "calib/calibration_set.h"
#include "exec/session.h"
#include "ir/graph.h"

namespace onnxpress {

struct OutputCostOptions {
  SessionOptions session{};
  std::int64_t samples = 64;             // at most, in whole batches
  std::size_t output_bytes = 256 << 20;  // of outputs that are kept; at least one batch
  std::function<void()> tick{};          // called after each batch; throws to cancel
};

// What a change costs where it counts: how far a model's outputs go from those of the model before
// the change. Each candidate runs once over the samples, the reference once in all.
//
//   const OutputCost cost(model, set, {.session = session, .samples = 64});
//   for (…) costs.push_back(cost.of(candidate));
class OutputCost {
 public:
  // Runs the reference. Throws what Session and make_batch throw.
  OutputCost(const Model& reference, const CalibrationSet& set, OutputCostOptions options);
  ~OutputCost();
  OutputCost(OutputCost&&) noexcept;
  OutputCost& operator=(OutputCost&&) noexcept;

  // Of outputs that are logits the mean KL(reference ‖ candidate) in nats; where there are none,
  // ‖candidate - reference‖ / ‖reference‖ over all outputs of floats. Infinite where the outputs
  // have another shape or are not finite.
  [[nodiscard]] double of(const Model& candidate) const;
  [[nodiscard]] bool is_divergence() const;
  [[nodiscard]] std::string_view metric() const { return is_divergence() ? "KL" : "output error"; }
  [[nodiscard]] std::int64_t samples() const;  // that it was measured on

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace onnxpress
