// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "model/labels.h"
#include "model/transformer_view.h"

namespace onnxpress {

// Finds the tables of which rows are gathered, in the order of their first Gather. Which of them is
// the word embedding is left open: tables that are indexed by the data of a graph input are
// `input`.
[[nodiscard]] std::vector<Embedding> find_embeddings(const Graph& graph, Labels& labels);

// True if the stored weight of `head`, seen as [out, in], has the type and the elements of the
// table.
[[nodiscard]] bool equals_table(const Graph& graph, const LinearUnit& head, const Embedding& table);

}  // namespace onnxpress
