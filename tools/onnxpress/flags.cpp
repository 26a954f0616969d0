// SPDX-License-Identifier: Apache-2.0
#include "command.h"
#include "usage.h"

namespace onnxpress::cli {
namespace {

constexpr int kMostThreads = 1024;
constexpr int kLargestBatch = 65536;

}  // namespace

void add_output_flags(Command& command) {
  CLI::App& app = command.app();
  OutputOptions& output = command.output;
  if (output.offers_json) {
    app.add_option("--json", output.json,
                   "print the run document as JSON (--json FILE.json: write it there)")
        ->type_name("[FILE]")
        ->group("Output");
    app.add_option("--format", output.format, "human, json, md or csv")
        ->type_name("FORMAT")
        ->check(CLI::IsMember({"human", "json", "md", "csv"}))
        ->group("Output");
    app.add_option("--report", output.report, "also write the document to FILE (.json, .md, .csv)")
        ->type_name("FILE")
        ->group("Output");
  }
  app.add_flag("-q,--quiet", output.quiet, "no progress, no warnings")->group("Output");
  app.add_flag("-v,--verbose", output.verbose, "every unit of every pass, and what it lost")
      ->group("Output");
  app.add_option("--color", output.color, "auto, always or never")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->group("Output");
  app.add_option("--progress", output.progress, "auto, bar, plain or none")
      ->type_name("HOW")
      ->check(CLI::IsMember({"auto", "bar", "plain", "none"}))
      ->group("Output");
}

void add_reading_flags(CLI::App& app, ReadingOptions& reading) {
  app.add_flag("--allow-links", reading.allow_links,
               "follow links to external data, and take files with several hard links")
      ->group("Model");
  app.add_flag("--fix-order", reading.fix_order, "sort nodes that stand before what they read")
      ->group("Model");
}

void add_engine_flags(CLI::App& app, EngineOptions& engine) {
  app.add_option("--threads", engine.threads, "threads (default: as many as there are cores)")
      ->type_name("N")
      ->check(CLI::Range(1, kMostThreads))
      ->group("Engine");
  app.add_option_function<std::string>(
         "--kernels",
         [&engine](const std::string& kernels) {
           engine.reference_kernels = kernels == "reference";
         },
         "fast or reference (slow, plain loops; for finding bugs)")
      ->type_name("WHICH")
      ->check(CLI::IsMember({"fast", "reference"}))
      ->group("Engine");
  app.add_option("--instruction-set", engine.instruction_set,
                 "use nothing above baseline, avx2, avx512, avx512_vnni or amx")
      ->type_name("NAME")
      ->group("Engine");
}

void add_data_flags(CLI::App& app, DataOptions& data) {
  app.add_option("--data", data.data, "samples: .tsv .csv .txt .jsonl .npz .npy")
      ->type_name("FILE")
      ->group("Data");
  app.add_option("--eval-data", data.eval_data, "samples to measure on, if not --data")
      ->type_name("FILE")
      ->group("Data");
  app.add_option("--tokenizer", data.tokenizer,
                 "vocab.txt, vocab.json, tokenizer.json or .model (default: beside the model)")
      ->type_name("FILE")
      ->group("Data");
  app.add_flag("--cased", data.cased, "vocab.txt keeps case and accents")->group("Data");
  app.add_option("--text", data.text, "text column; twice for pairs")
      ->type_name("COLUMN")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Data");
  app.add_option("--label", data.label, "label column")->type_name("COLUMN")->group("Data");
  app.add_option("--samples", data.samples, "at most so many samples, drawn by --seed")
      ->type_name("N")
      ->group("Data");
  app.add_option("--window", data.window, "one stream of tokens, in windows of N (perplexity)")
      ->type_name("N")
      ->group("Data");
  app.add_option("--max-length", data.max_length, "tokens a sample (default: the model's limit)")
      ->type_name("N")
      ->group("Data");
  app.add_option("--batch", data.batch, "samples at once while evaluating")
      ->type_name("N")
      ->check(CLI::Range(1, kLargestBatch))
      ->capture_default_str()
      ->group("Data");
  app.add_option("--seed", data.seed, "for everything that is drawn")
      ->type_name("N")
      ->capture_default_str()
      ->group("Data");
}

void add_gate_flags(CLI::App& app, std::vector<std::string>& fail_if) {
  app.add_option("--fail-if", fail_if,
                 "exit with 1 if this comes true, e.g. 'accuracy_drop > 0.5%' (repeatable)")
      ->type_name("GATE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Gates");
}

void require_argument(bool given, const std::string& what, const std::string& example) {
  if (!given) throw usage_error("no " + what + " is given", "for instance: " + example);
}

}  // namespace onnxpress::cli
