// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "command.h"
#include "usage.h"

namespace onnxpress::cli {
namespace {

// "2/8"
void parse_shard(const std::string& text, CalibrateRequest& request) {
  const std::size_t slash = text.find('/');
  const char* const end = text.data() + text.size();
  bool good = slash != std::string::npos;
  if (good) {
    const char* const middle = text.data() + slash;
    const auto index = std::from_chars(text.data(), middle, request.shard);
    const auto count = std::from_chars(middle + 1, end, request.shards);
    good = index.ec == std::errc() && index.ptr == middle && count.ec == std::errc() &&
           count.ptr == end && request.shard >= 1 && request.shard <= request.shards;
  }
  if (!good) {
    throw bad_value("--shard can't be \"" + text + "\"", "give I/N, counted from 1, e.g. 2/8");
  }
}

class Calibrate final : public Command {
 public:
  using Command::Command;
  CalibrateRequest request;
  std::vector<std::string> files;
  std::string shard;
  bool merge = false;
  bool no_histogram = false;
  bool no_gram = false;

  Document run(const Control& control) override {
    if (merge) {
      const std::string example = "onnxpress calibrate --merge a.calib b.calib -o whole.calib";
      require_argument(!files.empty(), "calibration file", example);
      require_argument(!request.output.empty(), "output", example);
      if (!request.data.data.empty()) {
        throw usage_error("--merge reads no data", "for instance: " + example);
      }
      return merge_calibrations({files, request.output, request.force}, control);
    }
    const std::string example = "onnxpress calibrate model.onnx --data train.tsv -o model.calib";
    require_argument(!files.empty(), "model", example);
    require_argument(!request.output.empty(), "output", example);
    if (files.size() > 1) {
      throw usage_error("\"" + files[1] + "\" is one model too many",
                        "add --merge to put calibration files together");
    }
    request.model = files.front();
    request.histogram = !no_histogram;
    request.gram = !no_gram;
    if (!shard.empty()) parse_shard(shard, request);
    return calibrate(request, control);
  }
};

}  // namespace

std::unique_ptr<Command> add_calibrate(CLI::App& program) {
  CLI::App* app = program.add_subcommand("calibrate", "statistics of what the layers read, once");
  auto command = std::make_unique<Calibrate>(app);
  CalibrateRequest& request = command->request;
  app->add_option("MODEL", command->files, "an .onnx file or a folder; with --merge: .calib files");
  app->add_option("-o,--output", request.output, "the calibration file")->type_name("FILE.calib");
  app->add_flag("-f,--force", request.force, "replace the output if it exists");
  app->add_flag("--merge", command->merge, "put the parts of one calibration together");
  app->add_option("--shard", command->shard, "only part I of N, of whole chunks of 128 samples")
      ->type_name("I/N");
  app->add_flag("--no-histogram", command->no_histogram, "ranges only");
  app->add_flag("--no-gram", command->no_gram,
                "no products of channels: a small file, of no use to solvers of weights");
  app->add_option("--keep-rows", request.kept_rows,
                  "keep so many rows of each tensor, for smoothing")
      ->type_name("N")
      ->check(CLI::Range(0, 1 << 20))
      ->capture_default_str();
  app->add_flag("--allow-random-calibration", request.allow_random,
                "made-up inputs if there are no --data");
  add_data_flags(*app, request.data);
  app->remove_option(app->get_option("--eval-data"));
  add_reading_flags(*app, request.reading);
  add_engine_flags(*app, request.engine);
  add_output_flags(*command);
  return command;
}

}  // namespace onnxpress::cli
