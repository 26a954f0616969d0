// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <unordered_set>

#include "ir/graph.h"

namespace onnxpress {

// Makes names for people out of whatever names a graph has. Nothing is decided by them.
class Labels {
 public:
  explicit Labels(const Graph& graph) : graph_(graph) {}

  // The label of a product: the path of its node ("/encoder/layer.0/query/MatMul" →
  // "encoder/layer.0/query"), the name of its weight or bias ("layer.0.query.weight" →
  // "layer.0.query"), the scope that PyTorch's newer exporter notes, or the node's name.
  std::string of_product(const Node& node, ValueId weight, ValueId bias);
  // The label of a table: its name without ".weight", or its node's label.
  std::string of_table(const Node& gather, ValueId table);
  std::string of_node(const Node& node);
  // The whole name of a node, for those that share their path with others.
  std::string of_one_node(const Node& node);

 private:
  std::string unique(std::string label);
  const Graph& graph_;
  std::unordered_set<std::string> taken_;
};

}  // namespace onnxpress
