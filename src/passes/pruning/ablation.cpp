// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/ablation.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "calib/hash.h"
#include "data/gather.h"
#include "eval/agreement.h"
#include "eval/task.h"

namespace onnxpress {
namespace {

constexpr std::size_t kMostSamples = 128;
constexpr std::size_t kMostTokens = 8192;
constexpr std::uint64_t kMostFloats = 16 << 20;  // of the reference's outputs that are kept
constexpr std::uint64_t kSalt = 0x5EED;          // another choice than that of held-out samples

// A fixed choice of the samples, by a hash of their index.
Dataset some_of(const Dataset& data) {
  std::vector<std::size_t> order(data.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [](std::size_t sample) { return mix_bits(sample ^ kSalt); });
  std::size_t tokens = 0;
  std::size_t count = 0;
  while (count < std::min(order.size(), kMostSamples) && (count == 0 || tokens < kMostTokens)) {
    tokens += data.length(order[count++]);
  }
  order.resize(count);
  std::ranges::sort(order);
  if (data.is_text()) {
    std::vector<TextSample> texts;
    for (const std::size_t sample : order) texts.push_back(data.texts()[sample]);
    return Dataset::of_texts(std::move(texts), {}, data.pad_id(), data.source());
  }
  std::vector<NamedTensor> arrays;
  for (const NamedTensor& array : data.arrays()) {
    arrays.push_back({array.name, gather_rows(array.tensor, order)});
  }
  return Dataset::of_arrays(std::move(arrays), {}, data.source());
}

}  // namespace

AblationRun::AblationRun(const Model& reference, const Calibration& calibration, float temperature)
    : reference_(reference),
      temperature_(temperature),
      set_(some_of(calibration.set->data()), calibration.set->inputs(),
           calibration.set->batch_size()),
      options_({.session = calibration.session}) {
  find_outputs();
  restart();
  std::map<ValueId, Output*> by_value;
  for (Output& output : outputs_) by_value[output.value] = &output;
  run_->peek(reference_, values_, [&](const Activations& a) {
    Output& output = *by_value.at(a.value);
    const std::vector<float> values = softened(a);
    const auto width = static_cast<std::size_t>(a.rows->width);
    for (const std::size_t row : chosen(a)) {
      const auto one = std::span(values).subspan(row * width, width);
      output.rows.insert(output.rows.end(), one.begin(), one.end());
      ++output.count;
    }
  });
}

void AblationRun::find_outputs() {
  const Session session(reference_, options_.session);
  const Batch batch = set_.batch(0);
  const TensorMap results = session.run(batch.inputs);
  const auto tokens = token_input(reference_.graph);
  const auto roles =
      judge_outputs(results, session.outputs(), batch,
                    tokens ? std::optional<std::int64_t>(tokens->rows) : std::nullopt);
  const auto is_logits = [](const OutputRole& role) {
    return role.kind == OutputKind::class_logits || role.kind == OutputKind::token_logits;
  };
  const auto is_vector = [](const OutputRole& role) { return role.kind != OutputKind::values; };
  kl_ = std::ranges::any_of(roles, is_logits);
  const bool vectors = std::ranges::any_of(roles, is_vector);
  std::uint64_t floats = 0;
  for (const OutputRole& role : roles) {
    const Tensor& tensor = results.at(role.name);
    const bool wanted = kl_ ? is_logits(role) : !vectors || is_vector(role);
    const bool is_float = tensor.dtype() == DType::float32 || tensor.dtype() == DType::float16 ||
                          tensor.dtype() == DType::bfloat16 || tensor.dtype() == DType::float64;
    if (!wanted || !is_float || tensor.size() == 0) continue;
    for (const ValueId id : reference_.graph.outputs()) {
      if (reference_.graph.value(id).name == role.name) outputs_.push_back({id, {}, 0});
    }
    floats += static_cast<std::uint64_t>(tensor.size()) * set_.batches();
  }
  stride_ = 1 + floats / kMostFloats;
  for (const Output& output : outputs_) values_.push_back(output.value);
}

void AblationRun::restart() {
  run_.emplace(reference_, set_, options_);
}

void AblationRun::advance(const Model& working, ValueId border) {
  run_->advance(working, std::array{border}, [](const Activations&) {});
}

std::vector<std::size_t> AblationRun::chosen(const Activations& a) const {
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < a.rows->valid.size(); ++i) {
    if (a.rows->valid[i] == 0) continue;
    if (stride_ > 1 && mix_bits((a.batch << 32U) + i) % stride_ != 0) continue;
    rows.push_back(i);
  }
  return rows;
}

std::vector<float> AblationRun::softened(const Activations& a) const {
  const Floats floats(*a.edited);
  std::vector<float> values(floats.values().begin(), floats.values().end());
  if (kl_) {
    for (float& value : values) value /= temperature_;
  }
  return values;
}

double AblationRun::measure(const Model& variant) {
  struct Sum {
    const Output* output = nullptr;
    std::size_t at = 0;  // in output->rows
    double difference = 0, signal = 0;
  };
  std::map<ValueId, Sum> sums;
  for (const Output& output : outputs_) sums[output.value].output = &output;
  run_->peek(variant, values_, [&](const Activations& a) {
    Sum& sum = sums.at(a.value);
    const std::vector<float> values = softened(a);
    const auto width = static_cast<std::size_t>(a.rows->width);
    for (const std::size_t row : chosen(a)) {
      const auto now = std::span(values).subspan(row * width, width);
      const auto was = std::span(sum.output->rows).subspan(sum.at, width);
      sum.at += width;
      if (kl_) {
        const double temperature = temperature_;
        sum.difference += temperature * temperature * kl_divergence(was, now);
        continue;
      }
      for (std::size_t j = 0; j < width; ++j) {
        const double x = was[j];
        const double difference = static_cast<double>(now[j]) - x;
        sum.difference += difference * difference;
        sum.signal += x * x;
      }
    }
  });
  double total = 0;
  for (const auto& [value, sum] : sums) {
    const double by = kl_ ? static_cast<double>(sum.output->count) : sum.signal;
    if (by > 0) total += sum.difference / by;
  }
  return total;
}

}  // namespace onnxpress
