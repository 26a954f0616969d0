// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <random>
#include <string_view>
#include <vector>

#include "exec/session.h"
#include "passes/registry.h"
#include "passes/weight_bytes.h"

namespace onnxpress::test {

inline constexpr std::int64_t kCopiedBytes = 4096;

// Plans and applies a pass as the runner does, and checks what holds for every pass: the graph
// stays valid, and the plan's bytes are those that went; with data it may turn out more.
inline PassPlan run_pass(Model& model, std::string_view name, const OptionValues& options = {},
                         const Calibration* calibration = nullptr) {
  ThreadPool pool(2);
  PassContext context(model, pool, {}, calibration);
  const std::int64_t before = weight_bytes(model.graph);
  const auto pass = make_pass(name, options);
  PassPlan plan = pass->plan(context);
  pass->apply(plan, context);
  model.graph.remove_unused();
  model.graph.sort();
  model.graph.verify();
  const std::int64_t went = before - weight_bytes(model.graph);
  const std::int64_t planned = plan.bytes_before() - plan.bytes_after();
  if (calibration == nullptr) {
    EXPECT_EQ(went, planned) << name;
  } else {
    // A constant that others read, too, is copied before it is scaled.
    EXPECT_GE(went, planned - kCopiedBytes) << name;
  }
  return plan;
}

inline TensorMap run_model(const Model& model, const TensorMap& inputs) {
  return Session(model).run(inputs);
}

// The largest difference between float outputs of the same name, over the largest output.
inline double relative_difference(const TensorMap& expected, const TensorMap& actual) {
  double worst = 0;
  for (const auto& [name, tensor] : expected) {
    const auto a = tensor.to_doubles();
    const auto b = actual.at(name).to_doubles();
    EXPECT_EQ(a.size(), b.size());
    double largest = 1e-30;
    double difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      largest = std::max(largest, std::abs(a[i]));
      difference = std::max(difference, std::abs(a[i] - b[i]));
      if (std::isnan(a[i]) != std::isnan(b[i])) return INFINITY;
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

inline bool identical(const TensorMap& a, const TensorMap& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    if (!b.contains(name) || !(b.at(name) == tensor)) return false;
  }
  return true;
}

inline const UnitPlan* find_unit(const PassPlan& plan, std::string_view label) {
  for (const UnitPlan& unit : plan.units) {
    if (unit.label == label) return &unit;
  }
  return nullptr;
}

// Floats that look like weights: without pattern, between -size and size, always the same.
inline Tensor noise(Dims dims, float size = 0.1F, std::uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float& value : values) {
    value = size * (static_cast<float>(random() % 20001) / 10000.0F - 1.0F);
  }
  return Tensor::of<float>(std::move(dims), std::move(values));
}

}  // namespace onnxpress::test
