// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/thread_pool.h"
#include "calib/calibration_file.h"
#include "calib/calibration_set.h"
#include "calib/original_statistics.h"
#include "exec/session.h"
#include "ir/graph.h"

namespace onnxpress {

class TransformerView;

enum class Decision { change, keep };
[[nodiscard]] std::string_view name(Decision decision);  // "change", "keep"

// What a pass means to do with one thing: a linear unit, an embedding, a tensor, a group of nodes.
struct UnitPlan {
  std::string label{};  // as `inspect` shows it
  // "linear", "embedding", "tensor", "nodes", "attention block", "feed-forward block"
  std::string kind{};
  Decision decision = Decision::keep;
  std::string reason{};  // what will be done, or why nothing is
  // Bytes of weights that the model holds for it. Shared bytes are counted at the first unit that
  // uses them.
  std::int64_t bytes_before = 0;
  std::int64_t bytes_after = 0;
  std::int64_t target = -1;  // the pass's own number for it: an index, a value's or node's id
};

// What was measured of one unit while it was changed, in the order of the steps:
// "rtn.output_error", "sqnr_db", … docs/layer-report.md has the names.
using UnitFigures = std::vector<std::pair<std::string, double>>;

struct PassPlan {
  std::vector<UnitPlan> units;
  std::vector<std::string> warnings;
  // Globs of include and exclude that fit no unit of this pass. The runner refuses those that fit
  // none of any pass that was given them.
  std::vector<std::string> unmatched_globs;
  bool already_quantized = false;  // some unit is left alone because it is quantized already
  // Units that are left alone because their weights hold NaN or infinity, and where. They are among
  // the warnings, too; strict runs refuse them.
  std::vector<std::string> not_finite;
  [[nodiscard]] std::size_t changes() const;
  [[nodiscard]] std::int64_t bytes_before() const;
  [[nodiscard]] std::int64_t bytes_after() const;
};

struct PassResult {
  std::size_t changed = 0;                       // units
  std::vector<std::string> warnings{};           // what came up only while applying
  std::map<std::size_t, UnitFigures> figures{};  // by row of the plan
  std::map<std::size_t, std::string> ways{};     // by row: how, where the plan left it open
  std::set<std::size_t> kept{};                  // rows that stayed as they were after all
  std::map<std::size_t, std::int64_t>
      bytes_after{};  // by row, where they are not those of the plan
};

// What a pass may learn from: samples to run through the model, and how; or a calibration file of
// the input model; or both.
struct Calibration {
  std::optional<CalibrationSet> set;
  SessionOptions session{};
  std::optional<CalibrationFile> file{};
};

// What the runner gives to a pass. Not to be kept.
class PassContext {
 public:
  // `step` is told the share of apply() that is done, 0 to 1, and throws to cancel; may be empty.
  // `calibration` may be nullptr. `original` is what its file knows, kept from pass to pass;
  // without it the context makes its own.
  PassContext(Model& model, ThreadPool& pool, std::function<void(double)> step = {},
              const Calibration* calibration = nullptr, bool dry_run = false,
              OriginalStatistics* original = nullptr);
  ~PassContext();
  PassContext(const PassContext&) = delete;
  PassContext& operator=(const PassContext&) = delete;

  [[nodiscard]] Model& model() { return model_; }
  [[nodiscard]] Graph& graph() { return model_.graph; }
  [[nodiscard]] ThreadPool& pool() { return pool_; }
  // What kind of transformer the graph is; made on the first call and again after edited().
  const TransformerView& view();
  void edited();
  // To be called now and then from long loops.
  void step(double done);
  // nullptr where neither data nor a calibration file were given.
  [[nodiscard]] const Calibration* calibration() const { return calibration_; }
  // nullptr without a calibration file. A pass that scales what units read tells it so.
  [[nodiscard]] OriginalStatistics* original() const { return original_; }
  // Nobody keeps the result: the pass may do what makes the same bytes without looking at data.
  [[nodiscard]] bool dry_run() const { return dry_run_; }

 private:
  Model& model_;
  ThreadPool& pool_;
  std::function<void(double)> step_;
  const Calibration* calibration_;
  bool dry_run_;
  std::optional<OriginalStatistics> own_original_;
  OriginalStatistics* original_;
  std::unique_ptr<TransformerView> view_;
};

// One change to a model. A pass decides in plan() and edits in apply(); running, timing, checking
// and reporting are the runner's.
class Pass {
 public:
  virtual ~Pass() = default;
  // Decides for each unit, without changing anything. Throws Error where the whole pass can't be
  // done.
  [[nodiscard]] virtual PassPlan plan(PassContext& context) const = 0;
  // Does what the plan says; the plan must have been made for this very graph.
  virtual PassResult apply(const PassPlan& plan, PassContext& context) const = 0;
  // The opset of ai.onnx that the pass needs to do here what its options say; 0: any. The runner
  // raises older models (upgrade_opset) before the pass plans.
  [[nodiscard]] virtual std::int64_t needed_opset(PassContext& context) const;
  // Whether the pass looks at calibration data if there are any.
  [[nodiscard]] virtual bool uses_data() const { return false; }
};

}  // namespace onnxpress
