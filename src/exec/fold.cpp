// SPDX-License-Identifier: Apache-2.0
#include "exec/fold.h"

#include "base/error_codes.h"
#include "exec/arena.h"
#include "exec/memory_size.h"

namespace onnxpress::exec {
namespace {

// A context whose outputs are tensors of their own.
class FoldContext final : public KernelContext {
 public:
  FoldContext(const NodeInfo& info, const KernelState* state, ThreadPool& pool)
      : graph_(info.graph), outputs_(info.node.outputs.size()) {
    node_ = &info.node;
    state_ = state;
    pool_ = &pool;
    opset_ = info.opset;
    instruction_set_ = info.instruction_set;
    for (const ValueId id : info.node.inputs) {
      inputs_.push_back(id == kNoValue ? TensorView{} : view(*graph_.constant(id)));
    }
  }

  const TensorView& input(std::size_t i) const override {
    if (!has_input(i)) throw_missing_input(i);
    return inputs_[i];
  }

  std::byte* output(std::size_t i, DType dtype, const Extents& dims) override {
    const std::size_t bytes = memory_size(dtype, dims);
    if (bytes > kLargestFoldedBytes) {
      throw Error(codes::out_of_memory, "the folded constant is too big");
    }
    const auto memory = allocate_bytes(bytes);
    outputs_[i] = Tensor(dtype, dims.dims(), {memory.get(), bytes}, memory);
    return memory.get();
  }

  void alias_output(std::size_t i, std::size_t j, const Extents& dims) override {
    outputs_[i] = graph_.constant(node_->inputs[j])->reshaped(dims.dims());
  }

  std::byte* scratch(std::size_t bytes) override { return scratch_.allocate(bytes); }

  std::vector<Tensor> take() { return std::move(outputs_); }

 private:
  const Graph& graph_;
  std::vector<TensorView> inputs_;
  std::vector<Tensor> outputs_;
  Scratch scratch_;
};

}  // namespace

std::optional<std::vector<Tensor>> fold_node(const NodeInfo& info, const KernelRow& row,
                                             ThreadPool& pool) {
  for (const ValueId id : info.node.inputs) {
    if (id == kNoValue) continue;
    const Tensor* constant = info.graph.constant(id);
    if (constant == nullptr || constant->dtype() == DType::string) return std::nullopt;
  }
  try {
    const auto state = row.prepare != nullptr ? row.prepare(info) : nullptr;
    FoldContext context(info, state.get(), pool);
    row.run(context);
    auto outputs = context.take();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (context.wants_output(i) && outputs[i].dtype() == DType::undefined) return std::nullopt;
    }
    return outputs;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace onnxpress::exec
