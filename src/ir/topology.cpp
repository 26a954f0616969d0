// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <queue>
#include <utility>

#include "base/error_codes.h"
#include "ir/graph.h"

namespace onnxpress {
namespace {

std::string label(const Node& node) {
  return fmt::format("\"{}\" ({})", node.name, node.op_type);
}

}  // namespace

void Graph::sort() {
  // Kahn's algorithm; among the nodes that are ready the one that stands first today goes first.
  std::vector<std::size_t> position(nodes_.size(), 0);
  for (std::size_t i = 0; i < order_.size(); ++i) {
    position[static_cast<std::size_t>(order_[i])] = i;
  }
  std::vector<std::size_t> missing(order_.size(), 0);
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    for (const ValueId id : reads(node(order_[i]))) {
      if (producer_id(id)) ++missing[i];
    }
    if (missing[i] == 0) ready.push(i);
  }
  std::vector<NodeId> sorted;
  sorted.reserve(order_.size());
  while (!ready.empty()) {
    const std::size_t at = ready.top();
    ready.pop();
    sorted.push_back(order_[at]);
    for (const ValueId output : node(order_[at]).outputs) {
      if (output == kNoValue) continue;
      for (const Use& use : value(output).uses) {
        const std::size_t user = position[static_cast<std::size_t>(use.node)];
        if (--missing[user] == 0) ready.push(user);
      }
    }
  }
  if (sorted.size() == order_.size()) {
    order_ = std::move(sorted);
    return;
  }
  // Every node that is left waits for another that is left: walking back along them runs into the
  // cycle.
  std::vector<bool> seen(order_.size(), false);
  std::size_t at = static_cast<std::size_t>(
      std::ranges::find_if(missing, [](std::size_t m) { return m != 0; }) - missing.begin());
  std::vector<std::size_t> path;
  while (!seen[at]) {
    seen[at] = true;
    path.push_back(at);
    for (const ValueId id : reads(node(order_[at]))) {
      const auto from = producer_id(id);
      if (!from) continue;
      const std::size_t before = position[static_cast<std::size_t>(*from)];
      if (missing[before] != 0) {
        at = before;
        break;
      }
    }
  }
  std::vector<std::string> cycle;
  for (auto step = std::ranges::find(path, at); step != path.end() && cycle.size() < 8; ++step) {
    cycle.push_back(label(node(order_[*step])));
  }
  throw Error(codes::graph_malformed,
              fmt::format("the graph has a cycle: {}", fmt::join(cycle, " <- ")));
}

std::size_t Graph::remove_unused() {
  const auto is_read = [this](ValueId id) {
    return id != kNoValue && (value(id).is_output || !value(id).uses.empty());
  };
  std::vector<NodeId> pending(order_.begin(), order_.end());
  std::size_t removed = 0;
  while (!pending.empty()) {
    const NodeId id = pending.back();
    pending.pop_back();
    if (!live_[static_cast<std::size_t>(id)]) continue;
    const Node& n = node(id);
    if (std::ranges::any_of(n.outputs, is_read)) continue;
    std::vector<NodeId> producers;
    for (const ValueId input : reads(n)) {
      if (const auto from = producer_id(input)) producers.push_back(*from);
    }
    const std::vector<ValueId> outputs = n.outputs;
    // erase() without the search through order_, which is rebuilt below.
    live_[static_cast<std::size_t>(id)] = false;
    const std::vector<ValueId> read = reads(n);
    for (std::size_t i = 0; i < read.size(); ++i) remove_use(id, i, read[i]);
    for (const ValueId output : outputs) {
      if (output == kNoValue) continue;
      values_[static_cast<std::size_t>(output)].producer.reset();
      values_[static_cast<std::size_t>(output)].constant.reset();
    }
    nodes_[static_cast<std::size_t>(id)] = Node{};
    ++removed;
    pending.insert(pending.end(), producers.begin(), producers.end());
  }
  std::erase_if(order_, [this](NodeId id) { return !live_[static_cast<std::size_t>(id)]; });
  for (Value& v : values_) {
    const bool initializer = v.constant && !v.producer;
    if (initializer && v.uses.empty() && !v.is_output && !v.is_input) v.constant.reset();
  }
  return removed;
}

}  // namespace onnxpress
