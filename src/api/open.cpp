// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/request.h"
#include "base/error_codes.h"
#include "base/sha256.h"
#include "data/model_folder.h"
#include "eval/evaluate.h"
#include "io/reader.h"
#include "model/transformer_view.h"
#include "onnxpress/nearest.h"

namespace onnxpress::api {
namespace {

std::int64_t size_of(const std::filesystem::path& path) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<std::int64_t>(bytes);
}

FileInfo file_info(const std::filesystem::path& path) {
  return {path.string(), sha256_of_file(path), size_of(path)};
}

constexpr std::size_t kCalibrationSamples = 256;

// Each file once.
void add_input(Document& document, const std::filesystem::path& path) {
  const auto known = std::ranges::find(document.inputs, path.string(), &FileInfo::path);
  if (known == document.inputs.end()) document.inputs.push_back(file_info(path));
}

// How many tokens the model takes at most, from its configuration or its table of positions.
std::size_t longest_sample(const DataOptions& data, const OpenedModel& model) {
  if (data.max_length > 0) return data.max_length;
  if (const auto limit = find_max_length(model.path)) return *limit;
  return static_cast<std::size_t>(position_limit(model.model.graph).value_or(0));
}

}  // namespace

std::optional<Target> read_target(const std::string& text) {
  if (text.empty()) return {};
  if (auto target = parse_target(text)) return target;
  const std::vector<std::string> names(target_names().begin(), target_names().end());
  throw Error(codes::unknown_name, fmt::format("there is no target \"{}\"", text),
              did_you_mean(text, names));
}

OpenedModel open_model(const std::string& path, const ReadingOptions& reading) {
  BackgroundSha256 sha256;
  OpenedModel opened = open_model(path, reading, sha256);
  opened.file.sha256 = sha256.get();
  return opened;
}

OpenedModel open_model(const std::string& path, const ReadingOptions& reading,
                       BackgroundSha256& sha256) {
  OpenedModel opened;
  opened.path = find_model(path);
  sha256 = BackgroundSha256(opened.path);
  opened.model =
      read_model(opened.path, {.allow_links = reading.allow_links, .fix_order = reading.fix_order});
  opened.file = {opened.path.string(), {}, size_of(opened.path)};
  return opened;
}

SessionOptions session_options(const EngineOptions& engine) {
  SessionOptions options;
  options.threads = engine.threads;
  options.reference_kernels = engine.reference_kernels;
  options.fuse = !engine.reference_kernels;
  if (!engine.instruction_set.empty()) {
    options.instruction_set = parse_instruction_set(engine.instruction_set);
    if (!options.instruction_set) {
      const std::array<std::string, 5> names = {"baseline", "avx2", "avx512", "avx512_vnni", "amx"};
      throw Error(codes::bad_option,
                  fmt::format("there is no instruction set \"{}\"", engine.instruction_set),
                  did_you_mean(engine.instruction_set, names));
    }
    options.instruction_set = std::min(*options.instruction_set, detected_instruction_set());
  }
  return options;
}

std::string tokenizer_for(const DataOptions& data, const std::string& model) {
  if (!data.tokenizer.empty()) return data.tokenizer;
  const auto found = find_tokenizer(model);
  return found ? found->string() : std::string();
}

std::optional<Dataset> open_data(const DataOptions& data, DataUse use, const OpenedModel& model,
                                 Document& document) {
  const bool own_file = use == DataUse::measuring && !data.eval_data.empty();
  const std::string& path = own_file ? data.eval_data : data.data;
  if (path.empty()) return {};
  DataSpec spec;
  spec.path = path;
  spec.tokenizer = tokenizer_for(data, model.path.string());
  spec.text = data.text;
  spec.label = data.label;
  spec.samples = own_file ? 0 : data.samples;
  if (use == DataUse::calibration && data.samples == 0) spec.samples = kCalibrationSamples;
  spec.seed = data.seed;
  spec.max_length = longest_sample(data, model);
  spec.cased = data.cased;
  spec.window = data.window;
  Dataset dataset = load_dataset(spec, input_specs(model.model.graph));
  require_known_tokens(dataset, token_input(model.model.graph));
  add_input(document, path);
  if (dataset.is_text() && std::filesystem::is_regular_file(spec.tokenizer)) {
    add_input(document, spec.tokenizer);
  }
  return dataset;
}

std::optional<std::int64_t> position_limit(const Graph& graph) {
  std::optional<std::int64_t> limit;
  const TransformerView view = TransformerView::of(graph);
  for (const Embedding& embedding : view.embeddings()) {
    if (embedding.kind != EmbeddingKind::position || embedding.rows < 2) continue;
    limit = std::min(limit.value_or(embedding.rows), embedding.rows);
  }
  return limit;
}

}  // namespace onnxpress::api
