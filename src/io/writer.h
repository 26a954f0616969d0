// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "ir/graph.h"

namespace onnxpress {

// Where the weights go: into the model file, or into a data file beside it. `automatic` takes a
// data file for models that do not fit into one protobuf message (2 GiB - 64 KiB).
enum class ExternalData { automatic, always, never };

struct WriteOptions {
  bool force = false;  // replace what is at the destination
  ExternalData external = ExternalData::automatic;
  // Keep what exporters note for debugging: `pkg.torch.*` metadata and stack traces of nodes.
  bool keep_metadata = false;
  // Files that must not be replaced, whatever name or link they are reached by (the inputs).
  std::vector<std::filesystem::path> protected_inputs{};
};

// A model that has been written and checked but stands under a temporary name in a folder beside
// its destination. It is removed unless it is published.
//
//   StagedModel staged = stage_model(model, "small.onnx", {});
//   evaluate(staged.path());           // reads like any model, its data file included
//   std::move(staged).publish();       // now small.onnx is there, whole
class StagedModel {
 public:
  StagedModel(StagedModel&&) noexcept;
  StagedModel& operator=(StagedModel&&) noexcept;
  ~StagedModel();

  [[nodiscard]] const std::filesystem::path& path() const;
  [[nodiscard]] std::int64_t bytes() const;         // of the model and its data file
  [[nodiscard]] const std::string& sha256() const;  // of the model file
  // The data file's final path; empty where the weights are in the model file.
  [[nodiscard]] std::filesystem::path data_path() const;
  // Writes a file that belongs to the model and is published with it, in the same folder: a
  // vocabulary, say. Throws Error: output_is_input (it would replace one of protected_inputs),
  // output_exists (unless `force`), cannot_write.
  void add_beside(const std::string& name, const std::string& contents);
  // Moves the model to its destination in one step, and the files beside it before: if one can't
  // be, none is. Throws Error (output_exists, cannot_write);
  // then nothing is left behind and what stood there before is untouched.
  void publish() &&;

 private:
  friend StagedModel stage_model(const Model&, const std::filesystem::path&, const WriteOptions&);
  struct State;
  explicit StagedModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Checks the destination and the free space first, so that what can't succeed fails at once
// (output_exists, output_is_input, file_missing, not_a_file, cannot_write), then writes, syncs,
// reads the result back with read_model() and compares it with `model`.
[[nodiscard]] StagedModel stage_model(const Model& model, const std::filesystem::path& destination,
                                      const WriteOptions& options = {});

// The part of stage_model() that looks at the destination only; for failing before a long run.
void check_destination(const std::filesystem::path& destination, const WriteOptions& options);

// Bytes that stage_model() would write, model and data file together, exactly. `destination` counts
// only by the length of its name, which the model holds where there is a data file.
[[nodiscard]] std::int64_t serialized_size(const Model& model, const WriteOptions& options = {},
                                           const std::filesystem::path& destination = "model.onnx");

// Removes the temporary files of all staged models of this process. Async-signal-safe: for handlers
// of SIGINT and SIGTERM.
void remove_staged_files() noexcept;

}  // namespace onnxpress
