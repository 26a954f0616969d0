// SPDX-License-Identifier: Apache-2.0
// Times a model over batches: time_batches MODEL BATCHES.npz THREADS ROUNDS [LEVEL]
// The archive has one array per batch and input, named batch/input. The model runs over all batches
// ROUNDS times; the first round also plans. Prints the seconds of each round, then the logits'
// checksum. compare.py calls it.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "data/npz.h"
#include "exec/session.h"
#include "io/reader.h"

namespace {

using Clock = std::chrono::steady_clock;

std::vector<onnxpress::TensorMap> read_batches(const char* path) {
  std::map<int, onnxpress::TensorMap> batches;
  for (const auto& array : onnxpress::read_npz(path)) {
    const std::size_t slash = array.name.find('/');
    batches[std::stoi(array.name.substr(0, slash))][array.name.substr(slash + 1)] = array.tensor;
  }
  std::vector<onnxpress::TensorMap> ordered;
  for (auto& [number, batch] : batches) ordered.push_back(std::move(batch));
  return ordered;
}

double checksum(const onnxpress::TensorMap& outputs) {
  double sum = 0;
  for (const auto& [name, tensor] : outputs) {
    if (tensor.dtype() != onnxpress::DType::float32) continue;
    for (const float value : tensor.as<float>()) sum += value < 0 ? -value : value;
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    fmt::print(stderr, "usage: time_batches MODEL BATCHES.npz THREADS ROUNDS [LEVEL]\n");
    return 2;
  }
  try {
    onnxpress::SessionOptions options;
    options.threads = std::atoi(argv[3]);
    if (argc > 5) options.instruction_set = onnxpress::parse_instruction_set(argv[5]);
    auto start = Clock::now();
    const auto seconds = [&] {
      const auto now = Clock::now();
      const double passed = std::chrono::duration<double>(now - start).count();
      start = now;
      return passed;
    };
    const onnxpress::Session session(onnxpress::read_model(argv[1]), options);
    fmt::print("load {:.4f} s, {}\n", seconds(), onnxpress::name(session.instruction_set()));
    if (std::getenv("DESCRIBE") != nullptr) fmt::print("{}", session.describe());
    const auto batches = read_batches(argv[2]);
    for (int round = 0; round < std::atoi(argv[4]); ++round) {
      double sum = 0;
      seconds();
      for (const auto& batch : batches) sum += checksum(session.run(batch));
      fmt::print("round {:.4f} s, checksum {:.6f}\n", seconds(), sum);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
