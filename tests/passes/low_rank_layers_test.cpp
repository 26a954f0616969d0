// SPDX-License-Identifier: Apache-2.0
// Low-rank factors, low-rank corrections and sparse weights on the layers of a real model: every
// unit gets the original's inputs, and errors are those on tokens that nothing was solved on.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <iostream>
#include <map>

#include "calib/moments.h"
#include "data/input_spec.h"
#include "io/reader.h"
#include "numerics/gptq.h"
#include "numerics/low_rank.h"
#include "numerics/low_rank_correction.h"
#include "numerics/output_error.h"
#include "numerics/quantize_rtn.h"
#include "numerics/sparse_gpt.h"
#include "passes/linear_units.h"
#include "passes/stages.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

constexpr Grid kGrid{4, 32, false};
constexpr double kDamping = 0.01;

// Geometric means of ratios by name.
class Means {
 public:
  void add(const std::string& name, double ratio) {
    Mean& mean = means_[name];
    mean.logs += std::log(ratio);
    ++mean.count;
    mean.worst = std::max(mean.worst, ratio);
  }
  [[nodiscard]] double of(const std::string& name) const {
    const Mean& mean = means_.at(name);
    return std::exp(mean.logs / static_cast<double>(mean.count));
  }
  void print() const {
    for (const auto& [name, mean] : means_) {
      std::cout << fmt::format("{}: {} units, geometric mean {:.3f}, worst {:.3f}\n", name,
                               mean.count, of(name), mean.worst);
    }
  }

 private:
  struct Mean {
    double logs = 0;
    double worst = 0;
    std::size_t count = 0;
  };
  std::map<std::string, Mean> means_;
};

class Layer {
 public:
  Layer(const Matrix& w, const StageMoments& moments, ThreadPool& pool, Means& means)
      : w_(w), moments_(moments), pool_(pool), means_(means) {}

  // Whitened against plain SVD of the same rank, at shares of the break-even rank.
  void low_rank() {
    const auto h = moments_of(moments_.train.edited, false, kDamping);
    const auto most = std::min(w_.rows, w_.columns);
    const LowRankFactors plain = factor_low_rank(w_, {}, most, pool_);
    const LowRankFactors whitened = factor_low_rank(w_, h, most, pool_);
    for (const double share : {0.9, 0.75, 0.5}) {
      const std::int64_t rank =
          largest_saving_rank(w_.rows, w_.columns, 8, share * break_even_rank(w_.rows, w_.columns));
      const auto of = [&](const LowRankFactors& all) {
        const LowRankFactors some = leading(all, rank);
        return error(product(some.a, some.b, pool_));
      };
      means_.add(fmt::format("low rank, {:.0f} % of the numbers", 100 * share),
                 of(whitened) / of(plain));
    }
  }

  void compressed() {
    const auto factor = factor_for_gptq(moments_.train.edited, {}, pool_);
    const auto gptq = [&](const Matrix& w) { return quantize_gptq(w, factor, kGrid, {}, pool_).q; };
    correction("rtn", quantize_rtn(weight_ref(w_), kGrid, pool_), 0, {});
    const QuantizedMatrix codes = gptq(w_);
    correction("gptq", codes, 0, gptq);
    correction("gptq in turn", codes, 2, gptq);
    sparse();
  }

 private:
  [[nodiscard]] double error(const Matrix& q) const {
    return output_error(w_, q, moments_.held_out.edited, pool_);
  }

  void correction(const std::string& name, const QuantizedMatrix& codes, int rounds,
                  const std::function<QuantizedMatrix(const Matrix&)>& quantize) {
    const double before = error(dequantized_matrix(codes));
    for (const std::int64_t rank : {8, 16}) {
      const CorrectedCodes found =
          alternate_correction(w_, codes, moments_.train.edited, {rank, FactorType::int8, false},
                               rounds, quantize, pool_);
      Matrix corrected = product(found.correction.a(), found.correction.b(), pool_);
      const Matrix q = dequantized_matrix(found.q);
      for (std::size_t i = 0; i < q.values.size(); ++i) corrected.values[i] += q.values[i];
      means_.add(fmt::format("{}, rank {}", name, rank), error(corrected) / before);
    }
  }

  void sparse() {
    GptqOptions options;
    options.activation_order = false;
    const auto in_order = factor_for_gptq(moments_.train.edited, options, pool_);
    const auto sorted = factor_for_gptq(moments_.train.edited, {}, pool_);
    for (const SparsityPattern& pattern : {SparsityPattern{2, 4}, SparsityPattern{0, 0, 0.5}}) {
      std::vector<double> sizes;
      for (const float energy : in_order.energy) sizes.push_back(std::sqrt(energy));
      const double magnitude = error(masked(w_, least_mask(w_, {}, pattern, pool_)));
      means_.add(to_string(pattern) + ", wanda",
                 error(masked(w_, least_mask(w_, sizes, pattern, pool_))) / magnitude);
      for (const int sweeps : {0, 2}) {
        const auto& factor = pattern.grouped() ? in_order : sorted;
        means_.add(
            fmt::format("{}, compensated, {} sweeps", to_string(pattern), sweeps),
            error(prune_sparse_gpt(w_, factor, pattern, {.sweeps = sweeps}, pool_).w) / magnitude);
      }
    }
  }

  const Matrix& w_;
  const StageMoments& moments_;
  ThreadPool& pool_;
  Means& means_;
};

// The layers of a sentiment classifier, with the inputs of so many training sentences: a quarter is
// held out.
Means measure_layers(const std::filesystem::path& shared, std::size_t sentences,
                     const std::function<void(Layer&)>& measure) {
  Model model = read_model(shared / "models/minilm-l6-sst2/model.onnx");
  DataSpec spec;
  spec.path = shared / "data/sst2/train.tsv";
  spec.tokenizer = shared / "models/minilm-l6-sst2/vocab.txt";
  spec.samples = sentences;
  spec.max_length = 128;
  const auto specs = input_specs(model.graph);
  const CalibrationSet set(load_dataset(spec, specs), specs, 32);
  ThreadPool pool(2);
  PassContext context(model, pool);
  const PassPlan plan =
      plan_units(context, {}, false, [](const LinearUnit&) { return UnitOutcome{}; });
  StagedRun run(model, set);
  Means means;
  std::size_t units = 0;
  for (const Stage& stage : stages_of(plan, context.view(), model.graph)) {
    const StageMoments moments = observe_moments(run, model, stage.input, pool);
    for (const std::size_t row : stage.rows) {
      const LinearUnit& unit =
          context.view().units()[static_cast<std::size_t>(plan.units[row].target)];
      if (unit.out < 16) continue;  // the classifier's two outputs have no low rank
      const Matrix w =
          to_matrix(*weight_ref(*model.graph.constant(unit.weight), matrix_layout(unit.layout)));
      Layer layer(w, moments, pool, means);
      measure(layer);
      ++units;
    }
  }
  means.print();
  EXPECT_GE(units, 36U);
  return means;
}

TEST(LayerErrors, LowRankAndSparseWeightsOfASentimentClassifier) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const Means means = measure_layers(shared, 256, [](Layer& layer) {
    layer.low_rank();
    layer.compressed();
  });
  EXPECT_LE(means.of("low rank, 90 % of the numbers"), 0.6);
  EXPECT_LE(means.of("low rank, 75 % of the numbers"), 0.6);
  EXPECT_LE(means.of("low rank, 50 % of the numbers"),
            0.63);  // fewer than 2 rows for each input of the widest
  EXPECT_LE(means.of("rtn, rank 8"), 0.75);
  EXPECT_LE(means.of("rtn, rank 16"), 0.75);
  EXPECT_LE(means.of("gptq, rank 8"), 0.97);  // its errors have no leading directions left
  EXPECT_LE(means.of("gptq, rank 16"), 0.94);
  EXPECT_LE(means.of("gptq in turn, rank 8"), 0.94);
  EXPECT_LE(means.of("gptq in turn, rank 16"), 0.94);
  EXPECT_LE(means.of("2:4, compensated, 2 sweeps"), 0.6);
}

// With the rows that a Gram matrix of the widest inputs wants, four times their number.
TEST(LayerErrors, LowRankOfASentimentClassifierWithRowsEnough) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const Means means = measure_layers(shared, 1024, [](Layer& layer) { layer.low_rank(); });
  for (const char* share : {"90", "75", "50"}) {
    EXPECT_LE(means.of(fmt::format("low rank, {} % of the numbers", share)), 0.6);
  }
}

}  // namespace
}  // namespace onnxpress
