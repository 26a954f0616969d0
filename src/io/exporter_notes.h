// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onnxpress::io {

// What exporters note for debugging (where in the Python source a node comes from) can be a third
// of a small model's bytes and tells nothing about what it computes. These functions leave it out.

// Metadata without `pkg.torch.*`, `pkg.onnxscript.*` and the module path that goes with them.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> without_exporter_notes(
    const std::vector<std::pair<std::string, std::string>>& metadata);

// The same for wire bytes in which field `metadata_field` holds the entries.
[[nodiscard]] std::string without_exporter_notes(std::string_view wire,
                                                 std::uint32_t metadata_field);

// A node's documentation that is a Python stack trace.
[[nodiscard]] bool is_stack_trace(std::string_view doc_string);

}  // namespace onnxpress::io
