// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "exec/arena.h"
#include "exec/kernel.h"
#include "exec/plan.h"
#include "exec/program.h"

namespace onnxpress::exec {

// Runs a program's steps and keeps the books on where values lie. The first run with some sizes of
// inputs (no plan is cached for them) takes memory from the arena piece by piece and records what
// it learns; later ones follow the plan.
class Execution final : public KernelContext {
 public:
  // Gets the index in the program's taps and the value.
  using See = std::function<void(int, const Tensor&)>;

  Execution(const Program& program, ThreadPool& pool, Arena& arena);

  // inputs[i] belongs to graph().inputs()[i]. Returns the graph's outputs, in order.
  std::vector<Tensor> run(std::span<const Tensor* const> inputs, const See& see);

  const TensorView& input(std::size_t i) const override;
  std::byte* output(std::size_t i, DType dtype, const Extents& dims) override;
  void alias_output(std::size_t i, std::size_t j, const Extents& dims) override;
  std::byte* scratch(std::size_t bytes) override { return scratch_.allocate(bytes); }

 private:
  // Whose memory a value lies in.
  enum class Storage : std::uint8_t { none, external, arena, planned, heap };
  struct Slot {
    TensorView view;
    ValueId root = kNoValue;  // the value whose memory this is: itself unless it is an alias
    // Of roots only:
    Storage storage = Storage::none;
    int pending = 0;                    // reads of it and of its aliases that are still to come
    bool keep = false;                  // recording: the plan may keep it, so it is not let go
    std::int32_t buffer = -1;           // arena, planned: index in the plan's buffers
    std::shared_ptr<const void> owner;  // heap; external: keeps the tensor's bytes
  };

  Slot& slot(ValueId id) { return slots_[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const Slot& slot(ValueId id) const { return slots_[static_cast<std::size_t>(id)]; }
  void clear();
  void bind(ValueId id, std::shared_ptr<const Tensor> tensor);
  void bind_constants();
  void choose_plan(std::span<const Tensor* const> inputs);
  void run_step(std::size_t index, const See& see);
  void show(ValueId id, const See& see);
  void release_inputs(const Node& node);
  void release(ValueId root);
  [[nodiscard]] std::byte* in_place_memory(ValueId id, std::size_t bytes);
  [[nodiscard]] std::byte* recorded_memory(ValueId id, std::size_t bytes);
  [[nodiscard]] std::byte* planned_memory(ValueId id, std::size_t bytes);
  void finish_recording();
  [[nodiscard]] Tensor tensor(ValueId id) const;

  const Program& program_;
  Arena& arena_;
  Scratch scratch_;
  PlanCache plans_;
  std::vector<Slot> slots_;
  std::vector<std::int64_t> key_;
  std::unique_ptr<Plan> recording_;
  std::vector<std::byte*> recorded_;  // by buffer: where it lies in the recording run
  Plan* plan_ = nullptr;
  std::byte* planned_base_ = nullptr;
  std::size_t step_ = 0;
};

}  // namespace onnxpress::exec
