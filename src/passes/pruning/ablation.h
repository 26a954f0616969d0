// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calib/staged_run.h"
#include "passes/pass.h"

namespace onnxpress {

// Measures how far variants of a model move from its outputs: the mean KL divergence of its logits,
// summed over outputs that are logits; for models without any ‖difference‖² / ‖output‖² of all
// outputs. On a few of the samples, always the same; what lies before the border runs once.
//
// With a temperature T, T²·KL of softmax(logits / T): samples that the model is sure of say
// something, too, so that fewer of them tell what a part is worth (K-prune, Park et al. 2024,
// softens likewise).
//
//   AblationRun run(model, calibration);
//   run.advance(working, input_of_a_layer);
//   … run.measure(a variant of working that differs behind it) …
class AblationRun {
 public:
  // `reference` and `calibration`, which must have data, must outlive it.
  AblationRun(const Model& reference, const Calibration& calibration, float temperature = 1);

  // From the inputs again, e.g. after changes to what has run.
  void restart();
  void advance(const Model& working, ValueId border);
  [[nodiscard]] double measure(const Model& variant);
  // The mean KL of logits; otherwise the relative change of the outputs.
  [[nodiscard]] bool measures_kl() const { return kl_; }

 private:
  struct Output {
    ValueId value = kNoValue;
    std::vector<float> rows;  // of the reference, one after the other
    std::int64_t count = 0;
  };
  // Rows of a batch that are compared.
  [[nodiscard]] std::vector<std::size_t> chosen(const Activations& a) const;
  // An output of a batch: logits divided by the temperature, others as they are.
  [[nodiscard]] std::vector<float> softened(const Activations& a) const;
  void find_outputs();

  const Model& reference_;
  float temperature_;
  CalibrationSet set_;
  StagedRunOptions options_;
  bool kl_ = false;
  std::uint64_t stride_ = 1;  // one row of so many is compared
  std::vector<Output> outputs_;
  std::vector<ValueId> values_;
  std::optional<StagedRun> run_;
};

}  // namespace onnxpress
