// SPDX-License-Identifier: Apache-2.0
#include "io/exporter_notes.h"

#include <algorithm>

#include "io/wire.h"

namespace onnxpress::io {
namespace {

bool is_note(std::string_view key) {
  return key.starts_with("pkg.torch.") || key.starts_with("pkg.onnxscript.");
}

}  // namespace

std::vector<std::pair<std::string, std::string>> without_exporter_notes(
    const std::vector<std::pair<std::string, std::string>>& metadata) {
  const bool exported =
      std::ranges::any_of(metadata, [](const auto& entry) { return is_note(entry.first); });
  std::vector<std::pair<std::string, std::string>> kept;
  for (const auto& entry : metadata) {
    if (!is_note(entry.first) && !(exported && entry.first == "namespace")) kept.push_back(entry);
  }
  return kept;
}

std::string without_exporter_notes(std::string_view wire, std::uint32_t metadata_field) {
  std::string kept;
  FieldReader reader(as_bytes(wire), "metadata");
  for (Field field; reader.next(field);) {
    const bool entry = field.number == metadata_field && field.type == WireType::length;
    if (!entry || !is_note(read_entry(field.payload).first)) kept.append(text(field.whole));
  }
  return kept;
}

bool is_stack_trace(std::string_view doc_string) {
  const auto has = [&](std::string_view part) {
    return doc_string.find(part) != std::string_view::npos;
  };
  return has(".py(") || (has("File \"") && has(", line "));
}

}  // namespace onnxpress::io
