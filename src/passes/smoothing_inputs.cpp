// SPDX-License-Identifier: Apache-2.0
#include "passes/smoothing_inputs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "calib/moments.h"

namespace onnxpress {
namespace {

// Where stages end decides what is fused and so has a say in the last bits: this is no option.
constexpr std::size_t kAtOnce = 16;
constexpr std::size_t kTrainRows = 512;
constexpr std::size_t kHeldOutRows = 256;

Matrix matrix(const RowReservoir& reservoir) {
  Matrix rows(static_cast<std::int64_t>(reservoir.size()), reservoir.width());
  rows.values = reservoir.matrix();
  return rows;
}

}  // namespace

void SmoothingObserver::add(const Activations& activations) {
  const ValidRows rows = valid_rows(activations);
  if (input_.channels == 0) start(rows.width);
  add_range(*activations.edited);
  const auto width = static_cast<std::size_t>(input_.channels);
  for (std::int64_t i = 0; i < rows.count(); ++i) {
    const float* row = rows.edited.data() + i * rows.width;
    const auto at = static_cast<std::size_t>(i);
    RowReservoir& reservoir = i < rows.train ? train_ : held_out_;
    reservoir.add(rows.sample[at], rows.in_sample[at], row);
    if (i >= rows.train) continue;
    for (std::size_t c = 0; c < width; ++c) {
      const double x = row[c];
      input_.energy[c] += x * x;
      input_.mean_abs[c] += std::fabs(x);
    }
  }
  count_ += rows.train;
}

SmoothingInput SmoothingObserver::result() {
  if (count_ == 0) return {};
  for (auto* field : {&input_.energy, &input_.mean_abs}) {
    for (double& value : *field) value /= static_cast<double>(count_);
  }
  input_.train = matrix(train_);
  input_.held_out = matrix(held_out_);
  return std::move(input_);
}

void SmoothingObserver::start(std::int64_t width) {
  input_.channels = width;
  input_.energy.resize(static_cast<std::size_t>(width));
  input_.mean_abs.resize(static_cast<std::size_t>(width));
  train_ = RowReservoir(kTrainRows, width);
  held_out_ = RowReservoir(kHeldOutRows, width);
}

// Of all rows, since a range that is taken at run time is that of padding, too.
void SmoothingObserver::add_range(const Tensor& tensor) {
  const auto width = static_cast<std::size_t>(input_.channels);
  std::vector<float> low(width, 0);
  std::vector<float> high(width, 0);
  const auto values = tensor.as<float>();
  for (std::size_t row = 0; row + width <= values.size(); row += width) {
    for (std::size_t j = 0; j < width; ++j) {
      const float x = std::isfinite(values[row + j]) ? values[row + j] : 0;
      low[j] = std::min(low[j], x);
      high[j] = std::max(high[j], x);
    }
  }
  input_.batch_min.insert(input_.batch_min.end(), low.begin(), low.end());
  input_.batch_max.insert(input_.batch_max.end(), high.begin(), high.end());
}

SmoothingInput expected_of_norm(const Tensor* gain, const Tensor* shift,
                                std::span<const std::int32_t> columns) {
  constexpr double kReach = 4;  // deviations that a batch reaches on each side
  SmoothingInput input;
  input.channels = static_cast<std::int64_t>(columns.size());
  for (const std::int32_t column : columns) {
    const auto at = static_cast<std::size_t>(column);
    const double deviation =
        gain == nullptr ? 1 : std::fabs(static_cast<double>(gain->as<float>()[at]));
    const double mean = shift == nullptr ? 0 : static_cast<double>(shift->as<float>()[at]);
    input.batch_min.push_back(static_cast<float>(mean - kReach * deviation));
    input.batch_max.push_back(static_cast<float>(mean + kReach * deviation));
    input.energy.push_back(mean * mean + deviation * deviation);
    input.mean_abs.push_back(std::sqrt(input.energy.back()));
  }
  return input;
}

bool has_smoothing_inputs(const PassContext& context) {
  const Calibration* calibration = context.calibration();
  if (calibration == nullptr) return false;
  return calibration->set.has_value() || context.original()->has_rows();
}

void observe_smoothing_inputs(const Model& model, std::span<const ValueId> values,
                              const PassContext& context,
                              const std::function<void(double)>& progress,
                              const std::function<void(ValueId, SmoothingInput&&)>& take) {
  if (context.original() != nullptr && context.original()->has_rows()) {
    for (const ValueId id : values) {
      take(id, context.original()
                   ->smoothing_input(model.graph.value(id).name)
                   .value_or(SmoothingInput{}));
    }
    return;
  }
  const Calibration& calibration = *context.calibration();
  std::size_t done = 0;
  std::size_t count = 0;
  StagedRunOptions options;
  options.session = calibration.session;
  options.progress = [&](double share) {
    const double reached = static_cast<double>(done) + share * static_cast<double>(count);
    progress(reached / static_cast<double>(values.size()));
  };
  StagedRun run(model, *calibration.set, std::move(options));
  for (; done < values.size(); done += count) {
    count = std::min(kAtOnce, values.size() - done);
    const auto stage = values.subspan(done, count);
    std::map<ValueId, SmoothingObserver> observers;
    run.advance(model, stage, [&](const Activations& a) { observers[a.value].add(a); });
    for (const ValueId id : stage) take(id, observers[id].result());
  }
}

}  // namespace onnxpress
