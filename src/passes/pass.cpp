// SPDX-License-Identifier: Apache-2.0
#include "passes/pass.h"

#include <utility>

#include "model/transformer_view.h"

namespace onnxpress {

std::string_view name(Decision decision) {
  return decision == Decision::change ? "change" : "keep";
}

std::size_t PassPlan::changes() const {
  std::size_t count = 0;
  for (const UnitPlan& unit : units) count += unit.decision == Decision::change ? 1 : 0;
  return count;
}

std::int64_t PassPlan::bytes_before() const {
  std::int64_t sum = 0;
  for (const UnitPlan& unit : units) sum += unit.bytes_before;
  return sum;
}

std::int64_t PassPlan::bytes_after() const {
  std::int64_t sum = 0;
  for (const UnitPlan& unit : units) sum += unit.bytes_after;
  return sum;
}

std::int64_t Pass::needed_opset(PassContext& /*context*/) const {
  return 0;
}

PassContext::PassContext(Model& model, ThreadPool& pool, std::function<void(double)> step,
                         const Calibration* calibration, bool dry_run, OriginalStatistics* original)
    : model_(model),
      pool_(pool),
      step_(std::move(step)),
      calibration_(calibration),
      dry_run_(dry_run),
      original_(original) {
  if (original_ != nullptr || calibration == nullptr || !calibration->file) return;
  original_ = &own_original_.emplace(*calibration->file);
}

PassContext::~PassContext() = default;

const TransformerView& PassContext::view() {
  if (!view_) view_ = std::make_unique<TransformerView>(TransformerView::of(model_));
  return *view_;
}

void PassContext::edited() {
  view_.reset();
}

void PassContext::step(double done) {
  if (step_) step_(done);
}

}  // namespace onnxpress
