// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "data/input_spec.h"
#include "passes/run_pass.h"

// A small network whose weights tests spoil, and all the ways to quantize it.
namespace onnxpress::test {

struct NetworkSize {
  std::int64_t width = 64;   // of the table, the first unit's inputs
  std::int64_t hidden = 96;  // the second unit's inputs
};

inline constexpr std::int64_t kTableRows = 50;
inline constexpr std::int64_t kOutputs = 32;

// y = Gemm(Relu(table[ids] · up + bias), downᵀ); without a table x · up.
inline Model odd_network(const NetworkSize& size = {}, bool table = true) {
  Model model;
  model.ir_version = 8;
  model.opsets = {{"", 13}};
  Graph& g = model.graph;
  ValueId x = kNoValue;
  if (table) {
    const ValueId ids = g.add_input("input_ids", DType::int64, Shape{{-1, "n"}, {-1, "s"}});
    const ValueId rows = g.add_constant("table", noise({kTableRows, size.width}, 1, 3));
    x = g.add("Gather", {rows, ids}, {}, "x", "", DType::float32);
  } else {
    x = g.add_input("x", DType::float32, Shape{{-1, "n"}, {size.width, ""}});
  }
  const ValueId up = g.add_constant("up", noise({size.width, size.hidden}));
  const ValueId bias = g.add_constant("bias", noise({size.hidden}, 0.1F, 4));
  const ValueId down = g.add_constant("down", noise({kOutputs, size.hidden}, 0.1F, 2));
  ValueId h = g.add("MatMul", {x, up}, {}, "h", "", DType::float32);
  h = g.add("Add", {h, bias}, {}, "h_biased", "", DType::float32);
  h = g.add("Relu", {h}, {}, "h_active", "", DType::float32);
  if (table) {
    const ValueId flat = g.add_constant("flat", Tensor::of<std::int64_t>({2}, {-1, size.hidden}));
    h = g.add("Reshape", {h, flat}, {}, "h_rows", "", DType::float32);
  }
  const ValueId y = g.add("Gemm", {h, down}, {{"transB", std::int64_t{1}}}, "y");
  g.mutable_value(y).dtype = DType::float32;
  g.add_output(y);
  return model;
}

// Changes some numbers of a constant.
inline void spoil(Model& model, std::string_view name,
                  const std::function<void(std::vector<float>&, std::int64_t columns)>& change) {
  const ValueId id = *model.graph.find_value(name);
  const Tensor old = *model.graph.constant(id);
  const auto values = old.as<float>();
  std::vector<float> spoilt(values.begin(), values.end());
  change(spoilt, old.dims().back());
  model.graph.set_constant(id, Tensor::of<float>(old.dims(), std::move(spoilt)));
}

// A way to quantize: a pass with options.
struct Way {
  std::string name;
  std::string pass;
  OptionValues options;
  bool data = false;
  double tolerance = 0.05;  // largest difference of the output, over the largest output
};

inline std::vector<Way> ways() {
  const auto text = [](const char* s) { return OptionValue(std::string(s)); };
  const auto whole = [](std::int64_t n) { return OptionValue(n); };
  const OptionValue none = 0.0;
  return {
      {"int8 rtn, qdq", "quantize_weights", {{"method", text("rtn")}, {"min_saving", none}}},
      {"int8 gptq, qdq",
       "quantize_weights",
       {{"method", text("gptq")}, {"min_saving", none}},
       true},
      {"int4 rtn, matmul_nbits",
       "quantize_weights",
       {{"method", text("rtn")}, {"bits", whole(4)}, {"group", whole(32)}, {"min_saving", none}},
       false,
       0.3},
      {"uint4 gptq, matmul_nbits",
       "quantize_weights",
       {{"method", text("gptq")},
        {"bits", whole(4)},
        {"group", whole(32)},
        {"symmetric", false},
        {"min_saving", none}},
       true,
       0.3},
      {"static", "quantize_static", {{"min_saving", none}}, true, 0.1},
      {"dynamic", "quantize_dynamic", {{"min_saving", none}}, false, 0.1},
      {"embeddings", "quantize_embeddings", {{"min_saving", none}}, false, 0.1},
      {"smooth", "smooth", {{"insert_mul", true}}, true, 1e-5},
      {"awq", "smooth", {{"method", text("awq")}, {"insert_mul", true}}, true, 1e-5},
  };
}

struct WayResult {
  PassPlan plan;
  PassResult result;
};

inline WayResult run_way(Model& model, const Way& way, const Dataset& data) {
  ThreadPool pool(2);
  const Calibration calibration{CalibrationSet(data, input_specs(model.graph), 16), {}};
  PassContext context(model, pool, {}, way.data ? &calibration : nullptr);
  const auto pass = make_pass(way.pass, way.options);
  WayResult run;
  run.plan = pass->plan(context);
  run.result = pass->apply(run.plan, context);
  model.graph.remove_unused();
  model.graph.sort();
  model.graph.verify();
  return run;
}

// Every float that the file holds is finite, and every scale is a normal number.
inline void expect_sound_constants(const Model& model, bool finite = true) {
  for (const ValueId id : model.graph.values()) {
    const Value& value = model.graph.value(id);
    if (!value.constant || value.constant->dtype() != DType::float32) continue;
    const bool scale = value.name.find("_scale") != std::string::npos;
    for (const float number : value.constant->as<float>()) {
      ASSERT_TRUE(!finite || std::isfinite(number)) << value.name << ": " << number;
      ASSERT_TRUE(!scale || std::isnormal(number)) << value.name << ": " << number;
    }
  }
}

}  // namespace onnxpress::test
