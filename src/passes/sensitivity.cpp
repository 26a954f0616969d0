// SPDX-License-Identifier: Apache-2.0
#include "passes/sensitivity.h"

#include <algorithm>
#include <set>
#include <utility>

#include "model/layers.h"
#include "numerics/quantize_rtn.h"
#include "passes/bypass_layer.h"
#include "passes/linear_units.h"
#include "passes/weight_bytes.h"

namespace onnxpress {
namespace {

struct Rounding {
  const char* name;
  Grid grid;
};

const std::vector<Rounding>& roundings() {
  static const std::vector<Rounding> list{{"INT8", {8, 0, true}}, {"INT4 g32", {4, 32, false}}};
  return list;
}

std::string round_unit(Model& model, const LinearUnit& unit, const Grid& grid, ThreadPool& pool) {
  Graph& graph = model.graph;
  const Tensor old = *graph.constant(unit.weight);
  const auto w = weight_ref(old, matrix_layout(unit.layout));
  if (!w || old.dtype() != DType::float32) return "its weight is not a stored matrix of float32";
  Matrix rounded = dequantized_matrix(quantize_rtn(*w, grid, pool));
  if (unit.layout == WeightLayout::out_in) rounded = transposed(rounded);
  Tensor tensor = Tensor::of<float>(old.dims(), std::move(rounded.values));
  if (!graph.value(unit.weight).producer) {
    graph.set_constant(unit.weight, std::move(tensor));
  } else {
    graph.replace_all_uses(unit.weight, graph.add_constant("rounded", std::move(tensor)));
  }
  return "";
}

// Codes, and a scale (and a zero point) of each group.
std::int64_t stored_bytes(const LinearUnit& unit, const Grid& grid) {
  const std::int64_t group = grid.group > 0 ? grid.group : unit.in;
  const std::int64_t groups = (unit.in + group - 1) / group * unit.out;
  return (unit.in * unit.out * grid.bits + 7) / 8 + groups * (grid.symmetric ? 4 : 5);
}

}  // namespace

std::vector<Probe> layer_probes(const Model& model, const TransformerView& view) {
  std::vector<Probe> probes;
  Graph whole = model.graph;
  whole.remove_unused();
  const std::int64_t bytes = weight_bytes(whole);
  for (const TransformerLayer& layer : find_layers(model.graph, view).layers) {
    Graph trial = model.graph;
    if (!bypass_layer(trial, view, layer).empty()) continue;
    Probe probe{layer.label, "layer", "removed", bytes - weight_bytes(trial), 0, {}};
    probe.apply = [layer, &view](Model& copy) { return bypass_layer(copy.graph, view, layer); };
    probes.push_back(std::move(probe));
  }
  return probes;
}

std::vector<Probe> rounding_probes(const Model& /*model*/, const TransformerView& view,
                                   ThreadPool& pool) {
  std::vector<Probe> probes;
  std::set<ValueId> seen;
  for (const LinearUnit& unit : view.units()) {
    if (!unit.compressible() || !seen.insert(unit.weight).second) continue;
    for (const Rounding& rounding : roundings()) {
      Probe probe{
          unit.label, "linear", rounding.name, unit.weight_bytes, stored_bytes(unit, rounding.grid),
          {}};
      probe.apply = [&unit, &rounding, &pool](Model& copy) {
        return round_unit(copy, unit, rounding.grid, pool);
      };
      probes.push_back(std::move(probe));
    }
  }
  return probes;
}

}  // namespace onnxpress
