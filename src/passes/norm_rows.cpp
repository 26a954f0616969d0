// SPDX-License-Identifier: Apache-2.0
#include "passes/norm_rows.h"

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "calib/moments.h"

namespace onnxpress {
namespace {

void normalize(std::span<float> row, const patterns::NormMatch& norm) {
  double mean = 0;
  if (norm.kind == patterns::NormKind::layer) {
    for (const float value : row) mean += value;
    mean /= static_cast<double>(row.size());
  }
  double variance = 0;
  for (const float value : row) variance += (value - mean) * (value - mean);
  variance /= static_cast<double>(row.size());
  const double factor = 1 / std::sqrt(variance + norm.epsilon);
  for (float& value : row) value = static_cast<float>((value - mean) * factor);
}

// a + b (+ bias in each row), elementwise.
Tensor sum(const Tensor& a, const Tensor& b, const Tensor* bias) {
  std::vector<double> values = a.to_doubles();
  const std::vector<double> more = b.to_doubles();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] += more[i];
  if (bias != nullptr) {
    const std::vector<double> row = bias->to_doubles();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += row[i % row.size()];
  }
  return Tensor::of<float>(a.dims(), std::vector<float>(values.begin(), values.end()));
}

class Observer {
 public:
  Observer(const Graph& graph, const patterns::NormMatch& norm)
      : norm_(norm),
        bias_(norm.input_bias == kNoValue ? nullptr : graph.constant(norm.input_bias)) {}

  void see(const Activations& activations) {
    if (activations.original->dims() != activations.edited->dims()) {
      rows.why_not = "its input has another shape than in the original";
    }
    if (!rows.why_not.empty()) return;
    if (norm_.residual == kNoValue) {
      add(activations);
    } else if (!first_edited_) {  // the other summand comes next
      first_edited_ = *activations.edited;
      first_original_ = *activations.original;
    } else {
      if (first_edited_->dims() != activations.edited->dims()) {
        rows.why_not = "its two summands have different shapes";
        return;
      }
      const Tensor edited = sum(*first_edited_, *activations.edited, bias_);
      const Tensor original = sum(*first_original_, *activations.original, bias_);
      first_edited_.reset();
      add({activations.value, &original, &edited, activations.rows, activations.batch});
    }
  }

  NormRows rows;

 private:
  void add(const Activations& activations) {
    ValidRows valid = valid_rows(activations);
    const auto width = static_cast<std::size_t>(valid.width);
    if (rows.train.size() == 0) {
      rows.train = ChannelLines(width);
      rows.held_out = ChannelLines(width);
    }
    rows.skipped_rows += valid.skipped;
    for (std::int64_t i = 0; i < valid.count(); ++i) {
      const std::size_t at = static_cast<std::size_t>(i) * width;
      const std::span<float> x(valid.edited.data() + at, width);
      const std::span<float> y(valid.original.data() + at, width);
      normalize(x, norm_);
      normalize(y, norm_);
      (i < valid.train ? rows.train : rows.held_out).add(x, y);
    }
  }

  const patterns::NormMatch& norm_;
  const Tensor* bias_;
  std::optional<Tensor> first_edited_, first_original_;
};

}  // namespace

NormRows observe_norm(StagedRun& run, const Model& edited, const patterns::NormMatch& norm) {
  std::vector<ValueId> values{norm.input};
  if (norm.residual != kNoValue) values.push_back(norm.residual);
  Observer observer(edited.graph, norm);
  run.advance(edited, values, [&](const Activations& activations) { observer.see(activations); });
  return std::move(observer.rows);
}

}  // namespace onnxpress
