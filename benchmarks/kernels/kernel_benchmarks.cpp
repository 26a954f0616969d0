// SPDX-License-Identifier: Apache-2.0
// The fast kernels at every instruction-set level of this CPU, and oneDNN beside them. One thread.
//   kernel_benchmarks --benchmark_filter=float_product
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <omp.h>

#include <array>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "exec/fast/packed_weights.h"
#include "exec/fast/products.h"

namespace onnxpress::exec::fast {
namespace {

using Shape3 = std::array<std::int64_t, 3>;  // rows, k, n

void report(benchmark::State& state, const char* unit, double operations) {
  state.counters[unit] =
      benchmark::Counter(operations, benchmark::Counter::kIsIterationInvariantRate);
}

double operations(const Shape3& s) {
  return 2e-9 * static_cast<double>(s[0] * s[1] * s[2]);
}

void float_product(benchmark::State& state, const Level& level, const Shape3& s) {
  const auto [rows, k, n] = s;
  ThreadPool pool(1);
  const std::vector<float> a(static_cast<std::size_t>(rows * k), 0.5F);
  const std::vector<float> b(static_cast<std::size_t>(k * n), 0.25F);
  std::vector<float> c(static_cast<std::size_t>(rows * n));
  const PackedFloats packed(level, b, {n, 1}, k, n);
  FloatProduct p;
  p.a = a.data();
  p.a_stride = p.k = k;
  p.b = packed.data();
  p.c = c.data();
  p.c_stride = p.n = n;
  p.rows = rows;
  for (auto _ : state) multiply(level, pool, p);
  report(state, "GFLOP", operations(s));
}

void integer_product(benchmark::State& state, const Level& level, const Shape3& s) {
  const auto [rows, k, n] = s;
  ThreadPool pool(1);
  const std::vector<std::uint8_t> a(static_cast<std::size_t>(rows * k), 200);
  const std::vector<std::int8_t> b(static_cast<std::size_t>(k * n), -100);
  const std::vector<float> scales(static_cast<std::size_t>(n), 0.01F);
  std::vector<float> c(static_cast<std::size_t>(rows * n));
  const PackedIntegers packed(level, b, {n, 1}, k, n);
  const AlignedBytes scratch(integer_scratch(level, rows, k) + 64);
  IntegerProduct p;
  p.a = a.data();
  p.b = packed.data();
  p.column_sums = packed.column_sums().data();
  p.b_scales = scales.data();
  p.c = c.data();
  p.k = k;
  p.c_stride = p.n = n;
  p.rows = rows;
  for (auto _ : state) multiply(level, pool, p, scratch.data());
  report(state, "GOP", operations(s));
}

void onednn(benchmark::State& state, bool integers, const Shape3& s) {
  using dnnl::memory;
  omp_set_num_threads(1);
  const auto [rows, k, n] = s;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const auto type = [&](memory::data_type integer) {
    return integers ? integer : memory::data_type::f32;
  };
  const memory::desc a({rows, k}, type(memory::data_type::u8), memory::format_tag::ab);
  const memory::desc b({k, n}, type(memory::data_type::s8), memory::format_tag::any);
  const memory::desc c({rows, n}, type(memory::data_type::s32), memory::format_tag::ab);
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, c), engine);
  dnnl::matmul matmul(description);
  memory x(a, engine), w(description.weights_desc(), engine), y(c, engine);
  for (auto _ : state) {
    matmul.execute(stream, {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DST, y}});
    stream.wait();
  }
  report(state, integers ? "GOP" : "GFLOP", operations(s));
}

void elements(benchmark::State& state, const Level& level, Activation activation) {
  std::vector<float> x(128 * 1536);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 997) / 100 - 5;
  std::vector<float> y(x.size());
  for (auto _ : state) {
    level.activate(activation, x.data(), static_cast<std::int64_t>(x.size()), y.data());
  }
  report(state, "Gelement", 1e-9 * static_cast<double>(x.size()));
}

void quantize(benchmark::State& state, const Level& level) {
  ThreadPool pool(1);
  std::vector<float> x(128 * 1536);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 997) / 100 - 5;
  std::vector<std::uint8_t> y(x.size());
  for (auto _ : state) {
    quantize_dynamically(level, pool, x.data(), static_cast<std::int64_t>(x.size()), y.data());
  }
  report(state, "Gelement", 1e-9 * static_cast<double>(x.size()));
}

void attention(benchmark::State& state, const Level& level) {
  constexpr std::int64_t kHeads = 12, kRows = 128, kDepth = 32;
  ThreadPool pool(1);
  const std::vector<float> x(kHeads * kRows * kDepth, 0.1F), mask(kRows);
  std::vector<float> y(x.size());
  AttentionProblem p;
  const RowStrides strides{0, kDepth, kHeads * kDepth};
  p.q = p.k = p.v = {x.data(), strides};
  p.mask = {mask.data(), 0, 0, 0, 1};
  p.out = y.data();
  p.out_strides = strides;
  p.batch = 1;
  p.heads = p.key_heads = kHeads;
  p.queries = p.keys = kRows;
  p.depth = p.value_depth = kDepth;
  const AlignedBytes scratch(4 * attention_scratch_floats(level, pool, p));
  for (auto _ : state) attend(level, pool, p, reinterpret_cast<float*>(scratch.data()));
  report(state, "GFLOP", 4e-9 * kHeads * kRows * kRows * kDepth);
}

void register_all() {
  constexpr std::array kShapes{Shape3{1, 384, 1536},   Shape3{8, 384, 1536},
                               Shape3{128, 384, 384},  Shape3{128, 384, 1536},
                               Shape3{128, 1536, 384}, Shape3{1024, 384, 1536},
                               Shape3{4096, 384, 1536}};
  for (const auto set : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512,
                         InstructionSet::avx512_vnni, InstructionSet::amx}) {
    const Level& best = level(set);
    if (best.instruction_set != set) continue;
    const auto add = [&](const std::string& what, auto function, auto... arguments) {
      benchmark::RegisterBenchmark(fmt::format("{}/{}", what, name(set)).c_str(), function,
                                   arguments...);
    };
    for (const Shape3& s : kShapes) {
      const std::string shape = fmt::format("{}x{}x{}", s[0], s[1], s[2]);
      add("float_product/" + shape,
          [&best, s](benchmark::State& state) { float_product(state, best, s); });
      add("integer_product/" + shape,
          [&best, s](benchmark::State& state) { integer_product(state, best, s); });
    }
    add("gelu/128x1536",
        [&best](benchmark::State& state) { elements(state, best, Activation::gelu); });
    add("tanh/128x1536",
        [&best](benchmark::State& state) { elements(state, best, Activation::tanh); });
    add("quantize/128x1536", [&best](benchmark::State& state) { quantize(state, best); });
    add("attention/12x128x32", [&best](benchmark::State& state) { attention(state, best); });
  }
  for (const Shape3& s : kShapes) {
    for (const bool integers : {false, true}) {
      benchmark::RegisterBenchmark(
          fmt::format("{}/{}x{}x{}/oneDNN", integers ? "integer_product" : "float_product", s[0],
                      s[1], s[2])
              .c_str(),
          [integers, s](benchmark::State& state) { onednn(state, integers, s); });
    }
  }
}

}  // namespace
}  // namespace onnxpress::exec::fast

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  onnxpress::exec::fast::register_all();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
