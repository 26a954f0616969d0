// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eval/synthetic_inputs.h"
#include "passes/pruning/cut_savings.h"

namespace onnxpress {

// How long a model takes when one of its blocks has fewer heads or neurons, as measured.
struct LatencyTable {
  struct Row {
    PrunableKind kind = PrunableKind::heads;
    std::string block;      // table_label() of the layer
    std::int64_t kept = 0;  // heads or neurons of each of the layer's blocks
    double ms = 0;          // of the whole model, this layer alone being cut
  };
  std::string source;      // the file it was read from, for messages
  InputSizes sizes{};      // that it was measured at
  std::string conditions;  // "1x128, 2 threads, AVX2": `sizes` come first
  double model_ms = 0;     // of the model as it is
  std::vector<Row> rows;
};

// "1x128": batch, sequence, at least 1 of each. Throws Error (bad_option).
[[nodiscard]] InputSizes parse_sizes(std::string_view text);
[[nodiscard]] std::string to_text(const InputSizes& sizes);
// The label of a block as it stands in a table: without control characters.
[[nodiscard]] std::string table_label(const PrunableLayer& layer);

// Milliseconds, linear between the numbers in the table; what is cut further than these saves no
// more. Throws Error (bad_data) where the table has no row of a layer or counts other units than it
// has: it is another model's.
[[nodiscard]] CutSavings latency_savings(const LatencyTable& table,
                                         std::span<const PrunableLayer* const> layers);

// Text with tabs: kind, block, kept, ms; the first row is the model's.
[[nodiscard]] std::string to_text(const LatencyTable& table);
// Reads it back from a .tsv file. Throws Error (bad_data with file and line, and what opening a
// file throws).
[[nodiscard]] LatencyTable read_latency_table(const std::filesystem::path& path);

}  // namespace onnxpress
