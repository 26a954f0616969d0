// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "exec/session.h"
#include "io/reader.h"
#include "onnxpress/error.h"
#include "stored_tensor.h"

namespace onnxpress::test {
namespace {

namespace fs = std::filesystem;

// Cases that the executor is known not to follow, with the reason.
const std::map<std::string, std::string> kKnown = {};

struct Outcome {
  std::string skipped;  // why, in a few words
  std::string wrong;
};

// As the standard's own runner compares: relative 1e-3, and what 16-bit floats can tell apart.
bool close(double actual, double expected, DType type) {
  if (std::isnan(expected)) return std::isnan(actual);
  if (actual == expected) return true;
  const double relative = type == DType::bfloat16 ? 1e-2 : 1e-3;
  return std::fabs(actual - expected) <= 1e-7 + relative * std::fabs(expected);
}

std::string difference(const Tensor& actual, const Tensor& expected) {
  if (actual.dtype() != expected.dtype() || actual.dims() != expected.dims()) {
    return fmt::format("{} {} instead of {} {}", name(actual.dtype()), to_string(actual.dims()),
                       name(expected.dtype()), to_string(expected.dims()));
  }
  if (!is_float(expected.dtype())) {
    return actual == expected ? "" : "integers differ";
  }
  const auto a = actual.to_doubles(), b = expected.to_doubles();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!close(a[i], b[i], expected.dtype())) {
      return fmt::format("element {} is {} instead of {}", i, a[i], b[i]);
    }
  }
  return "";
}

Outcome run_data_set(const Session& session, const fs::path& folder) {
  TensorMap inputs;
  for (std::size_t i = 0; i < session.inputs().size(); ++i) {
    const fs::path file = folder / fmt::format("input_{}.pb", i);
    if (!fs::exists(file)) break;
    const auto tensor = read_stored_tensor(file);
    if (!tensor) return {"an input is not a tensor of numbers", ""};
    inputs[session.inputs()[i].name] = *tensor;
  }
  // Twice: the second run follows the plan that the first one made.
  session.run(inputs);
  const TensorMap outputs = session.run(inputs);
  for (std::size_t i = 0; i < session.outputs().size(); ++i) {
    const auto expected = read_stored_tensor(folder / fmt::format("output_{}.pb", i));
    if (!expected) return {"an output is not a tensor of numbers", ""};
    const std::string& output = session.outputs()[i].name;
    const std::string wrong = difference(outputs.at(output), *expected);
    if (!wrong.empty()) return {"", fmt::format("output \"{}\": {}", output, wrong)};
  }
  return {};
}

Outcome run_case(const fs::path& folder, const SessionOptions& options) {
  std::optional<Session> session;
  try {
    const Model model = read_model(folder / "model.onnx");
    session.emplace(model, options);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::unsupported) {
      const std::string message = error.what();
      const std::size_t at = message.find("can't be run: ");
      return {at == std::string::npos
                  ? "model not supported"
                  : "no kernel: " + message.substr(at + 14, message.find(" in node") - at - 14),
              ""};
    }
    return {"", error.what()};
  }
  try {
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (!entry.is_directory()) continue;
      Outcome outcome = run_data_set(*session, entry.path());
      if (!outcome.skipped.empty() || !outcome.wrong.empty()) return outcome;
    }
  } catch (const Error& error) {
    return {"", error.what()};
  }
  return {};
}

void run_all(const SessionOptions& options) {
  std::vector<fs::path> cases;
  if (fs::is_directory(CONFORMANCE_DIR)) {
    for (const auto& entry : fs::recursive_directory_iterator(CONFORMANCE_DIR)) {
      const fs::path& path = entry.path();
      if (path.filename() == "model.onnx" &&
          path.parent_path().parent_path().filename() != "light") {
        cases.push_back(path.parent_path());
      }
    }
  }
  if (cases.empty()) GTEST_SKIP() << "needs the shared/ folder beside the checkout";
  std::ranges::sort(cases);
  std::map<std::string, int> skipped;
  int passed = 0;
  for (const fs::path& folder : cases) {
    const std::string label = folder.filename();
    const Outcome outcome = run_case(folder, options);
    if (kKnown.contains(label)) {
      ++skipped["known: " + kKnown.at(label)];
    } else if (!outcome.wrong.empty()) {
      ADD_FAILURE() << label << ": " << outcome.wrong;
    } else if (!outcome.skipped.empty()) {
      ++skipped[outcome.skipped];
    } else {
      ++passed;
    }
  }
  int total_skipped = 0;
  for (const auto& [reason, count] : skipped) {
    total_skipped += count;
    fmt::print("  skipped {:4}  {}\n", count, reason);
  }
  fmt::print("{} of the standard's cases ran, {} were skipped\n", passed, total_skipped);
  EXPECT_GE(passed, 700);
}

TEST(OperatorCases, ReferenceKernels) {
  run_all({.threads = 2, .reference_kernels = true, .fuse = false});
}

TEST(OperatorCases, FastKernels) {
  run_all({.threads = 2});
}

}  // namespace
}  // namespace onnxpress::test
