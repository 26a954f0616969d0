// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// What several requests have in common.
namespace onnxpress {

// Where a request stands. `done` runs from 0 to 1 within a stage.
struct ProgressEvent {
  std::string stage;   // "read", a pass's name, "write", "evaluate", "time"
  std::string detail;  // of a finished stage: what it did, e.g. "14 of 15 units INT8"
  double done = 0;
  bool finished = false;
  double seconds = 0;  // of a finished stage
};

// How a request is watched and stopped. `progress` is called from the thread that made the request,
// at the pace of the work (not limited). Once `*cancelled` is true the request ends with Error
// (cancelled) and leaves nothing behind; the flag may be set from another thread or a signal
// handler.
struct Control {
  std::function<void(const ProgressEvent&)> progress{};
  const std::atomic<bool>* cancelled = nullptr;
};

// What is allowed when a model is read that is refused otherwise.
struct ReadingOptions {
  bool allow_links = false;  // external data behind symbolic links, or with several hard links
  bool fix_order = false;    // nodes that stand before the producers of their inputs
};

// How models are run.
struct EngineOptions {
  int threads = 0;                 // 0: as many as there are cores available to this process
  bool reference_kernels = false;  // only the plain kernels
  // "baseline", "avx2", "avx512", "avx512_vnni", "amx": use nothing above; "": what the CPU has.
  std::string instruction_set{};
};

// Where samples come from and how text becomes tokens.
struct DataOptions {
  std::string data{};       // .tsv .csv .txt .jsonl .npz .npy
  std::string eval_data{};  // what to measure on; "": data
  // vocab.txt, vocab.json (+ merges.txt), tokenizer.json or .model; "": what lies beside the model.
  std::string tokenizer{};
  bool cased = false;               // for vocab.txt
  std::vector<std::string> text{};  // one or two columns; empty: the usual names
  std::string label{};              // "": the usual names
  std::size_t samples = 0;          // at most so many, drawn by `seed`; 0: all
  std::size_t window = 0;           // more than 0: one stream of tokens, cut into windows
  std::size_t max_length = 0;       // tokens; 0: the model's own limit
  std::size_t batch = 32;
  std::uint64_t seed = 1;
};

}  // namespace onnxpress
