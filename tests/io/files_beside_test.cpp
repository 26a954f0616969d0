// SPDX-License-Identifier: Apache-2.0
// Files that are written beside a model, such as its vocabulary.
#include <set>

#include "fixtures.h"
#include "io/writer.h"

namespace onnxpress {
namespace {

namespace fs = std::filesystem;
using test::parse;
using test::read_file;
using test::write_file;

// A model with a weight that is worth a data file.
Model large() {
  Model m = parse("g (float[2] x) => (float[2] y) { y = Abs(x) }");
  const ValueId w = m.graph.add_constant("w", Tensor::of<float>({4096}, std::vector<float>(4096)));
  m.graph.add_output(m.graph.add("Neg", {w}, {}, "z"));
  return m;
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename());
  return names;
}

// The model's place is taken between staging and publishing: its move is the last to be made.
TEST(FilesBeside, GoBackWhereTheModelCannotBePublished) {
  for (const bool force : {false, true}) {
    const test::TemporaryFolder folder;
    if (force) write_file(folder / "vocab.txt", "old");
    WriteOptions options;
    options.force = force;
    options.external = ExternalData::always;
    StagedModel staged = stage_model(large(), folder / "m.onnx", options);
    EXPECT_FALSE(staged.data_path().empty());
    staged.add_beside("merges.txt", "new");
    staged.add_beside("vocab.txt", "new");
    fs::create_directories(folder / "m.onnx" / "full");
    EXPECT_THROW(std::move(staged).publish(), Error);
    EXPECT_EQ(names_in(folder.path()), force ? std::set<std::string>({"m.onnx", "vocab.txt"})
                                             : std::set<std::string>({"m.onnx"}));
    if (force) {
      EXPECT_EQ(read_file(folder / "vocab.txt"), "old");
    }
  }
}

TEST(FilesBeside, AreReplacedWithTheModel) {
  const test::TemporaryFolder folder;
  write_file(folder / "vocab.txt", "old");
  WriteOptions options;
  options.force = true;
  StagedModel staged = stage_model(large(), folder / "m.onnx", options);
  staged.add_beside("vocab.txt", "new");
  EXPECT_EQ(read_file(folder / "vocab.txt"), "old");
  std::move(staged).publish();
  EXPECT_EQ(names_in(folder.path()), std::set<std::string>({"m.onnx", "vocab.txt"}));
  EXPECT_EQ(read_file(folder / "vocab.txt"), "new");
}

}  // namespace
}  // namespace onnxpress
