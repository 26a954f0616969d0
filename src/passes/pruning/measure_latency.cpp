// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/measure_latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "data/input_spec.h"
#include "eval/latency.h"
#include "passes/pruning/choose_units.h"

namespace onnxpress {
namespace {

constexpr std::size_t kMostNumbers = 12;  // of units that a layer is timed with
constexpr int kRuns = 40;                 // of each model, at least
constexpr double kSeconds = 0.3;

// Other work on the machine makes runs slower, never faster.
double fastest(const std::vector<double>& times) {
  return *std::ranges::min_element(times);
}

// Layers of one shape take one time.
std::string shape_of(const Graph& graph, const PrunableLayer& layer) {
  std::string text = fmt::format("{} {} {} {}", name(layer.kind), layer.units, layer.parts_per_unit,
                                 layer.rows_per_unit);
  for (const PrunableReader& reader : layer.readers) {
    const Tensor* weight = graph.constant(reader.weight);
    if (weight == nullptr) continue;
    for (const std::int64_t dim : weight->dims()) text += fmt::format(" {}", dim);
  }
  return text;
}

// Numbers of units that go: all that there are, or some, evenly spread, the largest among them.
std::vector<std::int64_t> timed_numbers(const PrunableLayer& layer) {
  const std::int64_t step = layer.kind == PrunableKind::heads ? 1 : fitting_multiple(layer.units);
  std::vector<std::int64_t> all;
  for (std::int64_t kept = (layer.units - 1) / step * step; kept > 0; kept -= step) {
    all.push_back(layer.units - kept);
  }
  const std::size_t count = std::min(all.size(), kMostNumbers);
  std::vector<std::int64_t> some;
  for (std::size_t i = 1; i <= count; ++i) some.push_back(all[i * all.size() / count - 1]);
  return some;
}

// The share of the model's time that goes when these layers lose so many units each, and how many
// of them could be cut.
struct Timed {
  double share = 0;
  std::vector<const PrunableLayer*> cut;
};

class Clock {
 public:
  Clock(const Model& model, const MeasureLatencyOptions& options)
      : model_(model),
        options_(options),
        whole_(model, options.session),
        sizes_(fitting_sizes(input_specs(model.graph), options.sizes)),
        inputs_(synthetic_inputs(input_specs(model.graph), looked_up_inputs(model.graph), sizes_)) {
  }

  [[nodiscard]] Timed time(const std::vector<const PrunableLayer*>& layers, std::int64_t gone) {
    Timed timed;
    Model cut = model_;
    for (const PrunableLayer* layer : layers) {
      std::vector<std::int64_t> kept(static_cast<std::size_t>(layer->units - gone));
      std::iota(kept.begin(), kept.end(), 0);
      if (cut_layer(cut.graph, *layer, kept).done()) timed.cut.push_back(layer);
    }
    if (timed.cut.empty()) return timed;
    cut.graph.remove_unused();
    cut.graph.sort();
    const Session session(cut, options_.session);
    const std::vector<TimedModel> models{{&whole_, &inputs_}, {&session, &inputs_}};
    const auto times = time_interleaved(models, {.min_runs = kRuns, .seconds = kSeconds});
    timed.share = 1 - fastest(times[1]) / fastest(times[0]);
    whole_ms_.insert(whole_ms_.end(), times[0].begin(), times[0].end());
    return timed;
  }

  // By all turns; of its own where there was none.
  [[nodiscard]] double model_ms() {
    if (whole_ms_.empty()) {
      const TimedModel alone{&whole_, &inputs_};
      whole_ms_ = time_interleaved({&alone, 1}, {.min_runs = kRuns, .seconds = kSeconds}).front();
    }
    return fastest(whole_ms_);
  }
  [[nodiscard]] const InputSizes& sizes() const { return sizes_; }
  [[nodiscard]] std::string conditions() const {
    return fmt::format("{}, {} thread{}, {}", to_text(sizes_), whole_.threads(),
                       whole_.threads() == 1 ? "" : "s", name(whole_.instruction_set()));
  }

 private:
  const Model& model_;
  const MeasureLatencyOptions& options_;
  Session whole_;
  InputSizes sizes_;
  TensorMap inputs_;
  std::vector<double> whole_ms_;
};

}  // namespace

LatencyTable measure_latency(const Model& model, std::span<const PrunableLayer* const> layers,
                             const MeasureLatencyOptions& options) {
  std::map<std::string, std::vector<const PrunableLayer*>> classes;
  std::vector<std::string> order;
  std::size_t turns = 0;
  for (const PrunableLayer* layer : layers) {
    if (!layer->possible()) continue;
    const std::string shape = shape_of(model.graph, *layer);
    if (!classes.contains(shape)) {
      order.push_back(shape);
      turns += timed_numbers(*layer).size();
    }
    classes[shape].push_back(layer);
  }
  Clock clock(model, options);
  struct Saved {
    const PrunableLayer* layer;
    std::int64_t kept;
    double share;
  };
  std::vector<Saved> saved;
  std::size_t done = 0;
  for (const std::string& shape : order) {
    for (const std::int64_t gone : timed_numbers(*classes[shape].front())) {
      if (options.tick) options.tick(static_cast<double>(done++) / static_cast<double>(turns));
      const Timed timed = clock.time(classes[shape], gone);
      for (const PrunableLayer* layer : classes[shape]) {
        const bool cut = std::ranges::find(timed.cut, layer) != timed.cut.end();
        saved.push_back({layer, (layer->units - gone) * layer->parts_per_unit,
                         cut ? timed.share / static_cast<double>(timed.cut.size()) : 0});
      }
    }
  }
  LatencyTable table{{}, clock.sizes(), clock.conditions(), clock.model_ms(), {}};
  for (const PrunableLayer* layer : layers) {
    for (const Saved& row : saved) {
      if (row.layer != layer) continue;
      table.rows.push_back(
          {layer->kind, table_label(*layer), row.kept, table.model_ms * (1 - row.share)});
    }
  }
  return table;
}

}  // namespace onnxpress
