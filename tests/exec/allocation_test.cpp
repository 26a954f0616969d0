// SPDX-License-Identifier: Apache-2.0
// A program of its own, since it counts every allocation of the process.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>

#include "exec/session.h"
#include "support/parse.h"

namespace {

std::atomic<std::size_t> allocations{0};

}  // namespace

[[gnu::noinline]] void* operator new(std::size_t size) {
  allocations.fetch_add(1);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  allocations.fetch_add(1);
  return std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace onnxpress::test {
namespace {

// A block of a transformer's operators, `repeats` times.
Model blocks(int repeats) {
  std::string nodes, last = "x";
  for (int i = 0; i < repeats; ++i) {
    const std::string n = std::to_string(i);
    nodes += "m" + n + " = MatMul(" + last + ", w) ";
    nodes += "a" + n + " = Add(m" + n + ", b) ";
    nodes += "s" + n + " = Shape(a" + n + ") ";
    nodes += "r" + n + " = Reshape(a" + n + ", s" + n + ") ";
    nodes += "t" + n + " = Transpose<perm = [1, 0]>(r" + n + ") ";
    nodes += "u" + n + " = Transpose<perm = [1, 0]>(t" + n + ") ";
    nodes += "l" + n + " = LayerNormalization<axis = -1>(u" + n + ", b, b) ";
    nodes += "p" + n + " = Softmax<axis = -1>(l" + n + ") ";
    nodes += "c" + n + " = ReduceMean<axes = [0], keepdims = 1>(p" + n + ") ";
    nodes += "d" + n + " = Sub(p" + n + ", c" + n + ") ";
    nodes += "e" + n + " = Concat<axis = 1>(d" + n + ", d" + n + ") ";
    nodes += "f" + n + ", g" + n + " = Split<axis = 1>(e" + n + ") ";
    nodes += "h" + n + " = Mul(f" + n + ", g" + n + ") ";
    last = "h" + n;
  }
  return parse(
      "<ir_version: 8, opset_import: [\"\" : 17]> g (float[n,4] x) => (float[n,4] y) "
      "<float[4,4] w = {1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7}, float[4] b = {1,2,3,4}> { " +
      nodes + " y = Relu(" + last + ") }");
}

std::size_t allocations_of_a_later_run(int repeats, const SessionOptions& options) {
  const Session session(blocks(repeats), options);
  const TensorMap inputs{{"x", Tensor::of<float>({3, 4}, std::vector<float>(12, 0.5F))}};
  for (int i = 0; i < 3; ++i) session.run(inputs);
  const std::size_t before = allocations;
  session.run(inputs);
  return allocations - before;
}

TEST(Allocation, LaterRunsAllocateForTheirOutputsOnly) {
  for (const bool reference : {true, false}) {
    const SessionOptions options{.threads = 2, .reference_kernels = reference};
    const std::size_t few = allocations_of_a_later_run(1, options);
    EXPECT_EQ(allocations_of_a_later_run(20, options), few);
    EXPECT_LE(few, 20U);
  }
}

}  // namespace
}  // namespace onnxpress::test
