// SPDX-License-Identifier: Apache-2.0
#include "report/json.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace onnxpress {
namespace {

using Json = nlohmann::ordered_json;

// Declared first, so that list() finds them all.
Json to_json(const Metric& item);
Json to_json(const FileInfo& item);
Json to_json(const Latency& item);
Json to_json(const TensorInfo& item);
Json to_json(const UnitRecord& item);
Json to_json(const PassRecord& item);
Json to_json(const ModelFigures& item);
Json to_json(const OutputAgreement& item);
Json to_json(const GateResult& item);
Json to_json(const Notice& item);
Json to_json(const BytesByRole& item);
Json to_json(const ExplainedUnit& item);
Json to_json(const ModelDescription& item);
Json to_json(const CalibratedTensor& item);
Json to_json(const SelfTest& item);
Json to_json(const OptionDescription& item);
Json to_json(const PassDescription& item);
Json to_json(const PresetDescription& item);

Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}

// Why `value` is null in JSON.
const char* status_of(double value) {
  if (std::isnan(value)) return "nan";
  return value > 0 ? "inf" : "-inf";
}

void put_number(Json& object, const char* key, double value) {
  object[key] = number(value);
  if (!std::isfinite(value)) object["status"] = status_of(value);
}

Json to_json(const Metric& metric) {
  Json json;
  json["name"] = metric.name;
  put_number(json, "value", metric.value);
  if (metric.interval) {
    json["interval"] = {number(metric.interval->low), number(metric.interval->high)};
  }
  json["n"] = metric.n;
  if (!metric.unit.empty()) json["unit"] = metric.unit;
  return json;
}

Json to_json(const FileInfo& file) {
  Json json{{"path", file.path}};
  if (!file.sha256.empty()) json["sha256"] = file.sha256;
  json["bytes"] = file.bytes;
  return json;
}

Json to_json(const Latency& latency) {
  return {{"p50_ms", number(latency.p50_ms)}, {"p95_ms", number(latency.p95_ms)},
          {"min_ms", number(latency.min_ms)}, {"runs", latency.runs},
          {"batch", latency.batch},           {"sequence", latency.sequence},
          {"threads", latency.threads},       {"instruction_set", latency.instruction_set},
          {"engine", latency.engine},         {"variation", number(latency.variation)},
          {"unstable", latency.unstable}};
}

Json to_json(const TensorInfo& tensor) {
  return {{"name", tensor.name}, {"dtype", tensor.dtype}, {"shape", tensor.shape}};
}

template <class T>
Json list(const std::vector<T>& items) {
  Json json = Json::array();
  for (const T& item : items) json.push_back(to_json(item));
  return json;
}

template <class Value>
Json object(const std::vector<std::pair<std::string, Value>>& pairs) {
  Json json = Json::object();
  for (const auto& [key, value] : pairs) json[key] = value;
  return json;
}

// Those that are no numbers are null, and a second object says what they are.
void put_figures(Json& json, const std::vector<std::pair<std::string, double>>& figures) {
  if (figures.empty()) return;
  for (const auto& [name, value] : figures) {
    json["figures"][name] = number(value);
    if (!std::isfinite(value)) json["figures_status"][name] = status_of(value);
  }
}

Json to_json(const UnitRecord& unit) {
  Json json{{"unit", unit.unit},
            {"decision", unit.decision},
            {"reason", unit.reason},
            {"bytes_before", unit.bytes_before},
            {"bytes_after", unit.bytes_after}};
  put_figures(json, unit.figures);
  return json;
}

Json to_json(const PassRecord& pass) {
  return {{"pass", pass.pass},
          {"options", object(pass.options)},
          {"summary", pass.summary},
          {"seconds", number(pass.seconds)},
          {"bytes_before", pass.bytes_before},
          {"bytes_after", pass.bytes_after},
          {"units", list(pass.units)}};
}

Json to_json(const ModelFigures& model) {
  Json json{{"path", model.path}, {"bytes", model.bytes}, {"metrics", list(model.metrics)}};
  if (model.latency) json["latency"] = to_json(*model.latency);
  if (model.peak_memory_bytes) json["peak_memory_bytes"] = *model.peak_memory_bytes;
  if (model.samples_per_second) json["samples_per_second"] = number(*model.samples_per_second);
  return json;
}

Json to_json(const OutputAgreement& output) {
  return {{"output", output.output}, {"rows", output.rows}, {"metrics", list(output.metrics)}};
}

Json to_json(const GateResult& gate) {
  Json json{{"expression", gate.expression}, {"metric", gate.metric}};
  put_number(json, "value", gate.value);
  json["threshold"] = number(gate.threshold);
  json["failed"] = gate.failed;
  return json;
}

Json to_json(const Notice& notice) {
  return {{"code", notice.code}, {"message", notice.message}};
}

Json to_json(const BytesByRole& role) {
  return {{"role", role.role}, {"tensors", role.tensors}, {"bytes", role.bytes}};
}

Json to_json(const ExplainedUnit& unit) {
  return {{"unit", unit.unit},
          {"role", unit.role},
          {"shape", unit.shape},
          {"compressible", unit.compressible},
          {"reasons", unit.reasons}};
}

Json to_json(const ModelDescription& model) {
  return {{"path", model.path},
          {"sha256", model.sha256},
          {"bytes", model.bytes},
          {"external_bytes", model.external_bytes},
          {"ir_version", model.ir_version},
          {"opsets", object(model.opsets)},
          {"producer", model.producer},
          {"inputs", list(model.inputs)},
          {"outputs", list(model.outputs)},
          {"nodes", model.nodes},
          {"parameters", model.parameters},
          {"operators", object(model.operators)},
          {"bytes_by_role", list(model.bytes_by_role)},
          {"structure", object(model.structure)},
          {"units", list(model.units)},
          {"findings", model.findings}};
}

Json to_json(const CalibratedTensor& tensor) {
  Json json{{"name", tensor.name},
            {"channels", tensor.channels},
            {"rows", tensor.rows},
            {"skipped_rows", tensor.skipped_rows}};
  json["min"] = number(tensor.min);
  json["max"] = number(tensor.max);
  json["gram"] = tensor.gram;
  return json;
}

Json to_json(const CalibrationRecord& calibration) {
  return {{"samples", calibration.samples},
          {"tokens", calibration.tokens},
          {"skipped_samples", calibration.skipped_samples},
          {"chunks", calibration.chunks},
          {"chunk_count", calibration.chunk_count},
          {"random", calibration.random},
          {"tensors", list(calibration.tensors)}};
}

Json to_json(const SelfTest& test) {
  return {{"name", test.name}, {"passed", test.passed}, {"detail", test.detail}};
}

Json to_json(const OptionDescription& option) {
  return {{"name", option.name},
          {"type", option.type},
          {"default", option.fallback},
          {"help", option.help}};
}

Json to_json(const PassDescription& pass) {
  return {{"name", pass.name},
          {"summary", pass.summary},
          {"needs_data", pass.needs_data},
          {"options", list(pass.options)}};
}

Json to_json(const PresetDescription& preset) {
  return {{"name", preset.name}, {"summary", preset.summary}, {"needs_data", preset.needs_data}};
}

// The parts that only some verbs have.
void put_measurements(Json& json, const Document& document) {
  if (!document.models.empty()) json["models"] = list(document.models);
  if (document.samples > 0) {
    json["evaluation"] = {
        {"task", document.task}, {"samples", document.samples}, {"tokens", document.tokens}};
  }
  if (!document.changes.empty()) json["changes"] = list(document.changes);
  if (!document.agreement.empty()) json["agreement"] = list(document.agreement);
  if (document.peak_memory_bytes) json["peak_memory_bytes"] = *document.peak_memory_bytes;
}

void put_descriptions(Json& json, const Document& document) {
  if (!document.descriptions.empty()) json["descriptions"] = list(document.descriptions);
  if (!document.tensors.empty()) json["tensors"] = list(document.tensors);
  if (document.calibration) json["calibration"] = to_json(*document.calibration);
  if (document.diagnosis) {
    json["diagnosis"] = {{"facts", object(document.diagnosis->facts)},
                         {"tests", list(document.diagnosis->tests)}};
  }
  if (!document.pass_list.empty()) json["pass_list"] = list(document.pass_list);
  if (!document.preset_list.empty()) json["preset_list"] = list(document.preset_list);
}

}  // namespace

std::string to_json(const Document& document) {
  Json json;
  json["schema"] = kDocumentSchema;
  json["tool"] = {
      {"name", "onnxpress"}, {"version", document.version}, {"commit", document.commit}};
  json["verb"] = document.verb;
  json["host"] = {{"cpu", document.host.cpu},
                  {"instruction_set", document.host.instruction_set},
                  {"threads", document.host.threads}};
  json["inputs"] = list(document.inputs);
  if (document.output) json["output"] = to_json(*document.output);
  if (document.verb == "compress") {
    json["dry_run"] = document.dry_run;
    json["published"] = document.published;
    json["recipe"] = {{"name", document.recipe_name}, {"toml", document.recipe}};
  }
  if (document.verb == "compress" || document.verb == "sensitivity") {
    json["passes"] = list(document.passes);
  }
  put_measurements(json, document);
  put_descriptions(json, document);
  json["gates"] = list(document.gates);
  json["warnings"] = list(document.warnings);
  if (document.error) {
    json["error"] = {{"code", document.error->code},
                     {"message", document.error->message},
                     {"hint", document.error->hint}};
  }
  json["seconds"] = number(document.seconds);
  json["exit_code"] = document.exit_code;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace onnxpress
