// SPDX-License-Identifier: Apache-2.0
#include "passes/output_cost.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "calib/activation_rows.h"
#include "eval/agreement.h"
#include "eval/task.h"

namespace onnxpress {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

bool is_logits(OutputKind kind) {
  return kind == OutputKind::class_logits || kind == OutputKind::token_logits;
}

}  // namespace

struct OutputCost::Impl {
  struct Kept {
    std::size_t batch = 0;
    TensorMap outputs;  // those that count
  };

  const CalibrationSet& set;
  OutputCostOptions options;
  std::vector<std::string> names;
  bool divergence = false;
  std::vector<Kept> batches;
  std::int64_t samples = 0;

  Impl(const CalibrationSet& data, OutputCostOptions given)
      : set(data), options(std::move(given)) {}

  void choose_outputs(const Session& session, const TensorMap& outputs, const Batch& batch,
                      const Graph& graph) {
    const auto tokens = token_input(graph);
    const auto vocabulary = tokens ? std::optional(tokens->rows) : std::nullopt;
    const auto roles = judge_outputs(outputs, session.outputs(), batch, vocabulary);
    for (const OutputRole& role : roles) divergence |= is_logits(role.kind);
    for (const OutputRole& role : roles) {
      const bool counts =
          divergence ? is_logits(role.kind) : is_float(outputs.at(role.name).dtype());
      if (counts) names.push_back(role.name);
    }
  }

  void run_reference(const Model& reference) {
    const Session session(reference, options.session);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < set.batches(); ++i) {
      if (i > 0 && (samples >= options.samples || bytes >= options.output_bytes)) break;
      const Batch batch = set.batch(i);
      TensorMap outputs = session.run(batch.inputs);
      if (i == 0) choose_outputs(session, outputs, batch, reference.graph);
      Kept kept{i, {}};
      for (const std::string& name : names) {
        bytes += outputs.at(name).bytes().size();
        kept.outputs.emplace(name, outputs.at(name));
      }
      samples += static_cast<std::int64_t>(batch.samples.size());
      batches.push_back(std::move(kept));
      if (options.tick) options.tick();
    }
  }
};

OutputCost::OutputCost(const Model& reference, const CalibrationSet& set, OutputCostOptions options)
    : impl_(std::make_unique<Impl>(set, std::move(options))) {
  impl_->run_reference(reference);
}
OutputCost::~OutputCost() = default;
OutputCost::OutputCost(OutputCost&&) noexcept = default;
OutputCost& OutputCost::operator=(OutputCost&&) noexcept = default;

double OutputCost::of(const Model& candidate) const {
  const Session session(candidate, impl_->options.session);
  double divergence = 0;
  double signal = 0;
  double noise = 0;
  std::int64_t count = 0;
  for (const Impl::Kept& kept : impl_->batches) {
    const Batch batch = impl_->set.batch(kept.batch);
    const TensorMap outputs = session.run(batch.inputs);
    const BatchRows batch_rows(batch, impl_->set.inputs());
    for (const auto& [name, reference] : kept.outputs) {
      const auto found = outputs.find(name);
      if (found == outputs.end() || found->second.dims() != reference.dims()) return kInfinite;
      const Floats a(reference);
      const Floats b(found->second);
      const ActivationRows rows = batch_rows.rows(reference.dims());
      const auto width = static_cast<std::size_t>(rows.width);
      for (std::size_t i = 0; i < static_cast<std::size_t>(rows.count); ++i) {
        if (rows.valid[i] == 0) continue;
        const auto wanted = a.values().subspan(i * width, width);
        const auto got = b.values().subspan(i * width, width);
        ++count;
        if (impl_->divergence) {
          divergence += kl_divergence(wanted, got);
          continue;
        }
        for (std::size_t c = 0; c < width; ++c) {
          const double difference = static_cast<double>(got[c]) - static_cast<double>(wanted[c]);
          noise += difference * difference;
          signal += static_cast<double>(wanted[c]) * static_cast<double>(wanted[c]);
        }
      }
    }
    if (impl_->options.tick) impl_->options.tick();
  }
  if (count == 0) return 0;
  const double cost = impl_->divergence ? divergence / static_cast<double>(count)
                      : noise == 0      ? 0
                                        : std::sqrt(noise / signal);
  return std::isfinite(cost) ? cost : kInfinite;
}

bool OutputCost::is_divergence() const {
  return impl_->divergence;
}

std::int64_t OutputCost::samples() const {
  return impl_->samples;
}

}  // namespace onnxpress
