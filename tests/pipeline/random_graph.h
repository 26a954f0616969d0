// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace onnxpress::test {

inline Tensor random_tensor(Dims dims, std::mt19937& random, float size = 0.3F) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float& value : values) {
    value = size * (static_cast<float>(random() % 20001) / 10000.0F - 1.0F);
  }
  return Tensor::of<float>(std::move(dims), std::move(values));
}

// A few linear units in all the forms that exporters write, of sizes 1 to 70: the same graph for
// the same seed.
class RandomGraph {
 public:
  explicit RandomGraph(std::uint32_t seed) : random_(seed) {
    constexpr std::int64_t kOpsets[] = {11, 13, 17, 18, 21};
    model.ir_version = 8;
    model.opsets = {{"", kOpsets[below(5)]}};
    width = size();
    ValueId x = g().add_input("x", DType::float32, Shape{{-1, "n"}, {width, ""}});
    std::int64_t in = width;
    const std::uint32_t layers = 1 + below(4);
    for (std::uint32_t layer = 0; layer < layers; ++layer) {
      const std::int64_t out = below(4) == 0 ? in : size();
      x = activation(linear(x, in, out));
      in = out;
    }
    g().add_output(g().add("Identity", {x}, {}, "y", "", DType::float32));
  }

  Model model;
  std::int64_t width = 0;  // of the input

 private:
  Graph& g() { return model.graph; }
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  std::int64_t size() { return 1 + static_cast<std::int64_t>(below(70)); }

  // A new weight [rows, columns], or one that is there already.
  ValueId weight(std::int64_t rows, std::int64_t columns) {
    for (const ValueId known : weights_) {
      if (g().constant(known)->dims() == Dims{rows, columns} && below(2) == 0) return known;
    }
    weights_.push_back(g().add_constant("w", random_tensor({rows, columns}, random_)));
    return weights_.back();
  }

  ValueId vector(std::int64_t n) {
    return g().add_constant("b", random_tensor(below(3) == 0 ? Dims{1, n} : Dims{n}, random_));
  }

  ValueId linear(ValueId x, std::int64_t in, std::int64_t out) {
    const bool turned = below(2) == 0;
    const ValueId w = turned ? weight(out, in) : weight(in, out);
    if (below(2) == 0) return gemm(x, w, turned, out);
    ValueId y = turned ? g().add("Transpose", {w}, {{"perm", std::vector<std::int64_t>{1, 0}}},
                                 "wt", "", DType::float32)
                       : w;
    y = g().add("MatMul", {x, y}, {}, "product", "", DType::float32);
    if (below(3) == 0) return y;
    std::vector<ValueId> terms{y, vector(out)};
    if (below(2) == 0) std::swap(terms[0], terms[1]);
    return g().add("Add", terms, {}, "biased", "", DType::float32);
  }

  ValueId gemm(ValueId x, ValueId w, bool turned, std::int64_t out) {
    Attributes attributes{{"transB", std::int64_t{turned ? 1 : 0}}};
    if (below(3) == 0) attributes.set("alpha", 0.25F + static_cast<float>(below(4)));
    if (below(3) == 0) attributes.set("beta", -1.5F + static_cast<float>(below(4)));
    if (below(4) == 0) {
      x = g().add("Transpose", {x}, {{"perm", std::vector<std::int64_t>{1, 0}}}, "xt", "",
                  DType::float32);
      attributes.set("transA", std::int64_t{1});
    }
    std::vector<ValueId> inputs{x, w};
    if (below(3) != 0) inputs.push_back(vector(out));
    return g().add("Gemm", std::move(inputs), std::move(attributes), "gemm", "", DType::float32);
  }

  ValueId activation(ValueId x) {
    constexpr const char* kOps[] = {"Relu", "Tanh", "Sigmoid"};
    const std::uint32_t which = below(5);
    return which >= 3 ? x : g().add(kOps[which], {x}, {}, "active", "", DType::float32);
  }

  std::mt19937 random_;
  std::vector<ValueId> weights_;
};

}  // namespace onnxpress::test
