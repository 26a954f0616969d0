// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <fmt/format.h>

namespace onnxpress::cli {
namespace {

std::string presets_footer() {
  std::string text = "presets:\n";
  for (const PresetDescription& preset : list_passes().preset_list) {
    text += fmt::format("  {:<14} {}{}\n", preset.name, preset.summary,
                        preset.name == default_preset() ? " (default)" : "");
  }
  text += "\nmetrics for --fail-if: ";
  std::string line;
  for (const std::string& name : gate_metric_names()) line += (line.empty() ? "" : ", ") + name;
  return text + line + "\n";
}

class Compress final : public Command {
 public:
  using Command::Command;
  CompressRequest request;
  bool print_recipe = false;
  bool no_evaluation = false;

  std::string instead_of_running() override {
    return print_recipe ? resolved_recipe(request) : std::string();
  }

  Document run(const Control& control) override {
    require_argument(!request.input.empty(), "model",
                     "onnxpress compress model.onnx -o small.onnx");
    require_argument(!request.output.empty() || request.dry_run, "output",
                     "onnxpress compress model.onnx -o small.onnx");
    request.evaluate = !no_evaluation;
    return compress(request, control);
  }
};

void add_recipe_flags(CLI::App& app, Compress& command) {
  CompressRequest& request = command.request;
  const auto several = [](CLI::Option* option) {
    option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->group("Recipe");
  };
  app.add_option("--preset", request.preset, "what to do (see below)")
      ->type_name("NAME")
      ->group("Recipe");
  app.add_option("--recipe", request.recipe, "a recipe of your own, instead of a preset")
      ->type_name("FILE.toml")
      ->group("Recipe");
  several(app.add_option("--set", request.set, "set an option of a pass (repeatable)")
              ->type_name("PASS.KEY=VALUE"));
  app.add_option("--target", request.target, "the runtime that the result is meant for")
      ->type_name("ort-cpu|ort-cpu-avx2")
      ->group("Recipe");
  several(app.add_option("--include", request.include, "only units whose name matches (repeatable)")
              ->type_name("GLOB"));
  several(app.add_option("--exclude", request.exclude, "not units whose name matches (repeatable)")
              ->type_name("GLOB"));
  app.add_flag("--keep-opset", request.keep_opset,
               "refuse what needs a newer opset, instead of raising the model to it")
      ->group("Recipe");
  app.add_flag("--print-recipe", command.print_recipe, "print the recipe and do nothing else")
      ->group("Recipe");
}

}  // namespace

std::unique_ptr<Command> add_compress(CLI::App& program) {
  CLI::App* app =
      program.add_subcommand("compress", "make a model smaller; prints before and after");
  auto command = std::make_unique<Compress>(app);
  CompressRequest& request = command->request;
  app->add_option("MODEL", request.input, "an .onnx file, or a folder with model and tokenizer");
  app->add_option("-o,--output", request.output, "the compressed model")->type_name("FILE");
  app->add_flag("-f,--force", request.force, "replace the output if it exists");
  app->add_option("--external", request.external, "weights in a file of their own")
      ->type_name("auto|always|never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app->add_flag("--keep-metadata", request.keep_metadata, "keep the exporter's stack traces");
  app->add_flag("--strict", request.strict,
                "weights with NaN, and models with nothing left to quantize, are errors");
  app->add_flag("--dry-run", request.dry_run, "only tell what would be done, and the exact size");
  add_recipe_flags(*app, *command);
  add_data_flags(*app, request.data);
  app->add_option("--calibration", request.calibration, "statistics of this model (calibrate -o)")
      ->type_name("FILE.calib")
      ->group("Data");
  app->add_flag("--latency", request.latency, "time the models even without data")->group("Data");
  app->add_option("--sequence", request.sequence, "tokens that latency is measured on")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str()
      ->group("Data");
  app->add_flag("--no-eval", command->no_evaluation, "measure nothing, even with --data")
      ->group("Data");
  add_gate_flags(*app, request.fail_if);
  app->add_flag("--keep-rejected", request.keep_rejected,
                "keep a result that fails a gate as NAME.rejected.onnx")
      ->group("Gates");
  add_reading_flags(*app, request.reading);
  add_engine_flags(*app, request.engine);
  add_output_flags(*command);
  app->footer(presets_footer);
  return command;
}

}  // namespace onnxpress::cli
