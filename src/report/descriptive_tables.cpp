// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "report/format.h"
#include "report/tables.h"

namespace onnxpress {
namespace {

constexpr std::size_t kMostOperators = 12;  // in the line that counts them

std::string ports(const std::vector<TensorInfo>& tensors) {
  std::vector<std::string> texts;
  texts.reserve(tensors.size());
  for (const TensorInfo& tensor : tensors) {
    texts.push_back(fmt::format("{} {}{}", tensor.name, tensor.dtype, tensor.shape));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string operators(const ModelDescription& model) {
  std::vector<std::string> texts;
  for (const auto& [name, count] : model.operators) {
    if (texts.size() == kMostOperators) {
      texts.push_back(fmt::format("{} more", model.operators.size() - kMostOperators));
      break;
    }
    texts.push_back(fmt::format("{} {}", count, name));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

FigureTable overview(const ModelDescription& model) {
  FigureTable table{model.path, {}, {}, true};
  const auto put = [&](std::string key, std::string value) {
    table.rows.push_back({std::move(key), std::move(value)});
  };
  std::vector<std::string> opsets;
  for (const auto& [domain, version] : model.opsets) {
    opsets.push_back(fmt::format("{} {}", domain.empty() ? "ai.onnx" : domain, version));
  }
  put("size", format_bytes(model.bytes) +
                  (model.external_bytes > 0
                       ? fmt::format(" ({} in a data file)", format_bytes(model.external_bytes))
                       : ""));
  put("sha256", model.sha256);
  put("format", fmt::format("IR {}, {}", model.ir_version, fmt::join(opsets, ", ")));
  if (!model.producer.empty()) put("producer", model.producer);
  put("inputs", ports(model.inputs));
  put("outputs", ports(model.outputs));
  put("parameters", format_count(model.parameters));
  put("nodes", fmt::format("{}: {}", format_count(model.nodes), operators(model)));
  for (const auto& [what, count] : model.structure) put(what, format_count(count));
  return table;
}

FigureTable bytes_by_role(const ModelDescription& model) {
  FigureTable table{"where the bytes are", {"", "tensors", "bytes", "share"}, {}, false};
  for (const BytesByRole& role : model.bytes_by_role) {
    const double share = static_cast<double>(role.bytes) /
                         static_cast<double>(std::max<std::int64_t>(model.bytes, 1));
    table.rows.push_back({role.role, format_count(role.tensors), format_bytes(role.bytes),
                          fmt::format("{:.1f} %", 100 * share)});
  }
  return table;
}

FigureTable explained_units(const ModelDescription& model) {
  FigureTable table{"products", {"unit", "role", "shape", "compressible"}, {}, true};
  for (const ExplainedUnit& unit : model.units) {
    table.rows.push_back(
        {unit.unit, unit.role, unit.shape,
         unit.compressible ? "yes" : fmt::format("no: {}", fmt::join(unit.reasons, "; "))});
  }
  return table;
}

FigureTable findings(const ModelDescription& model) {
  const auto errors = std::ranges::count_if(
      model.findings, [](const std::string& finding) { return finding.starts_with("error"); });
  std::string verdict = errors > 0 ? fmt::format("{} errors", errors) : "ok";
  if (errors == 0 && !model.findings.empty()) {
    verdict += fmt::format(", {} remarks", model.findings.size());
  }
  FigureTable table{"", {}, {{model.path, std::move(verdict)}}, true};
  for (const std::string& finding : model.findings) table.rows.push_back({"", finding});
  return table;
}

FigureTable options_of(const PassDescription& pass) {
  FigureTable table{pass.name + ": " + pass.summary, {"option", "default", "type", ""}, {}, true};
  for (const OptionDescription& option : pass.options) {
    table.rows.push_back({option.name, option.fallback, option.type, option.help});
  }
  return table;
}

void add_passes(const Document& document, std::vector<FigureTable>& tables) {
  if (document.pass_list.size() == 1) {
    tables.push_back(options_of(document.pass_list.front()));
    return;
  }
  FigureTable passes{"passes", {}, {}, true};
  for (const PassDescription& pass : document.pass_list) {
    passes.rows.push_back({pass.name, pass.summary});
  }
  if (!passes.rows.empty()) tables.push_back(std::move(passes));
  FigureTable presets{"presets", {}, {}, true};
  for (const PresetDescription& preset : document.preset_list) {
    presets.rows.push_back({preset.name, preset.summary});
  }
  if (!presets.rows.empty()) tables.push_back(std::move(presets));
}

void add_diagnosis(const Diagnosis& diagnosis, std::vector<FigureTable>& tables) {
  FigureTable facts{"", {}, {}, true};
  for (const auto& [key, value] : diagnosis.facts) facts.rows.push_back({key, value});
  tables.push_back(std::move(facts));
  FigureTable tests{"self-tests", {}, {}, true};
  for (const SelfTest& test : diagnosis.tests) {
    tests.rows.push_back({test.name, test.passed ? "right" : "WRONG", test.detail});
  }
  if (!tests.rows.empty()) tables.push_back(std::move(tests));
}

void add_calibration(const CalibrationRecord& calibration, bool verbose,
                     std::vector<FigureTable>& tables) {
  FigureTable summary{"", {}, {}, true};
  const auto put = [&](std::string key, std::string value) {
    summary.rows.push_back({std::move(key), std::move(value)});
  };
  put("samples", format_count(calibration.samples));
  if (calibration.tokens > 0) put("tokens", format_count(calibration.tokens));
  put("tensors", format_count(static_cast<std::int64_t>(calibration.tensors.size())));
  if (calibration.skipped_samples > 0) {
    put("left out", format_count(calibration.skipped_samples) + " with NaN or infinity");
  }
  if (calibration.random) put("data", "made up");
  if (calibration.chunks < calibration.chunk_count) {
    put("part", fmt::format("{} of {} chunks; merge it with the others", calibration.chunks,
                            calibration.chunk_count));
  }
  tables.push_back(std::move(summary));
  if (!verbose) return;
  FigureTable table{"", {"tensor", "channels", "rows", "min", "max"}, {}, false};
  for (const CalibratedTensor& tensor : calibration.tensors) {
    table.rows.push_back({tensor.name, format_count(tensor.channels), format_count(tensor.rows),
                          fmt::format("{:.4g}", tensor.min), fmt::format("{:.4g}", tensor.max)});
  }
  tables.push_back(std::move(table));
}

}  // namespace

void add_descriptive_tables(const Document& document, bool verbose,
                            std::vector<FigureTable>& tables) {
  for (const ModelDescription& model : document.descriptions) {
    if (document.verb == "check") {
      tables.push_back(findings(model));
      continue;
    }
    tables.push_back(overview(model));
    tables.push_back(bytes_by_role(model));
    if (!model.units.empty()) tables.push_back(explained_units(model));
  }
  if (!document.tensors.empty()) {
    FigureTable table{"", {}, {}, true};
    for (const TensorInfo& tensor : document.tensors) {
      table.rows.push_back({tensor.name, tensor.dtype, tensor.shape});
    }
    tables.push_back(std::move(table));
  }
  if (document.calibration) add_calibration(*document.calibration, verbose, tables);
  add_passes(document, tables);
  if (document.diagnosis) add_diagnosis(*document.diagnosis, tables);
}

std::vector<FigureTable> tables_of(const Document& document, bool verbose) {
  std::vector<FigureTable> tables;
  add_descriptive_tables(document, verbose, tables);
  add_measured_tables(document, verbose, tables);
  return tables;
}

}  // namespace onnxpress
