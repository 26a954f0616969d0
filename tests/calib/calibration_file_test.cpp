// SPDX-License-Identifier: Apache-2.0
#include "calib/calibration_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <random>

#include "calib/fingerprint.h"
#include "calibration_fixture.h"
#include "onnxpress/error.h"
#include "support/temporary_folder.h"

namespace onnxpress {
namespace {

using test::calibration_bytes;
using test::CalibrationCase;

std::string code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return std::string(error.code());
  }
  return "none";
}

class CalibrationFiles : public ::testing::Test {
 protected:
  CalibrationFile open(const std::string& bytes) {
    return CalibrationFile::open(folder_.write(std::to_string(++number_) + ".calib", bytes));
  }
  std::string merge(const std::vector<std::string>& parts) {
    std::vector<CalibrationFile> files;
    for (const std::string& part : parts) files.push_back(open(part));
    std::string bytes;
    for (const std::string& piece : merge_calibrations(files)) bytes += piece;
    return bytes;
  }
  std::string shard(std::size_t index, std::size_t count) {
    CalibrationCase c = case_;
    c.shard = {index, count};
    return calibration_bytes(model_, c);
  }

  // A checksum that fits, so that what lies behind it is tested.
  static std::string resealed(std::string bytes) {
    bytes.resize(bytes.size() - 64);
    return bytes + sha256(std::as_bytes(std::span(bytes)));
  }

  test::TemporaryFolder folder_;
  int number_ = 0;
  Model model_ = test::small_gpt();
  CalibrationCase case_ = [] {
    CalibrationCase c;
    c.options.session.threads = 2;
    c.options.request.most_gram_channels = 200;  // not the wide ones, for time
    c.options.request.reservoir_rows = 8;
    return c;
  }();
};

TEST_F(CalibrationFiles, ShardsMergeToTheBytesOfTheWhole) {
  const std::string whole = calibration_bytes(model_, case_);
  EXPECT_TRUE(merge({shard(1, 2), shard(2, 2)}) == whole);
  EXPECT_TRUE(merge({shard(2, 2), shard(1, 2)}) == whole);
  // 300 samples are three chunks; two at first, then the rest.
  EXPECT_TRUE(merge({shard(3, 3), merge({shard(2, 3), shard(1, 3)})}) == whole);
  EXPECT_TRUE(merge({whole}) == whole);
}

TEST_F(CalibrationFiles, GiveBackWhatWasCollected) {
  const CalibrationSet set(test::sentences(300, 60), input_specs(model_.graph), 32);
  const auto values = calibrated_values(model_.graph, TransformerView::of(model_));
  std::map<std::string, TensorStatistics> expected;
  collect_statistics(model_, values, set, case_.options,
                     [&](ValueId id, TensorStatistics&& statistics) {
                       expected.emplace(model_.graph.value(id).name, std::move(statistics));
                     });
  const CalibrationFile file = open(calibration_bytes(model_, case_));
  EXPECT_EQ(file.header(), header_of(model_, set, case_.options.request, false));
  EXPECT_TRUE(file.header().is_complete());
  EXPECT_EQ(file.header().tokens, set.tokens());
  file.require_model(model_);
  ASSERT_EQ(file.names().size(), expected.size());
  int grams = 0;
  for (const std::string& name : file.names()) {
    const auto got = file.statistics_for(name);
    ASSERT_TRUE(got.has_value());
    const TensorStatistics& want = expected.at(name);
    EXPECT_EQ(got->rows, want.rows);
    EXPECT_EQ(got->channels, want.channels);
    EXPECT_EQ(got->mean(), want.mean());
    EXPECT_EQ(got->mean_abs(), want.mean_abs());
    EXPECT_EQ(got->histogram, want.histogram);
    EXPECT_EQ(got->reservoir, want.reservoir);
    ASSERT_EQ(got->train.has_value(), want.train.has_value());
    if (!want.train) continue;
    ++grams;
    const Gram a = got->gram(), b = want.gram();
    EXPECT_EQ(a.rows, b.rows);
    EXPECT_EQ(a.sum, b.sum);
    for (std::int64_t i = 0; i < a.size; ++i) {
      for (std::int64_t j = 0; j < a.size; ++j) {
        ASSERT_NEAR(a.at(i, j), b.at(i, j), 1e-7 * std::sqrt(b.at(i, i) * b.at(j, j)));
      }
    }
    EXPECT_EQ(got->moments().held_out.edited.rows, want.held_out->rows);
  }
  EXPECT_GT(grams, 4);
  EXPECT_FALSE(file.statistics_for("no such tensor").has_value());
}

TEST_F(CalibrationFiles, DoNotGrowWithTheSamples) {
  CalibrationCase few = case_;
  few.samples = 130;
  few.shard = {1, 2};
  const std::size_t one_chunk = calibration_bytes(model_, few).size();
  CalibrationCase many = case_;
  many.samples = 500;
  many.shard = {1, 1};
  EXPECT_LT(calibration_bytes(model_, many).size(), one_chunk);  // Grams as floats, once complete
  few.samples = 500;
  few.shard = {1, 2};  // two chunks
  const double growth =
      static_cast<double>(calibration_bytes(model_, few).size()) / static_cast<double>(one_chunk);
  EXPECT_LT(growth, 1.05);  // bins of histograms
}

TEST_F(CalibrationFiles, MergeOnlyWhatBelongsTogether) {
  const std::string first = shard(1, 2), second = shard(2, 2);
  EXPECT_EQ(code_of([&] { merge({first, first}); }), "E0508");
  EXPECT_EQ(code_of([&] { merge({merge({first, second}), second}); }), "E0508");
  for (const auto& change : std::vector<std::function<void(CalibrationCase&)>>{
           [](CalibrationCase& c) { c.samples = 299; }, [](CalibrationCase& c) { c.batch = 16; },
           [](CalibrationCase& c) { c.random = true; },
           [](CalibrationCase& c) { c.options.request.reservoir_rows = 4; },
           [](CalibrationCase& c) { c.options.request.histogram = false; }}) {
    CalibrationCase other = case_;
    other.shard = {2, 2};
    change(other);
    EXPECT_EQ(code_of([&] { merge({first, calibration_bytes(model_, other)}); }), "E0508");
  }
}

TEST_F(CalibrationFiles, BelongToOneModel) {
  const CalibrationFile file = open(shard(1, 2));
  EXPECT_EQ(file.header().chunks_covered(), 1U);
  EXPECT_FALSE(file.header().is_complete());
  Model same = model_;
  same.doc_string = "another comment";
  same.metadata.emplace_back("author", "somebody");
  file.require_model(same);
  Model other = model_;
  for (const ValueId id : other.graph.values()) {
    const Tensor* weight = other.graph.constant(id);
    if (weight == nullptr || weight->dtype() != DType::float32 || weight->rank() != 2) continue;
    const auto old = weight->as<float>();
    std::vector<float> values(old.begin(), old.end());
    values.back() += 0.001F;
    other.graph.set_constant(id, Tensor::of<float>(weight->dims(), std::move(values)));
    break;
  }
  EXPECT_EQ(code_of([&] { file.require_model(other); }), "E0508");
}

TEST_F(CalibrationFiles, DamageAndOtherFilesAreRefused) {
  CalibrationCase c = case_;
  c.samples = 5;
  c.options.request.gram = false;
  const std::string good = calibration_bytes(model_, c);
  EXPECT_EQ(code_of([&] { open(good); }), "none");
  EXPECT_EQ(code_of([&] { open(""); }), "E0507");
  EXPECT_EQ(code_of([&] { open("OPXCALI"); }), "E0507");
  EXPECT_EQ(code_of([&] { open("something else entirely, and long enough"); }), "E0507");
  std::string newer = good;
  newer[8] = 2;
  try {
    open(resealed(newer));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("version 2"), std::string::npos) << error.what();
  }
  for (std::size_t at = 0; at < good.size(); at += 4999) {
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    EXPECT_EQ(code_of([&] { open(flipped); }), "E0507") << at;
    EXPECT_EQ(code_of([&] { open(good.substr(0, at)); }), "E0507") << at;
  }
}

// Whatever stands in the file, reading it ends with an Error or with statistics, never with a crash
// or with memory for what is not there.
TEST_F(CalibrationFiles, HostileContentsAreRefused) {
  CalibrationCase c = case_;
  c.samples = 5;
  c.options.request.most_gram_channels = 0;
  const std::string good = calibration_bytes(model_, c);
  std::mt19937_64 random(11);
  int refused = 0;
  for (int round = 0; round < 400; ++round) {
    std::string bytes = good;
    // Near the start of the file or of a tensor, where the lengths are.
    const std::size_t at = 8 + random() % (round % 2 == 0 ? 400 : bytes.size() - 72);
    const std::uint64_t value = round % 3 == 0 ? ~std::uint64_t{0} : random() >> random() % 64;
    std::memcpy(bytes.data() + at, &value, std::min<std::size_t>(8, bytes.size() - 64 - at));
    try {
      const CalibrationFile file = open(resealed(bytes));
      for (const std::string& name : file.names()) (void)file.statistics_for(name);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace onnxpress
