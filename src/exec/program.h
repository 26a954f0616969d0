// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "exec/kernel_table.h"
#include "ir/graph.h"

namespace onnxpress::exec {

struct ProgramOptions {
  bool reference_kernels = false;
  bool fuse = true;
  InstructionSet instruction_set = InstructionSet::baseline;
};

// One node with its kernel.
struct Step {
  NodeId id{};
  const Node* node = nullptr;
  const KernelRow* row = nullptr;
  std::unique_ptr<KernelState> state;
  std::int64_t opset = 0;
  // The outputs depend on the sizes of the graph's inputs only, not on their elements.
  bool per_shape = false;
};

// A graph made ready: constants folded, nodes fused, a kernel for each. Immutable.
class Program {
 public:
  // `tapped` values survive fusion. Throws Error (unsupported_operator, graph_malformed,
  // attribute_malformed).
  Program(Graph graph, std::span<const OpsetImport> opsets, std::span<const ValueId> tapped,
          const ProgramOptions& options, ThreadPool& pool);

  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }
  [[nodiscard]] InstructionSet instruction_set() const { return options_.instruction_set; }
  [[nodiscard]] DType type(ValueId id) const { return types_[static_cast<std::size_t>(id)]; }
  // How often steps read the value, plus one if it is a graph output.
  [[nodiscard]] int uses(ValueId id) const { return uses_[static_cast<std::size_t>(id)]; }
  // The value, or an alias of it, is a graph output or tapped: its memory outlives the run.
  [[nodiscard]] bool escapes(ValueId id) const { return escapes_[static_cast<std::size_t>(id)]; }
  // The index among `tapped`, or -1.
  [[nodiscard]] int tap_index(ValueId id) const { return taps_[static_cast<std::size_t>(id)]; }

 private:
  struct Choice {
    NodeId id{};
    std::int64_t opset = 0;
    std::vector<DType> input_types;
    KernelChoice kernel;
  };
  [[nodiscard]] std::int64_t opset(const Node& node) const;
  void infer_input_types();
  void infer_types();
  [[nodiscard]] Choice choose(NodeId id);
  void fold(bool keep_dequantization, ThreadPool& pool);
  void make_steps();
  void find_uses(std::span<const ValueId> tapped);
  void find_per_shape_steps();

  Graph graph_;
  std::vector<OpsetImport> opsets_;
  ProgramOptions options_;
  std::vector<DType> types_;
  std::vector<Step> steps_;
  std::vector<int> uses_, taps_;
  std::vector<bool> escapes_;
};

}  // namespace onnxpress::exec
