// SPDX-License-Identifier: Apache-2.0
#include "command.h"

namespace onnxpress::cli {
namespace {

class Bench final : public Command {
 public:
  using Command::Command;
  BenchRequest request;

  Document run(const Control& control) override {
    require_argument(!request.models.empty(), "model", "onnxpress bench model.onnx small.onnx");
    return bench(request, control);
  }
};

}  // namespace

std::unique_ptr<Command> add_bench(CLI::App& program) {
  CLI::App* app = program.add_subcommand("bench", "latency, peak memory and accuracy of models");
  auto command = std::make_unique<Bench>(app);
  BenchRequest& request = command->request;
  app->add_option("MODEL", request.models, "models; they are timed in turns");
  app->add_option("--latency-batch", request.latency_batch, "samples a timed run")
      ->type_name("N")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app->add_option("--sequence", request.sequence, "tokens a sample of a timed run")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app->add_option("--runs", request.min_runs, "timed runs of each model, at least")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app->add_option("--seconds", request.seconds, "time to spend on each model, at least")
      ->type_name("S")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  add_data_flags(*app, request.data);
  add_gate_flags(*app, request.fail_if);
  add_reading_flags(*app, request.reading);
  add_engine_flags(*app, request.engine);
  add_output_flags(*command);
  return command;
}

}  // namespace onnxpress::cli
