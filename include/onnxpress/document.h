// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What every request hands back: plain figures, and how to print them. A figure that was not
// measured is absent, never zero. All sizes are bytes, all times carry their unit in the name, all
// shares lie in [0, 1].
namespace onnxpress {

// A 95 % confidence interval.
struct Interval {
  double low = 0;
  double high = 0;
  friend bool operator==(const Interval&, const Interval&) = default;
};

struct Metric {
  std::string name;  // "accuracy", "kl_mean", … as in gates
  double value = 0;  // may be NaN or infinite; then a gate on it fails, and JSON says null
  std::optional<Interval> interval;
  std::int64_t n = 0;  // what it was averaged over: samples, tokens or rows
  std::string unit;    // "share", "nats", "bytes", "ms", "dB", "x", or ""
  friend bool operator==(const Metric&, const Metric&) = default;
};

// How close one output of the compressed model stays to the original's.
struct OutputAgreement {
  std::string output;
  std::int64_t rows = 0;  // vectors compared, padding left out
  std::vector<Metric> metrics;
};

struct Latency {
  double p50_ms = 0, p95_ms = 0, min_ms = 0;
  std::int64_t runs = 0;
  std::int64_t batch = 0;
  std::int64_t sequence = 0;  // 0 where the model has no sequence
  int threads = 0;
  std::string instruction_set;
  std::string engine;     // "onnxpress"
  double variation = 0;   // median absolute deviation / median
  bool unstable = false;  // variation above 10 %: the machine was busy
};

struct FileInfo {
  std::string path;
  std::string sha256;  // empty where nothing was read or written
  std::int64_t bytes = 0;
};

// What a pass did (or, in a dry run, would do) with one unit of the model.
struct UnitRecord {
  std::string unit;
  std::string decision;  // "INT8 per channel", "kept", …
  std::string reason;    // why it was kept; empty otherwise
  std::int64_t bytes_before = 0;
  std::int64_t bytes_after = 0;
  std::vector<std::pair<std::string, double>> figures{};  // errors, counts, …
};

struct PassRecord {
  std::string pass;
  std::vector<std::pair<std::string, std::string>> options;
  std::string summary;  // "14 of 15 units INT8"
  double seconds = 0;
  std::int64_t bytes_before = 0;
  std::int64_t bytes_after = 0;
  std::vector<UnitRecord> units;
};

// A model's figures in one run: size always, the rest where it was measured.
struct ModelFigures {
  std::string path;
  std::int64_t bytes = 0;
  std::vector<Metric> metrics{};  // accuracy, perplexity, …
  std::optional<Latency> latency{};
  std::optional<std::int64_t> peak_memory_bytes{};
  std::optional<double> samples_per_second{};
};

struct GateResult {
  std::string expression;  // "accuracy_drop > 0.3%"
  std::string metric;
  double value = 0;
  double threshold = 0;  // in the metric's own unit
  bool failed = false;
};

struct Notice {
  std::string code;  // "W0101"
  std::string message;
};

struct ErrorInfo {
  std::string code, message, hint;
};

struct TensorInfo {
  std::string name, dtype, shape;
};

// Where a model's bytes are.
struct BytesByRole {
  std::string role;  // "linear weights", "embeddings", …
  std::int64_t tensors = 0;
  std::int64_t bytes = 0;
};

// One product of the model, and why it can or can't be compressed.
struct ExplainedUnit {
  std::string unit;
  std::string role;
  std::string shape;
  bool compressible = false;
  std::vector<std::string> reasons;  // why not
};

// What is in a model (`inspect`, `check`).
struct ModelDescription {
  std::string path;
  std::string sha256;
  std::int64_t bytes = 0;
  std::int64_t external_bytes = 0;
  std::int64_t ir_version = 0;
  std::vector<std::pair<std::string, std::int64_t>> opsets;
  std::string producer;
  std::vector<TensorInfo> inputs, outputs;
  std::int64_t nodes = 0, parameters = 0;
  std::vector<std::pair<std::string, std::int64_t>> operators;  // most frequent first
  std::vector<BytesByRole> bytes_by_role;
  std::vector<std::pair<std::string, std::int64_t>> structure;  // "attention blocks" → 6, …
  std::vector<ExplainedUnit> units;
  std::vector<std::string> findings;  // of `check`; empty: nothing to complain about
};

// What a calibration knows of one tensor.
struct CalibratedTensor {
  std::string name;
  std::int64_t channels = 0;
  std::int64_t rows = 0;          // tokens, or samples of a tensor without a sequence
  std::int64_t skipped_rows = 0;  // with NaN, infinity or numbers too large to sum
  double min = 0, max = 0;
  bool gram = false;
};

// What a calibration file holds (`calibrate`).
struct CalibrationRecord {
  std::int64_t samples = 0, tokens = 0;
  std::int64_t skipped_samples = 0;          // inputs with NaN or infinity
  std::int64_t chunks = 0, chunk_count = 0;  // that it covers, of all; fewer: a part to be merged
  bool random = false;                       // made-up inputs
  std::vector<CalibratedTensor> tensors;
};

struct HostInfo {
  std::string cpu;
  std::string instruction_set;
  int threads = 0;
};

struct SelfTest {
  std::string name;
  bool passed = false;
  std::string detail;
};

// What the program and the machine are (`doctor`).
struct Diagnosis {
  std::vector<std::pair<std::string, std::string>> facts;  // "memory" → "24.1 GB", …
  std::vector<SelfTest> tests;
};

struct OptionDescription {
  std::string name, type, fallback, help;
};
struct PassDescription {
  std::string name, summary;
  bool needs_data = false;
  std::vector<OptionDescription> options;
};
struct PresetDescription {
  std::string name, summary;
  bool needs_data = false;
};

// The record of one run. Every verb fills the parts it has something to say about.
struct Document {
  std::string verb;
  std::string version, commit;  // of onnxpress
  HostInfo host;
  std::vector<FileInfo> inputs;  // models, data, tokenizers
  std::optional<FileInfo> output;
  bool dry_run = false;
  bool published = false;
  std::string recipe_name;  // preset or file
  std::string recipe;       // as resolved, TOML
  std::vector<PassRecord> passes;
  double seconds = 0;

  std::string task;                      // "classification", "language_model", "regression", ""
  std::int64_t samples = 0, tokens = 0;  // evaluated
  std::vector<ModelFigures> models;      // before, then after; of `bench`: one each
  std::vector<Metric> changes;           // ratio, speedup, accuracy_drop, …
  std::vector<OutputAgreement> agreement;
  std::optional<std::int64_t> peak_memory_bytes;  // of this process

  std::vector<ModelDescription> descriptions;
  std::optional<CalibrationRecord> calibration;
  std::vector<TensorInfo> tensors;  // what `run` wrote
  std::optional<Diagnosis> diagnosis;
  std::vector<PassDescription> pass_list;
  std::vector<PresetDescription> preset_list;

  std::vector<GateResult> gates;
  std::vector<Notice> warnings;
  std::optional<ErrorInfo> error;
  int exit_code = 0;
};

enum class Format { human, json, markdown, csv };

struct RenderOptions {
  bool color = false;
  bool verbose = false;  // every unit of every pass
};

// The document as text that ends in a newline. Strings that come from files are escaped for the
// format they go to. JSON follows json_schema().
[[nodiscard]] std::string render(const Document& document, Format format,
                                 const RenderOptions& options = {});

// Text as it may be shown on a terminal or in a log: control characters (C0, C1, DEL), bytes that
// are not UTF-8 and marks that turn the direction of writing become \n, \x1b, \u{202e}. A
// leading "::" (a command to GitHub's runner) gets a backslash.
[[nodiscard]] std::string escape_terminal(std::string_view text);

// The JSON Schema (2020-12) of render(…, Format::json).
[[nodiscard]] std::string json_schema();

}  // namespace onnxpress
