// SPDX-License-Identifier: Apache-2.0
#include "passes/upgrade_opset.h"

#include <fmt/format.h>

#include "passes/opset/history.h"
#include "passes/opset/raise_opset.h"
#include "passes/weight_bytes.h"

namespace onnxpress {
namespace {

struct Options {
  std::int64_t opset = kNewestRaised;
};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{{"opset",
                                          &Options::opset,
                                          "the opset that the model gets; newer models keep theirs",
                                          {},
                                          kOldestRaisable + 1,
                                          kNewestRaised}};
  return rows;
}

// "opset 14 → 21; rewritten: ReduceMean 13, Unsqueeze 4"
std::string describe_change(std::int64_t from, std::int64_t to,
                            const std::map<std::string, std::size_t>& rewritten) {
  std::string text = fmt::format("opset {} → {}", from, to);
  std::string_view separator = "; rewritten: ";
  for (const auto& [op_type, count] : rewritten) {
    text += fmt::format("{}{} {}", separator, op_type, count);
    separator = ", ";
  }
  return text;
}

class UpgradeOpset : public Pass {
 public:
  explicit UpgradeOpset(Options options) : options_(options) {}

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    const std::int64_t from = context.model().opset();
    if (from >= options_.opset) return {};
    Model raised = context.model();
    const auto rewritten = raise_opset(raised, options_.opset);
    PassPlan plan;
    plan.units.push_back({.label = "opset",
                          .kind = "nodes",
                          .decision = Decision::change,
                          .reason = describe_change(from, options_.opset, rewritten),
                          .bytes_before = weight_bytes(context.graph()),
                          .bytes_after = weight_bytes(raised.graph)});
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    raise_opset(context.model(), options_.opset);
    context.edited();
    return {.changed = plan.changes()};
  }

 private:
  Options options_;
};

}  // namespace

PassInfo upgrade_opset_info() {
  return {
      "upgrade_opset", "a newer opset; the model computes the same",
      "Raises the model to a newer opset of ai.onnx, from opset 9 on: nodes whose operator "
      "changed are rewritten so that they mean what they meant before, also in the bodies of "
      "If, Loop and Scan. Where that can't be done the model is refused. Passes that need a "
      "newer opset than the model's have it raised without being asked.",
      describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
        return std::make_unique<UpgradeOpset>(read_options(table(), values, "pass upgrade_opset"));
      }};
}

}  // namespace onnxpress
