// SPDX-License-Identifier: Apache-2.0
#include "passes/quantize_static.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/error_codes.h"
#include "calib/advice.h"
#include "numerics/activation_grid.h"
#include "numerics/quantize_rtn.h"
#include "pack/qdq.h"
#include "pack/static_input.h"
#include "pack/storage.h"
#include "passes/activation_source.h"
#include "passes/linear_units.h"
#include "passes/stages.h"
#include "passes/unit_bias.h"
#include "passes/weight_form.h"
#include "passes/weight_solver.h"

namespace onnxpress {
namespace {

struct Options : UnitOptions {
  std::string method = "gptq";
  std::string weights = "s8";
  bool per_channel = true;
  bool shift = true;
  bool search = true;
  double damping = 0;
  bool refit = false;
  double refit_strength = 0.1;
  bool bias_correction = true;
};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"method", &Options::method, "how weight codes are found", {"rtn", "gptq"}},
      {"weights", &Options::weights,
       "how they are stored: s8-7bit and u8 are exact on CPUs without VNNI, too; auto takes that "
       "of the two which measures better",
       weight_form_names()},
      {"per_channel", &Options::per_channel,
       "try a scale for each channel of an input, which smooths at no cost"},
      {"shift", &Options::shift, "and a zero point for each, taken back in the bias"},
      {"search", &Options::search, "try ranges narrower than all that was seen"},
      {"damping",
       &Options::damping,
       "gptq: added to the Gram, share of its mean energy; 0: 0.01 to 0.1, by the rows of data",
       {},
       0,
       10},
      {"refit", &Options::refit, "try weights refitted to the original's outputs"},
      {"refit_strength",
       &Options::refit_strength,
       "how closely they stay to the weights",
       {},
       0,
       100},
      {"bias_correction", &Options::bias_correction, "try to move the mean error into the bias"},
      {"include", &Options::include, "globs over units: only these"},
      {"exclude", &Options::exclude, "globs over units: not these"},
      {"min_saving",
       &Options::min_saving,
       "units that would save a smaller share of all weights stay in float",
       {},
       0,
       1}};
  return rows;
}

Matrix side_by_side(const std::vector<Matrix>& parts) {
  std::int64_t columns = 0;
  for (const Matrix& part : parts) columns += part.columns;
  Matrix result(parts.front().rows, columns);
  for (std::int64_t i = 0; i < result.rows; ++i) {
    float* to = result.row(i);
    for (const Matrix& part : parts) to = std::copy_n(part.row(i), part.columns, to);
  }
  return result;
}

class QuantizeStatic : public Pass {
 public:
  explicit QuantizeStatic(Options options)
      : options_(std::move(options)), form_(parse_weight_form(options_.weights)) {}

  [[nodiscard]] bool uses_data() const override { return true; }

  [[nodiscard]] std::int64_t needed_opset(PassContext& /*context*/) const override {
    return onnxpress::needed_opset(Storage::qdq, stored_grid(form_));
  }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    if (context.calibration() == nullptr && !context.dry_run()) {
      throw Error(codes::missing_data, "ranges of activations are found on data",
                  "add --data, or take int8-dynamic, which finds them at run time");
    }
    require_statistics(context, {.grams = true, .rows = true});
    PassPlan plan = plan_units(context, options_, false,
                               [&](const LinearUnit& unit) { return judge(unit, context); });
    std::set<ValueId> inputs;
    for (UnitPlan& row : plan.units) {
      if (row.decision != Decision::change) continue;
      const LinearUnit& unit = context.view().units()[static_cast<std::size_t>(row.target)];
      if (!inputs.insert(unit.input).second) continue;
      row.bytes_after += static_input_bytes(options_.per_channel, unit.in);
    }
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    Work work{plan, context, context.view(), {}, {}, 0};
    if (plan.changes() == 0) return {};
    std::optional<ActivationSource> source;
    if (!context.dry_run()) source.emplace(context, [&] { return work.done_share(); });
    for (const Stage& stage : stages_of(plan, work.view, context.graph())) {
      if (source) {
        quantize(stage, *source, work);
      } else {
        pretend(stage, work);
      }
    }
    context.edited();
    return std::move(work.result);
  }

 private:
  struct Work {
    const PassPlan& plan;
    PassContext& context;
    const TransformerView& view;
    PassResult result;
    std::map<ValueId, ValueId> packed;  // weights that several units read: what they read now
    std::size_t seen;
    [[nodiscard]] double done_share() const {
      return static_cast<double>(seen) / static_cast<double>(plan.units.size());
    }
    [[nodiscard]] const LinearUnit& unit(std::size_t row) const {
      return view.units()[static_cast<std::size_t>(plan.units[row].target)];
    }
    [[nodiscard]] Graph& graph() const { return context.graph(); }
  };

  void quantize(const Stage& stage, ActivationSource& source, Work& work) const {
    Graph& graph = work.graph();
    const SmoothingInput input = source.input(stage.input);
    const LinearUnit& first = work.unit(stage.rows.front());
    if (input.channels != first.in) {
      for (const std::size_t row : stage.rows) {
        work.result.ways[row] = source.why_unknown();
        work.result.kept.insert(row);
      }
      return;
    }
    std::vector<Matrix> weights;
    ActivationGridOptions options{weight_grid(), options_.per_channel, options_.shift,
                                  options_.search};
    for (const std::size_t row : stage.rows) {
      const LinearUnit& unit = work.unit(row);
      weights.push_back(float_weight(unit, graph));
      // A weight with several readers can't take the scales of one of them.
      options.per_channel = options.per_channel && !unit.weight_shared;
      options.shift = options.shift && has_own_bias(graph, unit);
    }
    const ActivationChoice choice =
        choose_activation_grid(input, side_by_side(weights), options, work.context.pool());
    const ActivationGrid& grid = choice.grid;
    StageMoments moments = source.moments(stage.input, &grid);
    SolverOptions solving = solver_options(moments, stage, work);
    solving.ridge = solving.ridge && source.is_measured();
    StageSolver solver(std::move(moments), solving, work.context.pool());
    const ValueId x = pack_static_input(graph, stage.input, grid, graph.value(stage.input).name);
    for (std::size_t i = 0; i < stage.rows.size(); ++i) {
      const std::size_t row = stage.rows[i];
      work.context.step(work.done_share());
      ++work.seen;
      ++work.result.changed;
      work.result.ways[row] = "input: " + choice.way + source.remark();
      work.result.figures[row] = {{"input.whole_range.output_error", choice.plain},
                                  {"input.output_error", choice.after}};
      const LinearUnit& unit = work.unit(row);
      const auto known = work.packed.find(unit.weight);
      if (known != work.packed.end()) {
        multiply(unit, x, known->second, graph);
        continue;
      }
      SolvedWeight solved = solve(unit, std::move(weights[i]), grid, solver, graph);
      multiply(unit, x, pack_qdq(graph, std::move(solved.q), graph.value(unit.weight).name), graph,
               work);
      work.result.ways[row] = fmt::format("weights: {}; {}", solved.way, work.result.ways[row]);
      auto& figures = work.result.figures[row];
      figures.insert(figures.end(), solved.figures.begin(), solved.figures.end());
    }
  }

  // Solves the weights as they are multiplied with, and corrects the unit's bias.
  SolvedWeight solve(const LinearUnit& unit, Matrix w, const ActivationGrid& grid,
                     StageSolver& solver, Graph& graph) const {
    for (std::int64_t j = 0; grid.per_channel() && j < w.rows; ++j) {
      const double factor = grid.factor(static_cast<std::size_t>(j));
      for (std::int64_t o = 0; o < w.columns; ++o) {
        w(j, o) = static_cast<float>(static_cast<double>(w(j, o)) * factor);
      }
    }
    const bool own_bias = has_own_bias(graph, unit);
    SolvedWeight solved = solve_in_form(form_, [&](const Grid& weight_grid) {
      return solver.solve(weight_ref(w), own_bias, weight_grid);
    });
    std::vector<float> change = solved.bias_change;
    if (grid.shifts()) {
      const std::vector<double> shift = shift_in_output(grid, dequantized_matrix(solved.q));
      change.resize(shift.size());
      for (std::size_t o = 0; o < shift.size(); ++o) {
        change[o] = static_cast<float>(static_cast<double>(change[o]) + shift[o]);
      }
    }
    if (!change.empty()) add_to_bias(graph, unit, change);
    return solved;
  }

  // What makes the same bytes as quantize() does at most.
  void pretend(const Stage& stage, Work& work) const {
    Graph& graph = work.graph();
    const LinearUnit& first = work.unit(stage.rows.front());
    ActivationGrid grid;
    if (options_.per_channel) {
      grid.scales.resize(static_cast<std::size_t>(first.in), 1.0F);
      grid.zeros.resize(grid.scales.size());
    }
    const ValueId x = pack_static_input(graph, stage.input, grid, graph.value(stage.input).name);
    for (const std::size_t row : stage.rows) {
      ++work.result.changed;
      const LinearUnit& unit = work.unit(row);
      const auto known = work.packed.find(unit.weight);
      if (known != work.packed.end()) {
        multiply(unit, x, known->second, graph);
        continue;
      }
      QuantizedMatrix q =
          quantize_rtn(weight_ref(float_weight(unit, graph)), weight_grid(), work.context.pool());
      if (!stored_grid(form_).symmetric) q = as_unsigned(std::move(q));
      multiply(unit, x, pack_qdq(graph, std::move(q), graph.value(unit.weight).name), graph, work);
    }
  }

  static Matrix float_weight(const LinearUnit& unit, const Graph& graph) {
    return to_matrix(*weight_ref(*graph.constant(unit.weight), matrix_layout(unit.layout)));
  }

  static void multiply(const LinearUnit& unit, ValueId x, ValueId w, Graph& graph, Work& work) {
    work.packed[unit.weight] = w;
    multiply(unit, x, w, graph);
  }

  // x·w in the place of the unit's product, a Gemm's C added behind it: the form that runtimes turn
  // into an integer product.
  static void multiply(const LinearUnit& unit, ValueId x, ValueId w, Graph& graph) {
    const Node product = graph.node(unit.product);
    const Value output = graph.value(unit.output);
    const std::string name = product.name.empty() ? output.name : product.name;
    const ValueId bias = product.input(2);
    graph.erase(unit.product);
    if (bias == kNoValue) {
      graph.add_node({.name = name,
                      .op_type = "MatMul",
                      .domain = "",
                      .inputs = {x, w},
                      .outputs = {unit.output}});
      return;
    }
    const ValueId y =
        graph.add("MatMul", {x, w}, {}, output.name + "_product", "", output.dtype, output.shape);
    graph.add_node({.name = name + "_bias",
                    .op_type = "Add",
                    .domain = "",
                    .inputs = {y, bias},
                    .outputs = {unit.output}});
  }

  // What weights are rounded to before they are stored.
  [[nodiscard]] Grid weight_grid() const { return {stored_grid(form_).bits, 0, true}; }

  [[nodiscard]] SolverOptions solver_options(const StageMoments& moments, const Stage& stage,
                                             Work& work) const {
    const DampingAdvice advice = advise_damping(moments);
    if (!advice.warning.empty()) {
      work.result.warnings.push_back(work.unit(stage.rows.front()).label + ": " + advice.warning);
    }
    SolverOptions solver;
    solver.method = options_.method == "rtn" ? WeightMethod::rtn : WeightMethod::gptq;
    solver.grid = weight_grid();
    solver.clip = false;
    solver.gptq.damping = options_.damping == 0 ? advice.damping : options_.damping;
    solver.gptq.clip_steps = 0;
    solver.ridge = options_.refit;
    solver.ridge_strength = options_.refit_strength;
    solver.bias = options_.bias_correction;
    return solver;
  }

  UnitOutcome judge(const LinearUnit& unit, PassContext& context) const {
    const Graph& graph = context.graph();
    const Node& product = graph.node(unit.product);
    if (!product.is("MatMul") && !product.is("Gemm")) {
      return {.refusal = "is an integer product already"};
    }
    if (unit.weight_operand != 1) return {.refusal = "the weight is the left operand"};
    if (std::string why = why_sums_overflow(unit.in); !why.empty())
      return {.refusal = std::move(why)};
    for (const Refusal& refusal : unit.why_not) {
      if (refusal.kind == RefusalKind::scaled) return {.refusal = refusal.text};
    }
    if (auto why = why_not_storable(Storage::qdq, stored_grid(form_), context.model().opset())) {
      return {.refusal = *why};
    }
    if (graph.value(unit.weight).is_output) return {.refusal = "the weight is a graph output"};
    if (is_read_transposed(context.view(), unit)) {
      return {.refusal = "another unit reads the weight transposed"};
    }
    for (const Embedding& embedding : context.view().embeddings()) {
      if (embedding.table == unit.weight) {
        return {.refusal = "shared with an embedding: quantize_embeddings stores it once for both"};
      }
    }
    const Tensor* weight = graph.constant(unit.weight);
    const auto w =
        weight == nullptr ? std::nullopt : weight_ref(*weight, matrix_layout(unit.layout));
    if (!w || weight->dtype() != DType::float32) {
      return {.refusal = "the weight is not a matrix of float32"};
    }
    return {.reason = fmt::format("{}, input UINT8", describe(form_)),
            .bytes_after = stored_bytes(Storage::qdq, stored_grid(form_), w->in, w->out)};
  }

  Options options_;
  WeightForm form_;
};

}  // namespace

PassInfo quantize_static_info() {
  return {"quantize_static", "INT8 weights and integer products, input ranges from data",
          "Rounds weights to INT8 per channel and the inputs of linear units to UINT8 with ranges "
          "that are searched on calibration data by the error of the unit's output: how much of "
          "the range is cut, one scale or one for each channel (SmoothQuant and Outlier "
          "Suppression+ without a node more), zero points that center channels. Then weights and "
          "biases are solved for the rounded inputs. Norms, activations, softmax and residual adds "
          "stay in float. Needs opset 13.",
          describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
            return std::make_unique<QuantizeStatic>(
                read_options(table(), values, "pass quantize_static"));
          }};
}

}  // namespace onnxpress
