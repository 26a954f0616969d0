// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "exec/tensor_view.h"
#include "ir/graph.h"

// What a kernel is: a row in the kernel table (kernel_table.cpp), with a function that computes one
// node, and what it needs to be told and to tell.
namespace onnxpress::exec {

// The domain of nodes that fusion makes; they exist only inside a session. Its opset is 1.
inline constexpr std::string_view kFusedDomain = "onnxpress.fused";
// The newest opset of ai.onnx whose operators were compared with the table.
inline constexpr int kNewestOpset = 28;

// A set of element types.
class TypeSet {
 public:
  constexpr TypeSet() = default;
  constexpr TypeSet(std::initializer_list<DType> types) {
    for (const DType type : types) mask_ |= bit(type);
  }
  [[nodiscard]] constexpr bool has(DType type) const { return (mask_ & bit(type)) != 0; }
  friend constexpr TypeSet operator|(TypeSet a, TypeSet b) {
    a.mask_ |= b.mask_;
    return a;
  }

 private:
  static constexpr std::uint64_t bit(DType type) {
    const auto number = static_cast<std::uint32_t>(type);
    return number < 64 ? std::uint64_t{1} << number : 0;
  }
  std::uint64_t mask_ = 0;
};

inline constexpr TypeSet kFloat32{DType::float32};
inline constexpr TypeSet kFloats{DType::float32, DType::float64, DType::float16, DType::bfloat16};
inline constexpr TypeSet kSigned{DType::int8, DType::int16, DType::int32, DType::int64};
inline constexpr TypeSet kUnsigned{DType::uint8, DType::uint16, DType::uint32, DType::uint64};
inline constexpr TypeSet kIntegers = kSigned | kUnsigned;
inline constexpr TypeSet kBool{DType::boolean};
inline constexpr TypeSet kNumbers = kFloats | kIntegers;
inline constexpr TypeSet kAll = kNumbers | kBool;  // every type with elements of whole bytes

// What is known of a node before anything runs. Used to choose and to prepare its kernel.
struct NodeInfo {
  const Graph& graph;
  const Node& node;
  std::int64_t opset;
  std::span<const DType> input_types;  // undefined where an input is left out
  InstructionSet instruction_set;

  [[nodiscard]] bool has_input(std::size_t i) const { return node.input(i) != kNoValue; }
  [[nodiscard]] DType type(std::size_t i) const {
    return i < input_types.size() ? input_types[i] : DType::undefined;
  }
  // The tensor of input i if it is constant, otherwise nullptr.
  [[nodiscard]] const Tensor* constant(std::size_t i) const {
    return graph.constant(node.input(i));
  }
};

// What a kernel keeps between runs: packed weights, parsed attributes. Never written after prepare.
struct KernelState {
  KernelState() = default;
  KernelState(const KernelState&) = delete;
  KernelState& operator=(const KernelState&) = delete;
  virtual ~KernelState() = default;
};

// What the executor offers to a kernel while it computes one node. A kernel reads its inputs,
// computes its output's sizes, asks for its memory and fills it:
//
//   void relu(KernelContext& c) {
//     const auto x = c.input(0).as<float>();
//     const auto y = c.output<float>(0, c.input(0).dims);
//     c.parallel_for(c.input(0).size, 16384, [&](std::int64_t begin, std::int64_t end) { … });
//   }
//
// Nothing here allocates from the heap once the shapes have been seen; kernels shall not either
// (use Extents for sizes and scratch() for buffers).
class KernelContext {
 public:
  virtual ~KernelContext() = default;

  [[nodiscard]] const Node& node() const { return *node_; }
  [[nodiscard]] std::int64_t opset() const { return opset_; }
  [[nodiscard]] InstructionSet instruction_set() const { return instruction_set_; }
  [[nodiscard]] ThreadPool& pool() const { return *pool_; }
  template <class S>
  [[nodiscard]] const S& state() const {
    return static_cast<const S&>(*state_);
  }

  [[nodiscard]] std::size_t input_count() const { return node_->inputs.size(); }
  [[nodiscard]] std::size_t output_count() const { return node_->outputs.size(); }
  [[nodiscard]] bool has_input(std::size_t i) const { return node_->input(i) != kNoValue; }
  [[nodiscard]] bool wants_output(std::size_t i) const {
    return i < node_->outputs.size() && node_->outputs[i] != kNoValue;
  }
  // Throws Error (graph_malformed) if the input is left out.
  [[nodiscard]] virtual const TensorView& input(std::size_t i) const = 0;

  // Memory for output i (64-byte aligned, not initialised); to be called once per wanted output,
  // after everything that can fail. Throws Error (out_of_memory).
  virtual std::byte* output(std::size_t i, DType dtype, const Extents& dims) = 0;
  template <class T>
  std::span<T> output(std::size_t i, const Extents& dims) {
    auto* data = reinterpret_cast<T*>(output(i, dtype_of<T>, dims));
    return {data, static_cast<std::size_t>(product(dims))};
  }
  // Output i is input j's bytes under other sizes. Whether a kernel calls this may depend on
  // types, attributes and shapes, not on values.
  virtual void alias_output(std::size_t i, std::size_t j, const Extents& dims) = 0;

  // 64-byte aligned memory that is valid until the kernel returns; not initialised. Not to be
  // called from within parallel_for.
  virtual std::byte* scratch(std::size_t bytes) = 0;
  template <class T>
  std::span<T> scratch(std::size_t count) {
    return {reinterpret_cast<T*>(scratch(count * sizeof(T))), count};
  }

  // ThreadPool::parallel_for without an allocation for the closure.
  template <class Body>
  void parallel_for(std::int64_t count, std::int64_t chunk, const Body& body) const {
    pool_->parallel_for(count, chunk, std::cref(body));
  }

  // The attribute's integers without copying them; empty where it is absent.
  [[nodiscard]] std::span<const std::int64_t> ints(std::string_view attribute) const;
  [[nodiscard]] std::int64_t get_int(std::string_view attribute, std::int64_t fallback) const {
    return node_->attributes.get_int(attribute, fallback);
  }
  [[nodiscard]] float get_float(std::string_view attribute, float fallback) const {
    return node_->attributes.get_float(attribute, fallback);
  }

 protected:
  [[noreturn]] static void throw_missing_input(std::size_t i);

  const Node* node_ = nullptr;
  const KernelState* state_ = nullptr;
  ThreadPool* pool_ = nullptr;
  std::int64_t opset_ = 0;
  InstructionSet instruction_set_ = InstructionSet::baseline;
};

// One way to compute one operator. Rows are tried in order; the first that fits is used.
struct KernelRow {
  std::string_view op_type;
  // Opset versions of the domain in which the operator means what the kernel computes, ends
  // included.
  int since = 1;
  int until = kNewestOpset;
  TypeSet types = kAll;        // of input `type_input`
  std::size_t type_input = 0;  // beyond the inputs: not looked at
  void (*run)(KernelContext&) = nullptr;

  // Why the kernel can't compute this node, or nothing if it can. Null: it always can.
  std::optional<std::string> (*refuses)(const NodeInfo&) = nullptr;
  // Called once per session and node; null: no state.
  std::unique_ptr<KernelState> (*prepare)(const NodeInfo&) = nullptr;
  // Element type of output i; null: that of input `type_input`, for all outputs.
  DType (*output_type)(const NodeInfo&, std::size_t i) = nullptr;
  // Bit i: output 0 may lie on input i, if both have the same number and size of elements.
  std::uint32_t in_place = 0;
  // Bit i: the outputs' sizes depend on the elements (not only the sizes) of input i.
  std::uint32_t shape_inputs = 0;
  // The outputs depend only on the sizes of the inputs.
  bool reads_only_sizes = false;
  // Outputs are input 0 under other sizes (alias_output).
  bool aliases = false;
  InstructionSet needs = InstructionSet::baseline;
  std::string_view domain = "";
};

// Row::output_type for operators whose outputs all have one type.
template <DType type>
DType always(const NodeInfo& /*info*/, std::size_t /*output*/) {
  return type;
}

}  // namespace onnxpress::exec
