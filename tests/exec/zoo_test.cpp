// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "data/npz.h"
#include "exec/session.h"
#include "io/reader.h"
#include "run.h"
#include "support/shared.h"

namespace onnxpress::test {
namespace {

namespace fs = std::filesystem;

// The names of the models in shared/models/zoo.
std::vector<std::string> zoo_models() {
  std::vector<std::string> names;
  if (const auto shared = shared_dir()) {
    for (const auto& entry : fs::directory_iterator(*shared / "models" / "zoo")) {
      if (entry.path().extension() == ".onnx") names.push_back(entry.path().stem().string());
    }
  }
  std::ranges::sort(names);
  if (names.empty()) names.emplace_back("absent");
  return names;
}

struct Case {
  TensorMap inputs, outputs;
};

// Arrays are named case/in/name and case/out/name.
std::map<std::string, Case> read_cases(const fs::path& path) {
  std::map<std::string, Case> cases;
  for (const NamedTensor& array : read_npz(path)) {
    const std::size_t first = array.name.find('/'), second = array.name.find('/', first + 1);
    const std::string kind = array.name.substr(first + 1, second - first - 1);
    Case& c = cases[array.name.substr(0, first)];
    (kind == "in" ? c.inputs : c.outputs)[array.name.substr(second + 1)] = array.tensor;
  }
  return cases;
}

class Zoo : public ::testing::TestWithParam<std::string> {};

void expect_stored_outputs(const fs::path& folder, const std::string& name,
                           const SessionOptions& options) {
  const Session session(read_model(folder / (name + ".onnx")), options);
  double worst = 0;
  const auto cases = read_cases(folder / (name + ".npz"));
  ASSERT_FALSE(cases.empty());
  for (const auto& [number, c] : cases) {
    // Twice: the first run of some sizes makes the plan, the second follows it.
    const TensorMap first = session.run(c.inputs), second = session.run(c.inputs);
    ASSERT_EQ(first, second);
    for (const auto& [output, expected] : c.outputs) {
      ASSERT_TRUE(first.contains(output)) << output;
      const double relative = max_difference(first.at(output), expected) / spread(expected);
      EXPECT_LE(relative, 1e-4) << "case " << number << ", output " << output;
      worst = std::max(worst, relative);
    }
  }
  fmt::print("{}: at most {:.2g} standard deviations from the stored outputs, arena {} bytes\n",
             name, worst, session.arena_bytes());
}

TEST_P(Zoo, ReferenceKernelsGiveTheStoredOutputs) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  expect_stored_outputs(shared / "models" / "zoo", GetParam(),
                        {.threads = 2, .reference_kernels = true, .fuse = false});
}

TEST_P(Zoo, FastKernelsGiveTheStoredOutputs) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  expect_stored_outputs(shared / "models" / "zoo", GetParam(), {.threads = 2});
}

TEST_P(Zoo, ThreadsChangeNothing) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const fs::path folder = shared / "models" / "zoo";
  const Model model = read_model(folder / (GetParam() + ".onnx"));
  const auto cases = read_cases(folder / (GetParam() + ".npz"));
  const TensorMap& inputs = cases.begin()->second.inputs;
  const Session one(model, {.threads = 1}), two(model, {.threads = 2});
  EXPECT_EQ(one.run(inputs), two.run(inputs));
}

INSTANTIATE_TEST_SUITE_P(Models, Zoo, ::testing::ValuesIn(zoo_models()), [](const auto& each) {
  std::string name = each.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace onnxpress::test
