// SPDX-License-Identifier: Apache-2.0
#include "passes/quantize_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/error_codes.h"
#include "calib/advice.h"
#include "numerics/quantize_rtn.h"
#include "numerics/weight_outlier.h"
#include "pack/block_codes.h"
#include "pack/matmul_nbits.h"
#include "pack/qdq.h"
#include "pack/storage.h"
#include "passes/activation_source.h"
#include "passes/linear_units.h"
#include "passes/low_rank_branch.h"
#include "passes/low_rank_correction.h"
#include "passes/n_bits_units.h"
#include "passes/quantize_weights_options.h"
#include "passes/smoothing_groups.h"
#include "passes/stages.h"
#include "passes/unit_bias.h"
#include "passes/weight_solver.h"

namespace onnxpress {
namespace {

// Weights that each thread solves at once, where data play no part.
constexpr std::int64_t kAhead = 2 << 20;

using Options = QuantizeWeightsOptions;

class QuantizeWeights : public Pass {
 public:
  explicit QuantizeWeights(Options options)
      : options_(std::move(options)),
        grid_{static_cast<int>(options_.bits), options_.group, options_.symmetric},
        storage_(options_.storage == "auto"
                     ? (grid_.bits == 8 && grid_.group == 0 ? Storage::qdq : Storage::matmul_nbits)
                     : *parse_storage(options_.storage)) {
    if (options_.method == "hqq" && options_.symmetric) {
      throw Error(codes::bad_option, "method hqq moves zero points, symmetric weights have none",
                  "set quantize_weights.symmetric to false");
    }
  }

  [[nodiscard]] bool uses_data() const override { return solves_on_data() || corrects(); }

  [[nodiscard]] std::int64_t needed_opset(PassContext& /*context*/) const override {
    const std::int64_t needed = onnxpress::needed_opset(storage_, grid_);
    if (!corrects()) return needed;
    return std::max(needed, onnxpress::needed_opset(*parse_factor_type(options_.correction_type)));
  }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    const bool blind = context.calibration() == nullptr && !context.dry_run();
    if (blind && (options_.method == "gptq" || options_.method == "awq")) {
      throw Error(codes::missing_data,
                  fmt::format("method {} needs data to calibrate on", options_.method),
                  "add --data, or set quantize_weights.method to rtn or hqq");
    }
    if (blind && corrects()) {
      throw Error(codes::missing_data, "a low-rank correction needs data to calibrate on",
                  "add --data, or leave quantize_weights.low_rank_correction out");
    }
    if (uses_data()) require_statistics(context, {.grams = true});
    return plan_units(context, options_, false,
                      [&](const LinearUnit& unit) { return judge(unit, context); });
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    const bool on_data =
        uses_data() && context.calibration() != nullptr && !context.dry_run() && plan.changes() > 0;
    Work work{.plan = plan, .context = context, .view = context.view(), .method = method(context)};
    const std::vector<Stage> stages = stages_of(plan, work.view, context.graph());
    if (!on_data && !corrects()) {
      for (const Stage& stage : stages) {
        work.alone.insert(work.alone.end(), stage.rows.begin(), stage.rows.end());
      }
    }
    if (work.method == WeightMethod::awq) {
      work.no_fold =
          smoothing_groups(context.graph(), work.view, {}, false, context.pool()).why_not;
    }
    if (storage_ == Storage::matmul_nbits && plan.changes() > 0) {
      import_contrib_operators(context.model());
    }
    std::optional<ActivationSource> source;
    if (on_data) source.emplace(context, [&] { return work.done_share(); });
    for (const Stage& stage : stages) {
      std::optional<StageMoments> moments;
      if (source) {
        work.source = source->remark();
        moments = source->moments(stage.input);
        if (moments->train.edited.rows == 0) {
          work.source = ": " + source->why_unknown();
          moments.reset();
        }
      }
      const SolverOptions solving =
          moments ? solver_options(*moments, stage, work) : solver_options(work.method);
      work.gptq = solving.gptq;
      work.moments = corrects() ? moments : std::nullopt;
      if (!solves_on_data()) moments.reset();
      StageSolver solver(std::move(moments), solving, context.pool());
      for (const std::size_t row : stage.rows) solve(row, solver, work);
    }
    context.edited();
    return std::move(work.result);
  }

 private:
  struct Solved {
    SolvedWeight weight;
    std::optional<BlockTensors> blocks{};  // for matmul_nbits; the weight's codes are gone then
  };
  struct Work {
    const PassPlan& plan;
    PassContext& context;
    const TransformerView& view;
    WeightMethod method;
    std::vector<std::string> no_fold{};  // of awq: for each unit of the view, "" where it folds
    PassResult result{};
    std::set<ValueId> done{};
    std::vector<std::size_t> alone{};         // rows in their order, if data say nothing about any
    std::map<ValueId, Solved> ahead{};        // weights that solve_ahead() has found codes for
    std::map<ValueId, NBitsWeight> packed{};  // weights, by what they were
    std::size_t seen = 0;
    std::string source{};                   // of the stage's data, as a remark
    std::optional<StageMoments> moments{};  // of the stage, for corrections
    GptqOptions gptq{};
    [[nodiscard]] double done_share() const {
      return static_cast<double>(seen) / static_cast<double>(plan.units.size());
    }
    [[nodiscard]] const LinearUnit& unit(std::size_t row) const {
      return view.units()[static_cast<std::size_t>(plan.units[row].target)];
    }
  };

  [[nodiscard]] WeightMethod method(const PassContext& context) const {
    if (options_.method == "rtn") return WeightMethod::rtn;
    if (options_.method == "hqq") return WeightMethod::hqq;
    if (options_.method == "awq") return WeightMethod::awq;
    if (options_.method == "gptq" || context.calibration() != nullptr) return WeightMethod::gptq;
    return can_float_zeros() ? WeightMethod::hqq : WeightMethod::rtn;
  }

  // Whether codes are found by what data say, if there are any.
  [[nodiscard]] bool solves_on_data() const {
    return options_.method != "rtn" && options_.method != "hqq";
  }
  [[nodiscard]] bool corrects() const { return options_.low_rank_correction > 0; }

  // A grid of this pass whose zero points are floats.
  [[nodiscard]] bool can_float_zeros() const {
    Grid grid = grid_;
    grid.float_zeros = true;
    return !grid.symmetric && !why_not_storable(storage_, grid, 0);
  }

  [[nodiscard]] Grid grid_for(WeightMethod method) const {
    Grid grid = grid_;
    grid.float_zeros = method == WeightMethod::hqq && can_float_zeros();
    return grid;
  }

  [[nodiscard]] SolverOptions solver_options(WeightMethod method) const {
    SolverOptions solver;
    solver.method = method;
    solver.grid = grid_for(method);
    solver.clip = options_.clip && grid_.bits < 8;
    solver.gptq.damping = options_.damping;
    solver.gptq.activation_order = options_.activation_order;
    solver.gptq.clip_steps = solver.clip ? 40 : 0;
    solver.gptq.refine_sweeps = static_cast<int>(options_.refine);
    solver.ridge = options_.refit;
    solver.ridge_strength = options_.refit_strength;
    solver.bias = options_.bias_correction;
    return solver;
  }

  [[nodiscard]] SolverOptions solver_options(const StageMoments& moments, const Stage& stage,
                                             Work& work) const {
    SolverOptions solver = solver_options(work.method);
    const DampingAdvice advice = advise_damping(moments);
    if (options_.damping == 0) solver.gptq.damping = advice.damping;
    if (!advice.warning.empty()) {
      work.result.warnings.push_back(work.unit(stage.rows.front()).label + ": " + advice.warning);
    }
    return solver;
  }

  void solve(std::size_t row, StageSolver& solver, Work& work) const {
    Graph& graph = work.context.graph();
    work.context.step(work.done_share());
    ++work.seen;
    ++work.result.changed;
    const LinearUnit& unit = work.unit(row);
    if (!work.done.insert(unit.weight).second) {
      if (storage_ == Storage::matmul_nbits) {
        replace_product(graph, unit, work.packed.at(unit.weight), options_.accuracy_level);
      }
      return;
    }
    const Tensor weight = *graph.constant(unit.weight);
    const std::string name = graph.value(unit.weight).name;
    const std::string no_fold = why_no_fold(row, work);
    if (!work.alone.empty() && !work.ahead.contains(unit.weight)) solve_ahead(solver, work);
    auto known = work.ahead.extract(unit.weight);
    auto [solved, blocks] =
        known ? std::move(known.mapped()) : Solved{solve(row, solver, no_fold.empty(), work)};
    const CorrectionChoice choice = correction_choice(work.context);
    const auto correction = find_correction(graph, unit, work.moments ? &*work.moments : nullptr,
                                            choice, work.gptq, solved, work.context.pool());
    if (!solved.bias_change.empty()) add_to_bias(graph, unit, solved.bias_change);
    if (storage_ == Storage::matmul_nbits) {
      if (!blocks) blocks = to_blocks(solved.q);
      work.packed[unit.weight] = pack_matmul_nbits(graph, *std::move(blocks), solved.q, name);
      replace_product(graph, unit, work.packed.at(unit.weight), options_.accuracy_level);
    } else {
      ValueId value = pack_qdq(graph, std::move(solved.q), name);
      value = cast(graph, value, DType::float32, weight.dtype(), name + "_cast");
      graph.replace_all_uses(unit.weight, value);
    }
    if (correction) {
      add_correction(graph, unit, *correction, name);
    } else {
      work.result.bytes_after[row] =
          work.plan.units[row].bytes_after - planned_bytes(choice, unit, graph);
    }
    work.result.figures[row] = std::move(solved.figures);
    if (uses_data()) {
      work.result.ways[row] = fmt::format("{} {}{}", to_string(grid_), solved.way, work.source);
      if (!no_fold.empty()) work.result.ways[row] += fmt::format("; no exact fold: {}", no_fold);
    }
  }

  [[nodiscard]] CorrectionChoice correction_choice(const PassContext& context) const {
    return {.rank = options_.low_rank_correction,
            .type = *parse_factor_type(options_.correction_type),
            .bias = options_.bias_correction,
            .refit = options_.refit && solves_on_data(),
            .refit_strength = options_.refit_strength,
            // Codes of cut outliers are not solved again: the correction brings the outliers back.
            .rounds = options_.outlier_limit > 0 ? 0 : static_cast<int>(options_.correction_rounds),
            .unseen = context.dry_run()};
  }

  // Of awq: why scales do not reach the unit, or nothing.
  static std::string why_no_fold(std::size_t row, const Work& work) {
    if (work.method != WeightMethod::awq) return "";
    return work.no_fold[static_cast<std::size_t>(work.plan.units[row].target)];
  }

  // `folds`: scales reach the unit, where the method is awq.
  [[nodiscard]] SolvedWeight solve(std::size_t row, StageSolver& solver, bool folds,
                                   const Work& work) const {
    const Graph& graph = work.context.graph();
    const LinearUnit& unit = work.unit(row);
    const WeightRef w = *weight_ref(*graph.constant(unit.weight), matrix_layout(unit.layout));
    const bool own_bias = has_own_bias(graph, unit);
    const WeightMethod method = folds ? work.method : WeightMethod::gptq;
    const Grid grid = grid_for(method);
    if (options_.outlier_limit == 0) return solver.solve(w, own_bias, grid, method);
    Matrix cut = to_matrix(w);
    cut_outliers(cut, options_.outlier_limit);
    SolvedWeight solved = solver.solve(weight_ref(cut), own_bias, grid, method);
    solved.q = with_layout(std::move(solved.q), w.layout);
    return solved;
  }

  // Solves the next weights side by side, each on one thread: those of small units are too few to
  // share out, and all of them would take too much memory at once.
  void solve_ahead(StageSolver& solver, Work& work) const {
    ThreadPool& pool = work.context.pool();
    std::vector<std::size_t> rows;
    std::set<ValueId> seen;
    std::int64_t size = 0;
    for (std::size_t i = work.seen - 1; i < work.alone.size() && size < kAhead * pool.threads();
         ++i) {
      const ValueId weight = work.unit(work.alone[i]).weight;
      if (work.done.contains(weight) && i + 1 > work.seen) continue;
      if (!seen.insert(weight).second) continue;
      rows.push_back(work.alone[i]);
      size += work.context.graph().constant(weight)->size();
    }
    std::vector<Solved> solved(rows.size());
    pool.parallel_for(std::ssize(rows), 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
        solved[i].weight = solve(rows[i], solver, why_no_fold(rows[i], work).empty(), work);
        if (storage_ != Storage::matmul_nbits) continue;
        solved[i].blocks = to_blocks(solved[i].weight.q);
        solved[i].weight.q.codes = {};
      }
    });
    for (std::size_t i = 0; i < rows.size(); ++i) {
      work.ahead.emplace(work.unit(rows[i]).weight, std::move(solved[i]));
    }
  }

  UnitOutcome judge(const LinearUnit& unit, PassContext& context) const {
    const Graph& graph = context.graph();
    const Grid grid = grid_for(method(context));
    if (auto why = why_not_storable(storage_, grid, context.model().opset())) {
      return {.refusal = *why};
    }
    if (storage_ == Storage::matmul_nbits) {
      if (std::string why = why_not_one_operator(unit, graph); !why.empty()) {
        return {.refusal = std::move(why)};
      }
      if (is_read_transposed(context.view(), unit)) {
        return {.refusal = "another unit reads the weight transposed"};
      }
    }
    if (graph.value(unit.weight).is_output) return {.refusal = "the weight is a graph output"};
    for (const Embedding& embedding : context.view().embeddings()) {
      if (embedding.table == unit.weight) {
        return {.refusal = "shared with an embedding: quantize_embeddings stores it once for both"};
      }
    }
    const Tensor* weight = graph.constant(unit.weight);
    const auto w =
        weight == nullptr ? std::nullopt : weight_ref(*weight, matrix_layout(unit.layout));
    if (!w) return {.refusal = "the weight is not a matrix of floats"};
    return {.reason = to_string(grid),
            .bytes_after = stored_bytes(storage_, grid, w->in, w->out) +
                           planned_bytes(correction_choice(context), unit, graph)};
  }

  Options options_;
  Grid grid_;
  Storage storage_;
};

}  // namespace

PassInfo quantize_weights_info() {
  return {
      "quantize_weights", "INT8 or INT4 weights of linear units; products stay in float",
      "Rounds the weights of linear units to a grid with one scale per output channel or group. "
      "Without data, float zero points and scales are fitted to the weights (HQQ) where "
      "MatMulNBits "
      "can hold them: 2 % larger than rounding to nearest, closer, but slow in ONNX Runtime for "
      "few rows. "
      "With data, GPTQ spreads the rounding errors and each correction (weights refitted to the "
      "original's outputs, bias) is kept only where held-out samples say that it helps. Stored "
      "behind DequantizeLinear (8 bits per channel: opset 13; fewer bits or groups: opset 21) or "
      "in MatMulNBits (2, 4 or 8 bits in groups, any opset); older models are raised to the opset.",
      describe(quantize_weights_options()),
      [](const OptionValues& values) -> std::unique_ptr<Pass> {
        return std::make_unique<QuantizeWeights>(
            read_options(quantize_weights_options(), values, "pass quantize_weights"));
      }};
}

}  // namespace onnxpress
