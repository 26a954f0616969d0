// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu.h"
#include "ir/graph.h"

namespace onnxpress {

using TensorMap = std::map<std::string, Tensor, std::less<>>;

struct SessionOptions {
  int threads = 0;                 // 0: as many as there are cores available to this process
  bool reference_kernels = false;  // only the plain kernels; for tests and for finding bugs
  bool fuse = true;
  std::optional<InstructionSet>
      instruction_set{};  // use nothing above this; default: what the CPU has
};

// Values to be seen while a model runs: graph inputs, constants or what nodes compute, by name.
// `see` gets each once per run, in order of computation; the tensor may be kept.
struct Tap {
  std::vector<std::string> values;
  std::function<void(std::string_view name, const Tensor& tensor)> see;
};

// An input or output of a model as its file declares it.
struct PortInfo {
  std::string name;
  DType dtype = DType::undefined;
  std::optional<Shape> shape;  // nothing: not even the rank is known
  bool optional = false;       // an input with a default
};

// A model ready to run: kernels chosen, constants folded, weights packed. The first run with some
// sizes of inputs plans memory; later ones follow the plan. Weights are shared with the model, not
// copied. Runs on one session exclude each other; results do not depend on the number of threads.
//
//   Session session(model, {.threads = 2});
//   TensorMap out = session.run({{"input_ids", Tensor::of<std::int64_t>({1, 3}, {101, 7592,
//   102})}});
class Session {
 public:
  // Throws Error (unsupported_operator) that lists every operator it can't compute, with its
  // nodes; Error (graph_malformed, attribute_malformed) where nodes break the operator's rules.
  explicit Session(const Model& model, const SessionOptions& options = {});
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // All outputs of the graph by name. Throws Error: missing_input (an input is not given, or the
  // model has none of that name), shape_mismatch (element type, rank or a fixed size differs,
  // or sizes do not fit together inside), out_of_memory. With a tap,
  // nodes whose fusion would hide a tapped value run unfused; a name that the model does not have
  // is an Error (unknown_name).
  TensorMap run(const TensorMap& inputs, const Tap& tap = {}) const;

  [[nodiscard]] const std::vector<PortInfo>& inputs() const;
  [[nodiscard]] const std::vector<PortInfo>& outputs() const;
  [[nodiscard]] int threads() const;
  [[nodiscard]] InstructionSet instruction_set() const;
  // Memory that is kept for intermediate values between runs.
  [[nodiscard]] std::size_t arena_bytes() const;
  // One line per node that will run: kernel, name, and whether it runs once per set of sizes.
  [[nodiscard]] std::string describe() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace onnxpress
