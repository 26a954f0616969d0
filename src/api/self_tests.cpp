// SPDX-License-Identifier: Apache-2.0
#include "api/self_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <random>

#include "exec/session.h"

namespace onnxpress::api {
namespace {

constexpr std::int64_t kRows = 7, kInner = 384, kColumns = 29;

Shape shape_of(std::int64_t rows, std::int64_t columns) {
  return to_shape(Dims{rows, columns});
}

// y = op(a, w) with the constant w, as a model.
Model product(const char* op, DType type, Tensor weight) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 17}};
  const ValueId a = model.graph.add_input("a", type, shape_of(kRows, kInner));
  const ValueId w = model.graph.add_constant("w", std::move(weight));
  model.graph.add_output(model.graph.add(op, {a, w}, {}, "y"));
  return model;
}

// The first line of the session's description that is about the product.
std::string kernel_of(const Session& session) {
  const std::string text = session.describe();
  return text.substr(0, text.find('\n'));
}

template <class Out, class A, class B>
std::vector<Out> plain_product(const std::vector<A>& a, const std::vector<B>& b) {
  std::vector<Out> y(static_cast<std::size_t>(kRows * kColumns), Out{0});
  for (std::int64_t i = 0; i < kRows; ++i) {
    for (std::int64_t j = 0; j < kColumns; ++j) {
      Out sum{0};
      for (std::int64_t k = 0; k < kInner; ++k) {
        sum += static_cast<Out>(a[static_cast<std::size_t>(i * kInner + k)]) *
               static_cast<Out>(b[static_cast<std::size_t>(k * kColumns + j)]);
      }
      y[static_cast<std::size_t>(i * kColumns + j)] = sum;
    }
  }
  return y;
}

template <class T>
std::vector<T> random_values(std::int64_t count, double low, double high, bool whole) {
  std::mt19937_64 random(7);
  std::vector<T> values(static_cast<std::size_t>(count));
  for (T& value : values) {
    const double share = static_cast<double>(random() >> 11U) / 9007199254740992.0;
    const double x = low + share * (high - low);
    value = static_cast<T>(whole ? std::floor(x) : x);
  }
  return values;
}

SelfTest float_product() {
  const auto a = random_values<float>(kRows * kInner, -1, 1, false);
  const auto w = random_values<float>(kInner * kColumns, -1, 1, false);
  const auto expected = plain_product<double>(a, w);
  const Session session(
      product("MatMul", DType::float32, Tensor::of<float>({kInner, kColumns}, w)));
  const TensorMap outputs = session.run({{"a", Tensor::of<float>({kRows, kInner}, a)}});
  double worst = 0;
  const auto got = outputs.begin()->second.as<float>();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::abs(expected[i] - got[i]));
  }
  constexpr double kTolerance = 1e-4;  // 384 products of numbers below 1, rounded to float32
  return {"float32 product", worst <= kTolerance,
          fmt::format("{}; off by {:.1e} at most", kernel_of(session), worst)};
}

// The largest codes, whose pairwise sums do not fit into 16 bits, and random ones.
struct IntegerCase {
  std::vector<std::uint8_t> a;
  std::vector<std::int8_t> w;
};
std::vector<IntegerCase> integer_cases() {
  return {{std::vector<std::uint8_t>(kRows * kInner, 255),
           std::vector<std::int8_t>(kInner * kColumns, 127)},
          {std::vector<std::uint8_t>(kRows * kInner, 255),
           std::vector<std::int8_t>(kInner * kColumns, -128)},
          {random_values<std::uint8_t>(kRows * kInner, 0, 256, true),
           random_values<std::int8_t>(kInner * kColumns, -128, 128, true)}};
}

SelfTest integer_product() {
  SelfTest test{"int8 product", true, {}};
  for (const IntegerCase& c : integer_cases()) {
    const Session session(
        product("MatMulInteger", DType::uint8, Tensor::of<std::int8_t>({kInner, kColumns}, c.w)));
    const TensorMap outputs = session.run({{"a", Tensor::of<std::uint8_t>({kRows, kInner}, c.a)}});
    const auto got = outputs.begin()->second.as<std::int32_t>();
    test.passed = test.passed && std::ranges::equal(got, plain_product<std::int32_t>(c.a, c.w));
    test.detail = kernel_of(session);
  }
  test.detail += test.passed ? "; exact" : "; NOT exact";
  return test;
}

std::vector<std::int32_t> onednn_product(const IntegerCase& c) {
  using memory = dnnl::memory;
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  const auto describe = [](std::int64_t rows, std::int64_t columns, memory::data_type type) {
    return memory::desc({rows, columns}, type, memory::format_tag::ab);
  };
  const auto a = describe(kRows, kInner, memory::data_type::u8);
  const auto w = describe(kInner, kColumns, memory::data_type::s8);
  const auto y = describe(kRows, kColumns, memory::data_type::s32);
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, w, y), engine);
  std::vector<std::int32_t> result(static_cast<std::size_t>(kRows * kColumns));
  std::vector<std::uint8_t> left = c.a;  // oneDNN wants them mutable
  std::vector<std::int8_t> right = c.w;
  dnnl::matmul(description)
      .execute(stream, {{DNNL_ARG_SRC, memory(a, engine, left.data())},
                        {DNNL_ARG_WEIGHTS, memory(w, engine, right.data())},
                        {DNNL_ARG_DST, memory(y, engine, result.data())}});
  stream.wait();
  return result;
}

SelfTest onednn_integer_product() {
  bool exact = true;
  for (const IntegerCase& c : integer_cases()) {
    exact = exact && onednn_product(c) == plain_product<std::int32_t>(c.a, c.w);
  }
  return {"oneDNN's int8 product", true,
          exact ? "exact on this CPU" : "saturates on this CPU, so it is not used for int8 here"};
}

}  // namespace

std::vector<SelfTest> run_self_tests() {
  return {float_product(), integer_product(), onednn_integer_product()};
}

}  // namespace onnxpress::api
