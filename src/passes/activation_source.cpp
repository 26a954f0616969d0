// SPDX-License-Identifier: Apache-2.0
#include "passes/activation_source.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/error_codes.h"
#include "passes/smoothing_inputs.h"

namespace onnxpress {
namespace {

// Adds what rounding does to some rows of X/s, as if it did the same to all: to each channel its
// mean error and the error's moments with the channel itself.
void add_rounding(PairGram& moments, const ActivationGrid& grid, const Matrix& rows) {
  const std::int64_t k = moments.edited.size;
  if (k == 0 || rows.rows == 0 || rows.columns != k) return;
  Matrix scaled = rows;
  Matrix rounded = rows;
  scale_rows(grid, scaled.values.data(), rows.rows, k);
  round_rows(grid, rounded.values.data(), rows.rows, k);
  const auto width = static_cast<std::size_t>(k);
  std::vector<double> error(width);
  std::vector<double> with_x(width);
  std::vector<double> energy(width);
  for (std::size_t i = 0; i < scaled.values.size(); ++i) {
    const double x = scaled.values[i];
    const double e = static_cast<double>(rounded.values[i]) - x;
    error[i % width] += e / static_cast<double>(rows.rows);
    with_x[i % width] += e * x / static_cast<double>(rows.rows);
    energy[i % width] += e * e / static_cast<double>(rows.rows);
  }
  const auto n = static_cast<double>(moments.edited.rows);
  const std::vector<double> sum = moments.original.sum;
  for (std::size_t i = 0; i < width; ++i) {
    moments.edited.sum[i] += n * error[i];
    for (std::size_t j = 0; j < width; ++j) {
      const std::size_t at = i * width + j;
      if (i == j) {
        moments.edited.xx[at] += n * (2 * with_x[i] + energy[i]);
        moments.cross.xy[at] += n * with_x[i];
        continue;
      }
      moments.edited.xx[at] += error[i] * sum[j] + sum[i] * error[j] + n * error[i] * error[j];
      moments.cross.xy[at] += error[i] * sum[j];
    }
  }
}

// The moments of X/s, and of what rounding makes of it: errors of one channel are taken as
// independent of the others.
void round_moments(StageMoments& moments, const ActivationGrid& grid, const SmoothingInput& x) {
  const std::int64_t k = moments.train.edited.size;
  for (PairGram* part : {&moments.train, &moments.held_out}) {
    for (std::int64_t i = 0; grid.per_channel() && i < k; ++i) {
      const double factor = grid.factor(static_cast<std::size_t>(i));
      part->edited.sum[static_cast<std::size_t>(i)] /= factor;
      part->original.sum[static_cast<std::size_t>(i)] /= factor;
      for (std::int64_t j = 0; j < k; ++j) {
        const double both = factor * grid.factor(static_cast<std::size_t>(j));
        const auto at = static_cast<std::size_t>(i * k + j);
        part->edited.xx[at] /= both;
        if (!part->original.xx.empty()) part->original.xx[at] /= both;
        part->cross.xy[at] /= both;
      }
    }
    add_rounding(*part, grid, x.train);
  }
}

}  // namespace

ActivationSource::ActivationSource(PassContext& context, std::function<double()> done)
    : context_(context) {
  const Calibration& calibration = *context.calibration();
  if (!calibration.set) return;
  original_ = context.model();
  StagedRunOptions options;
  options.session = calibration.session;
  options.pair = true;
  options.progress = [&context, done = std::move(done)](double) { context.step(done()); };
  run_.emplace(original_, *calibration.set, std::move(options));
}

SmoothingInput ActivationSource::input(ValueId value) {
  if (!run_) {
    return context_.original()
        ->smoothing_input(context_.graph().value(value).name)
        .value_or(SmoothingInput{});
  }
  SmoothingObserver observer;
  run_->advance(context_.model(), std::array{value},
                [&](const Activations& activations) { observer.add(activations); });
  return observer.result();
}

StageMoments ActivationSource::moments(ValueId value, const ActivationGrid* grid) {
  if (!run_) {
    const std::string& name = context_.graph().value(value).name;
    StageMoments moments = context_.original()->moments(name).value_or(StageMoments{});
    if (grid != nullptr && moments.train.edited.rows > 0) {
      round_moments(moments, *grid, input(value));
    }
    return moments;
  }
  if (grid == nullptr) {
    return observe_moments(*run_, context_.model(), value, context_.pool());
  }
  return observe_moments(*run_, context_.model(), value, context_.pool(), [&](ValidRows& rows) {
    round_rows(*grid, rows.edited.data(), rows.count(), rows.width);
    scale_rows(*grid, rows.original.data(), rows.count(), rows.width);
  });
}

void require_statistics(const PassContext& context, StatisticsNeeds needs) {
  if (context.calibration() == nullptr || context.calibration()->set) return;
  const auto require = [](bool there, const char* what, const char* hint) {
    if (!there) {
      throw Error(codes::missing_data, fmt::format("the calibration file has no {}", what), hint);
    }
  };
  require(!needs.grams || context.original()->has_grams(), "Gram matrices",
          "calibrate without --no-gram, or add --data");
  require(!needs.rows || context.original()->has_rows(), "rows",
          "calibrate with --keep-rows 256, or add --data");
}

std::string ActivationSource::why_unknown() const {
  return run_ ? "the data gave it no rows" : "the calibration file does not know its input";
}

std::string ActivationSource::remark() const {
  return run_ ? "" : ", inputs of the original from the calibration file";
}

}  // namespace onnxpress
