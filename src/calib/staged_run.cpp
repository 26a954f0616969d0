// SPDX-License-Identifier: Apache-2.0
#include "calib/staged_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/error_codes.h"
#include "calib/activation_store.h"
#include "calib/graph_changes.h"
#include "calib/segment.h"

namespace onnxpress {
namespace {

bool exists(const Graph& graph, ValueId id) {
  if (id == kNoValue || static_cast<std::size_t>(id) >= graph.value_capacity()) return false;
  const Value& value = graph.value(id);
  return value.producer || value.is_input || value.constant;
}

void require_all(const Graph& graph, std::span<const ValueId> values) {
  for (const ValueId id : values) {
    if (exists(graph, id)) continue;
    throw Error(codes::unknown_name,
                fmt::format("value {} is not in the graph", static_cast<std::int64_t>(id)));
  }
}

// One of the two models, and how far it has run.
class Stream {
 public:
  Stream(const StagedRunOptions& options, std::size_t memory_bound)
      : options_(options), store_(memory_bound, options.spill_folder) {}

  // Prepares to run up to `values`.
  void begin(const Model& whole, std::span<const ValueId> values) {
    const Model before = std::exchange(model_, whole);
    model_.graph.sort();  // edits leave new nodes at the end
    const Graph& graph = model_.graph;
    if (!executed_.empty()) forget_changed(before.graph);
    require_all(graph, values);
    graph_ = &graph;
    std::set<NodeId> nodes =
        nodes_between(graph, values, [&](ValueId id) { return store_.has(id); });
    std::set<NodeId> done = executed_;
    const std::set<NodeId> constant = constant_nodes(graph, nodes);
    std::ranges::set_difference(nodes, constant, std::inserter(done, done.end()));
    outputs_.clear();
    fresh_.clear();
    for (const NodeId id : graph.nodes()) {
      if (!nodes.contains(id)) continue;
      for (const ValueId output : graph.node(id).outputs) {
        if (output == kNoValue || graph.constant(output) != nullptr) continue;
        const bool wanted = std::ranges::find(values, output) != values.end();
        const bool kept =
            !constant.contains(id) && is_read_later(output, done) && !store_.has(output);
        if (wanted || kept) outputs_.push_back(output);
        if (kept) fresh_.push_back(output);
      }
    }
    executed_ = std::move(done);
    open(model_, std::move(nodes));
  }

  // The same for a variant of the model, from the present border; nothing of it will be kept.
  void begin_peek(const Model& whole, std::span<const ValueId> values) {
    variant_ = whole;
    variant_.graph.sort();
    const Graph& graph = variant_.graph;
    require_all(graph, values);
    graph_ = &graph;
    const std::vector<bool> changed = executed_.empty() ? std::vector<bool>(graph.value_capacity())
                                                        : changed_values(model_.graph, graph);
    std::set<NodeId> nodes = nodes_between(graph, values, [&](ValueId id) {
      return store_.has(id) && !changed[static_cast<std::size_t>(id)];
    });
    outputs_.clear();
    fresh_.clear();
    for (const ValueId id : values) {
      const auto producer = graph.producer_id(id);
      if (producer && nodes.contains(*producer)) outputs_.push_back(id);
    }
    open(variant_, std::move(nodes));
  }

  void end_peek() {
    results_.clear();
    session_.reset();
    segment_.reset();
    graph_ = &model_.graph;
    variant_ = {};
  }

  // What `value` is for a batch, after run().
  [[nodiscard]] Tensor value(ValueId id, const Batch& batch, std::size_t index) const {
    if (const Tensor* constant = graph_->constant(id)) return *constant;
    if (const auto at = results_.find(graph_->value(id).name); at != results_.end()) {
      return at->second;
    }
    return given(id, batch, index);
  }

  void run(const Batch& batch, std::size_t index) {
    results_.clear();
    if (!session_) return;
    TensorMap inputs;
    for (const ValueId id : segment_->inputs) {
      inputs.emplace(graph_->value(id).name, given(id, batch, index));
    }
    results_ = session_->run(inputs);
    for (const ValueId id : fresh_) {
      const Tensor& tensor = results_.at(graph_->value(id).name);
      types_[id] = tensor.dtype();
      store_.put(id, tensor);
    }
  }

  // Forgets what no node that is still to run reads.
  void end() {
    results_.clear();
    session_.reset();
    segment_.reset();
    for (const ValueId id : store_.values()) {
      if (!is_read_later(id, executed_)) store_.drop(id);
    }
  }

  [[nodiscard]] const ActivationStore& store() const { return store_; }
  std::int64_t node_count = 0;

 private:
  void open(const Model& model, std::set<NodeId> nodes) {
    session_.reset();
    segment_.reset();
    if (nodes.empty()) return;
    node_count = static_cast<std::int64_t>(nodes.size());
    segment_ = cut_segment(model, std::move(nodes), outputs_);
    declare_types();
    session_.emplace(segment_->model, options_.session);
  }

  // Graphs need not say what type a value between nodes has, but without knowing it of its inputs a
  // session can fuse nothing.
  void declare_types() {
    Graph& graph = segment_->model.graph;
    for (std::size_t i = 0; i < segment_->inputs.size(); ++i) {
      const auto known = types_.find(segment_->inputs[i]);
      if (known != types_.end()) graph.mutable_value(graph.inputs()[i]).dtype = known->second;
    }
  }

  // What has run before an edit of it, or of something that it depends on, has to run again.
  void forget_changed(const Graph& before) {
    const Graph& graph = model_.graph;
    const std::vector<bool> changed = changed_values(before, graph);
    const auto is_changed = [&](ValueId id) {
      return id != kNoValue && changed[static_cast<std::size_t>(id)];
    };
    for (const ValueId id : store_.values()) {
      if (is_changed(id)) store_.drop(id);
    }
    for (const NodeId id : graph.nodes()) {
      if (std::ranges::any_of(graph.node(id).outputs, is_changed)) executed_.erase(id);
    }
  }

  // Those that depend on constants only, like what dequantizes a weight. They run in each segment
  // that needs them, for their results are not worth keeping for every batch.
  static std::set<NodeId> constant_nodes(const Graph& graph, const std::set<NodeId>& nodes) {
    std::set<NodeId> constant;
    for (const NodeId id : graph.nodes()) {
      if (!nodes.contains(id) || !graph.node(id).captures.empty()) continue;
      const bool all = std::ranges::all_of(graph.node(id).inputs, [&](ValueId input) {
        if (input == kNoValue || graph.constant(input) != nullptr) return true;
        const auto producer = graph.producer_id(input);
        return producer && constant.contains(*producer);
      });
      if (all) constant.insert(id);
    }
    return constant;
  }

  [[nodiscard]] bool is_read_later(ValueId id, const std::set<NodeId>& done) const {
    return std::ranges::any_of(graph_->value(id).uses,
                               [&](const Use& use) { return !done.contains(use.node); });
  }

  [[nodiscard]] Tensor given(ValueId id, const Batch& batch, std::size_t index) const {
    if (store_.has(id)) return store_.get(id, index);
    const Value& value = graph_->value(id);
    const auto input = batch.inputs.find(value.name);
    if (input != batch.inputs.end()) return input->second;
    if (value.constant) return *value.constant;  // the default of an input
    throw Error(codes::missing_input, fmt::format("the data have no \"{}\"", value.name));
  }

  const StagedRunOptions& options_;
  ActivationStore store_;
  Model model_, variant_;
  const Graph* graph_ = nullptr;  // of the model that runs
  std::set<NodeId> executed_;
  std::vector<ValueId> outputs_, fresh_;
  std::map<ValueId, DType> types_;  // of values that were kept
  std::optional<Segment> segment_;
  std::optional<Session> session_;
  TensorMap results_;
};

}  // namespace

struct StagedRun::Impl {
  const Model& original_model;
  const CalibrationSet& set;
  StagedRunOptions options;
  std::optional<Stream> original;
  Stream edited;
  StagedRunFigures figures;
  bool broken = false;

  Impl(const Model& model, const CalibrationSet& data, StagedRunOptions given)
      : original_model(model),
        set(data),
        options(std::move(given)),
        edited(options, options.memory_bound / (options.pair ? 2 : 1)) {
    if (options.pair) original.emplace(options, options.memory_bound / 2);
  }
};

StagedRun::StagedRun(const Model& original, const CalibrationSet& set, StagedRunOptions options)
    : impl_(std::make_unique<Impl>(original, set, std::move(options))) {}
StagedRun::~StagedRun() = default;
StagedRun::StagedRun(StagedRun&&) noexcept = default;
StagedRun& StagedRun::operator=(StagedRun&&) noexcept = default;

void StagedRun::advance(const Model& model, std::span<const ValueId> values,
                        const std::function<void(const Activations&)>& see) {
  Impl& run = *impl_;
  if (run.broken) throw Error(codes::internal_error, "a staged run went on after an error");
  run.broken = true;  // until this stage is complete
  std::vector<Stream*> streams{&run.edited};
  run.edited.begin(model, values);
  if (run.original) {
    run.original->begin(run.original_model, values);
    streams.push_back(&*run.original);
  }
  for (std::size_t i = 0; i < run.set.batches(); ++i) {
    if (run.options.cancelled != nullptr && run.options.cancelled->load()) {
      throw Error(codes::cancelled, "stopped on request");
    }
    const Batch batch = run.set.batch(i);
    const BatchRows batch_rows(batch, run.set.inputs());
    for (Stream* stream : streams) stream->run(batch, i);
    for (const ValueId id : values) {
      const Tensor edited = run.edited.value(id, batch, i);
      const Tensor original = run.original ? run.original->value(id, batch, i) : Tensor();
      const ActivationRows rows = batch_rows.rows(edited.dims());
      see({id, run.original ? &original : nullptr, &edited, &rows, i});
    }
    if (run.options.progress) {
      run.options.progress(static_cast<double>(i + 1) / static_cast<double>(run.set.batches()));
    }
  }
  StagedRunFigures& figures = run.figures;
  figures.memory_bytes = figures.spilled_bytes = 0;
  for (Stream* stream : streams) {
    figures.nodes += std::exchange(stream->node_count, 0);
    figures.most_spilled_bytes =
        std::max(figures.most_spilled_bytes, stream->store().spilled_bytes());
    stream->end();
    figures.memory_bytes += stream->store().memory_bytes();
    figures.spilled_bytes += stream->store().spilled_bytes();
  }
  ++figures.stages;
  run.broken = false;
}

void StagedRun::peek(const Model& variant, std::span<const ValueId> values,
                     const std::function<void(const Activations&)>& see) {
  Impl& run = *impl_;
  if (run.broken) throw Error(codes::internal_error, "a staged run went on after an error");
  run.broken = true;  // until this is complete
  run.edited.begin_peek(variant, values);
  for (std::size_t i = 0; i < run.set.batches(); ++i) {
    if (run.options.cancelled != nullptr && run.options.cancelled->load()) {
      throw Error(codes::cancelled, "stopped on request");
    }
    const Batch batch = run.set.batch(i);
    const BatchRows batch_rows(batch, run.set.inputs());
    run.edited.run(batch, i);
    for (const ValueId id : values) {
      const Tensor tensor = run.edited.value(id, batch, i);
      const ActivationRows rows = batch_rows.rows(tensor.dims());
      see({id, nullptr, &tensor, &rows, i});
    }
  }
  run.figures.nodes += std::exchange(run.edited.node_count, 0);
  run.edited.end_peek();
  run.broken = false;
}

const StagedRunFigures& StagedRun::figures() const {
  return impl_->figures;
}
const CalibrationSet& StagedRun::set() const {
  return impl_->set;
}
const Model& StagedRun::original() const {
  return impl_->original_model;
}
bool StagedRun::is_pair() const {
  return impl_->options.pair;
}

}  // namespace onnxpress
