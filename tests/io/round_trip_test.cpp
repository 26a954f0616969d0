// SPDX-License-Identifier: Apache-2.0
// Models as exporters and test suites make them: read, written, read again.
#include <cstdlib>

#include "fixtures.h"
#include "io/same_model.h"
#include "io/writer.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> models_below(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".onnx" && entry.is_regular_file())
      found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

WriteOptions everything() {
  WriteOptions options;
  options.keep_metadata = true;
  return options;
}

// Model -> bytes -> the same model -> the same bytes.
void expect_round_trip(const Model& model) {
  const std::string bytes = test::written(model, everything());
  EXPECT_EQ(std::ssize(bytes), serialized_size(model, everything()));
  const Model back = test::read(bytes);
  io::require_same(model, back);
  EXPECT_EQ(to_text(back.graph), to_text(model.graph));
  EXPECT_TRUE(test::written(back, everything()) == bytes);
}

void expect_round_trip_with_data_file(const Model& model) {
  const test::TemporaryFolder folder;
  WriteOptions options = everything();
  options.external = ExternalData::always;
  StagedModel staged = stage_model(model, folder / "model.onnx", options);
  EXPECT_EQ(staged.bytes(), serialized_size(model, options, folder / "model.onnx"));
  std::move(staged).publish();
  EXPECT_EQ(to_text(read_model(folder / "model.onnx").graph), to_text(model.graph));
}

TEST(RoundTrip, EveryModelOfTheSharedFolder) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const auto models = models_below(shared / "models");
  EXPECT_GE(models.size(), 30U);
  for (const fs::path& path : models) {
    SCOPED_TRACE(path);
    const auto before = fs::last_write_time(path);
    const Model model = read_model(path);
    model.graph.verify();
    expect_round_trip(model);
    if (fs::file_size(path) < 3'000'000) expect_round_trip_with_data_file(model);
    EXPECT_EQ(fs::last_write_time(path), before);
  }
}

// The archives of ONNX's own and of another project's tests: what other tools accept is read and
// comes back, what is broken is refused with an error of ours.
void expect_archive(const fs::path& archive, std::size_t least, double accepted) {
  const test::TemporaryFolder folder;
  const std::string unpack =
      "tar -C '" + folder.path().string() + "' -xf '" + archive.string() + "'";
  ASSERT_EQ(std::system(unpack.c_str()), 0);
  const auto models = models_below(folder.path());
  EXPECT_GE(models.size(), least);
  std::size_t good = 0;
  for (const fs::path& path : models) {
    SCOPED_TRACE(path);
    std::optional<Model> model;
    try {
      model = read_model(path);
    } catch (const Error& error) {
      EXPECT_NE(error.kind(), ErrorKind::internal) << error.what();
    }
    if (!model) continue;
    ++good;
    expect_round_trip(*model);
  }
  EXPECT_GE(static_cast<double>(good), accepted * static_cast<double>(models.size()));
}

TEST(RoundTrip, TheStandardsOwnTestModels) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const auto archive = shared / "incoming/conformance/onnx_v1.22.0.tar.xz";
  if (!fs::exists(archive)) GTEST_SKIP() << "needs " << archive;
  expect_archive(archive, 1000, 1.0);
}

TEST(RoundTrip, ModelsOfAnotherToolkit) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const auto archive = shared / "incoming/conformance/polygraphy.tar.xz";
  if (!fs::exists(archive)) GTEST_SKIP() << "needs " << archive;
  expect_archive(archive, 50, 0.8);
}

}  // namespace
}  // namespace onnxpress
