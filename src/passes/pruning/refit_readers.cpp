// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/refit_readers.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "eval/agreement.h"
#include "numerics/dense/level.h"
#include "numerics/refit_rows.h"
#include "passes/pruning/reader_weights.h"
#include "passes/unit_bias.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kRowsAtOnce = 1024;
constexpr std::int64_t kRows = 64;  // that a thread works on at a time
// Where outputs depend on one token only, its row counts as often; all others help where samples
// are few.
constexpr int kTimesOfOnlyToken = 24;

// Rows that wait until there are enough to be worth a product.
struct WaitingRows {
  std::vector<float> original, edited, drift;
  std::int64_t count = 0;
};

bool all_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float x) { return std::isfinite(x); });
}

// Sums what one reader's refit needs.
class Collector {
 public:
  Collector(Matrix whole, Matrix left, ThreadPool& pool)
      : whole_(std::move(whole)),
        left_(std::move(left)),
        pool_(pool),
        train(left_.rows, left_.columns),
        held_out(left_.rows, left_.columns) {}

  // What the reader reads, and the residual branch (nullptr: none).
  void add(const Activations& input, const Activations* residual) {
    const ActivationRows& rows = *input.rows;
    const Floats x(*input.original);
    const Floats now(*input.edited);
    const auto count = static_cast<std::size_t>(rows.count);
    const auto width = static_cast<std::size_t>(whole_.rows);
    const auto kept = static_cast<std::size_t>(left_.rows);
    const auto out = static_cast<std::size_t>(whole_.columns);
    if (x.values().size() != count * width || now.values().size() != count * kept) return;
    std::optional<Floats> before;
    std::optional<Floats> after;
    if (residual != nullptr &&
        residual->original->size() == static_cast<std::int64_t>(count * out) &&
        residual->edited->size() == residual->original->size()) {
      before.emplace(*residual->original);
      after.emplace(*residual->edited);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (rows.valid[i] == 0) continue;
      WaitingRows& to = waiting_[rows.held_out[i] != 0 ? 1 : 0];
      const auto was = x.values().subspan(i * width, width);
      const auto is = now.values().subspan(i * kept, kept);
      std::vector<float> drift(out);
      for (std::size_t j = 0; before && j < out; ++j) {
        drift[j] = before->values()[i * out + j] - after->values()[i * out + j];
      }
      if (!all_finite(was) || !all_finite(is) || !all_finite(drift)) continue;
      const int times = token && rows.in_sample[i] == *token ? kTimesOfOnlyToken : 1;
      for (int time = 0; time < times; ++time) {
        to.original.insert(to.original.end(), was.begin(), was.end());
        to.edited.insert(to.edited.end(), is.begin(), is.end());
        to.drift.insert(to.drift.end(), drift.begin(), drift.end());
      }
      to.count += times;
      if (to.count >= kRowsAtOnce) flush(to);
    }
  }

  void finish() {
    for (WaitingRows& rows : waiting_) flush(rows);
  }

 private:
  void flush(WaitingRows& rows) {
    if (rows.count == 0) return;
    const Matrix wanted = multiply(rows.original, rows.count, whole_);
    Matrix lacking = multiply(rows.edited, rows.count, left_);
    RefitMoments& moments = &rows == waiting_ ? train : held_out;
    for (std::size_t i = 0; i < lacking.values.size(); ++i) {
      const double value = wanted.values[i];
      moments.signal += value * value;
      lacking.values[i] = wanted.values[i] - lacking.values[i] + rows.drift[i];
    }
    add_rows(moments, rows.edited.data(), lacking.values.data(), rows.count, pool_);
    rows = {};
  }

  [[nodiscard]] Matrix multiply(const std::vector<float>& rows, std::int64_t count,
                                const Matrix& w) const {
    Matrix result(count, w.columns);
    pool_.parallel_for(count, kRows, [&](std::int64_t begin, std::int64_t end) {
      dense::level().multiply(rows.data() + begin * w.rows, w.values.data(), result.row(begin),
                              end - begin, w.rows, w.columns);
    });
    return result;
  }

  Matrix whole_, left_;
  ThreadPool& pool_;
  WaitingRows waiting_[2];

 public:
  RefitMoments train, held_out;
  std::optional<std::int64_t> token;  // only_token_read
};

class Refit {
 public:
  Refit(PassContext& context, const Model& original)
      : context_(context),
        original_(original),
        before_(TransformerView::of(original)),
        now_(TransformerView::of(context.model())),
        run_(original, *context.calibration()->set,
             {.session = context.calibration()->session, .pair = true}) {}

  // The readers and the units behind the first of them that can be refitted, in the order of the
  // graph.
  [[nodiscard]] std::vector<NodeId> products_behind(
      const std::map<NodeId, std::size_t>& readers,
      const std::function<bool(const std::string&)>& may_change) const {
    std::set<NodeId> others;
    for (const LinearUnit& unit : now_.units()) {
      const auto old = before_.unit_of(unit.product);
      if (!old || unit.role == UnitRole::head || !may_change(unit.label) ||
          now_.output_head() == now_.unit_of(unit.product)) {
        continue;
      }
      const bool whole =
          unit.in == before_.units()[*old].in && unit.out == before_.units()[*old].out;
      const bool possible = std::ranges::all_of(
          unit.why_not, [](const Refusal& refusal) { return refusal.kind == RefusalKind::tiny; });
      if (whole && possible) others.insert(unit.product);
    }
    std::vector<NodeId> products;
    for (const NodeId id : original_.graph.nodes()) {
      if (readers.contains(id) || (!products.empty() && others.contains(id))) {
        products.push_back(id);
      }
    }
    return products;
  }

  ReaderRefit run(NodeId product) {
    ReaderRefit result;
    Graph& graph = context_.graph();
    const auto old_index = before_.unit_of(product);
    const auto index = now_.unit_of(product);
    if (!old_index || !index) {
      result.why_not = "its product is no unit";
      return result;
    }
    const LinearUnit& old = before_.units()[*old_index];
    const LinearUnit& unit = now_.units()[*index];
    result.why_not = why_fixed(graph, unit);
    if (!result.why_not.empty()) return result;
    if (old.input != unit.input) {
      result.why_not = "the cut changed what it reads";
      return result;
    }
    if (unit.out != old.out) {
      result.why_not = "its outputs were cut";
      return result;
    }
    const Matrix left = weights_of(graph, unit);
    Collector collector(weights_of(original_.graph, old), left, context_.pool());
    collector.token = only_token_read(graph, unit.output);
    collect(unit.input, residual_beside(graph, unit), collector);
    const bool centred = has_own_bias(graph, unit);
    const RowsRefit refit =
        refit_rows(collector.train, collector.held_out, centred, context_.pool());
    result.measured = collector.held_out.inputs.rows > 0;
    result.error_before = refit.error_before;
    result.error = refit.error;
    if (!refit.helps()) {
      result.why_not = result.measured ? "no refit made the held-out error smaller"
                                       : "the data held no rows for it";
      return result;
    }
    Matrix w = left;
    for (std::size_t i = 0; i < w.values.size(); ++i) w.values[i] += refit.change.values[i];
    set_weights(graph, unit, w, refit.bias_change);
    return result;
  }

 private:
  void collect(ValueId input, ValueId residual, Collector& collector) {
    std::vector<ValueId> values{input};
    if (residual != kNoValue && residual != input) values.push_back(residual);
    struct Held {
      Tensor original, edited;
      ActivationRows rows;
    };
    std::map<ValueId, Held> batch;
    run_.advance(context_.model(), values, [&](const Activations& a) {
      batch[a.value] = {*a.original, *a.edited, *a.rows};
      if (batch.size() < values.size()) return;
      const auto view = [&](ValueId id) {
        const Held& held = batch.at(id);
        return Activations{id, &held.original, &held.edited, &held.rows, a.batch};
      };
      const Activations read = view(input);
      if (residual == kNoValue) {
        collector.add(read, nullptr);
      } else {
        const Activations beside = view(residual);
        collector.add(read, &beside);
      }
      batch.clear();
    });
    collector.finish();
  }

  PassContext& context_;
  const Model& original_;
  TransformerView before_, now_;
  StagedRun run_;
};

}  // namespace

RefitOfReaders refit_readers(PassContext& context, const Model& original,
                             const std::vector<NodeId>& readers,
                             const std::function<bool(const std::string&)>& may_change,
                             const std::function<void(double)>& done) {
  RefitOfReaders result;
  result.readers.resize(readers.size());
  std::map<NodeId, std::size_t> cut;  // place in `readers`
  for (std::size_t i = 0; i < readers.size(); ++i) cut.emplace(readers[i], i);
  Refit refit(context, original);
  const std::vector<NodeId> products = refit.products_behind(cut, may_change);
  for (std::size_t i = 0; i < products.size(); ++i) {
    done(static_cast<double>(i) / static_cast<double>(products.size()));
    ReaderRefit one = refit.run(products[i]);
    if (const auto place = cut.find(products[i]); place != cut.end()) {
      result.readers[place->second] = std::move(one);
    } else if (one.why_not.empty()) {
      ++result.others;
    }
  }
  context.edited();
  return result;
}

}  // namespace onnxpress
