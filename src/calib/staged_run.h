// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include "calib/activation_rows.h"
#include "calib/calibration_set.h"
#include "exec/session.h"
#include "ir/graph.h"

namespace onnxpress {

// One value for one batch. Tensors may be kept (copies share the elements).
struct Activations {
  ValueId value = kNoValue;
  const Tensor* original = nullptr;  // nullptr unless the run is a pair
  const Tensor* edited = nullptr;    // what the edited graph computes: X~
  const ActivationRows* rows = nullptr;
  std::size_t batch = 0;  // index in the CalibrationSet
};

struct StagedRunOptions {
  SessionOptions session{};
  bool pair = false;  // run the original in step, for Activations::original
  // Activations kept between two stages: beyond so many bytes they go to a file without a name in
  // `spill_folder` (empty: the system's folder for temporary files).
  std::size_t memory_bound = 16 << 20;
  std::filesystem::path spill_folder{};
  std::function<void(double)> progress{};        // share of the present stage's batches
  const std::atomic<bool>* cancelled = nullptr;  // once true: Error (cancelled)
};

// What a run has cost so far.
struct StagedRunFigures {
  std::int64_t stages = 0;
  std::int64_t nodes = 0;  // run over all the data, summed over stages and both models
  std::size_t memory_bytes = 0, spilled_bytes = 0;  // kept at the last stage's border
  std::size_t most_spilled_bytes = 0;
};

// Runs the calibration data stage by stage through a graph that is being edited: each stage runs
// only what lies between the last stage's border and the values it is asked for, all batches of
// it, in an order that is always the same.
//
//   StagedRun run(original, set, {.pair = true});
//   for (const Stage& stage : stages) {  // e.g. {q, k, v}, {o}, {up}, {down}
//     run.advance(edited, stage.inputs, [&](const Activations& a) {
//       … X is *a.original, X~ is *a.edited …
//     });
//     … solve the units of the stage, edit `edited` …
//   }
//
// The edited graph starts as a copy of the original and keeps the ids of values that are asked for.
// Usually only nodes that have not run yet are edited. If one has run (a scale that is folded into
// a norm, say), what depends on it runs again, from as far up as needed: right, but slower. Memory:
// the border (bounded, see memory_bound), one batch, and the weights of one stage packed.
class StagedRun {
 public:
  // `original` and `set` must outlive the run.
  StagedRun(const Model& original, const CalibrationSet& set, StagedRunOptions options = {});
  ~StagedRun();
  StagedRun(StagedRun&&) noexcept;
  StagedRun& operator=(StagedRun&&) noexcept;

  // Calls `see` once for each batch and value; batch by batch, within a batch in an order that
  // depends on the graph only. Constants and graph inputs may be asked for, too.
  // Throws Error: unknown_name (the edited graph, or in a pair the original, does not have the
  // value), cancelled, cannot_write (the disk is full), and what Session and make_batch throw.
  // After an exception, also one of `see`, the run can't be advanced any more (internal_error).
  void advance(const Model& edited, std::span<const ValueId> values,
               const std::function<void(const Activations&)>& see);

  // Runs a variant of the edited model from the present border to `values` and leaves the run where
  // it is: what a change costs further on, without running what lies before it again. The original
  // does not run, Activations::original is nullptr. What the variant changes before the border runs
  // again, from as far up as needed. Throws what advance() throws.
  void peek(const Model& variant, std::span<const ValueId> values,
            const std::function<void(const Activations&)>& see);

  [[nodiscard]] const StagedRunFigures& figures() const;
  [[nodiscard]] const CalibrationSet& set() const;
  [[nodiscard]] const Model& original() const;
  [[nodiscard]] bool is_pair() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace onnxpress
