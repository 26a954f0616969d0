// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "ir/graph.h"

namespace onnxpress {

// What a model file may ask for. The defaults fit every real model; a file that goes beyond them is
// refused with Error (over_budget) before the memory is taken.
struct ReadOptions {
  // Follow symbolic links to external data and accept files with several hard links. Without it
  // only the layout of the Hugging Face cache (model and data both linked into one folder) is
  // accepted.
  bool allow_links = false;
  bool fix_order = false;  // accept nodes in any order and sort them
  std::int64_t max_nodes = 5'000'000;
  std::int64_t max_initializers = 5'000'000;
  std::int64_t max_attributes = 10'000;      // of one node
  std::int64_t max_name_bytes = 16LL << 20;  // of one name
  std::int64_t max_heap_bytes = 8LL << 30;   // predicted memory besides the mapped weights
};

// Reads and checks a model: wire format, tensors (their bytes are exactly what shape and type
// need), external data, and the rules of the graph (SSA, topological order, everything that is read
// is produced, domains imported). Constants share the bytes of the mapped file, which stays open as
// long as a tensor lives; those that are not aligned for their elements are copied when they are
// first read.
//
// Throws Error: empty_file, not_onnx, broken_wire, no_graph, tensor_size, tensor_malformed,
// external_data, graph_malformed, attribute_malformed, unsupported_model, over_budget,
// file_missing, not_a_file, cannot_read, input_changed.
[[nodiscard]] Model read_model(const std::filesystem::path& path, const ReadOptions& options = {});

// The same for bytes in memory, which `owner` keeps alive. External data are refused.
[[nodiscard]] Model parse_model(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                const ReadOptions& options = {});

}  // namespace onnxpress
