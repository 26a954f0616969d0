// SPDX-License-Identifier: Apache-2.0
#include "io/external_data.h"

#include <sys/stat.h>

#include "fixtures.h"
#include "io/writer.h"

namespace onnxpress {
namespace {

namespace fs = std::filesystem;
using test::Fails;
using test::proto;
using test::write_file;
using ::testing::HasSubstr;

using Entries = std::vector<std::pair<std::string, std::string>>;

void point(onnx::TensorProto& tensor, const Entries& entries) {
  tensor.clear_float_data();
  tensor.clear_raw_data();
  tensor.clear_external_data();
  tensor.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] : entries) {
    auto* entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  }
}

// A folder with a model whose "w" (float[2]) is in w.bin, from byte 8 on.
class ExternalData : public ::testing::Test {
 protected:
  ExternalData() {
    fs::create_directories(folder_ / "models/sub");
    write_file(model("w.bin"), std::string("\0\0\0\0\0\0\0\0\0\0\x80?\0\0\0@", 16));
    write_file(folder_ / "secret.bin", std::string(16, 's'));
  }
  [[nodiscard]] fs::path model(const std::string& name = "m.onnx") const {
    return folder_.path() / "models" / name;
  }
  void save(const Entries& entries) const {
    onnx::ModelProto m = proto();
    point(*m.mutable_graph()->mutable_initializer(0), entries);
    write_file(model(), m.SerializeAsString());
  }
  Tensor weight(const ReadOptions& options = {}) const {
    const Model m = read_model(model(), options);
    return *m.graph.constant(*m.graph.find_value("w"));
  }
  void expect_refused(const Entries& entries, const char* why) const {
    save(entries);
    EXPECT_THAT([&] { weight(); }, Fails("E0314", HasSubstr(why))) << why;
  }

  test::TemporaryFolder folder_;
};

TEST_F(ExternalData, IsReadFromBesideTheModel) {
  save({{"location", "w.bin"}, {"offset", "8"}, {"length", "8"}});
  EXPECT_EQ(weight(), Tensor::of<float>({2}, {1, 2}));
  save({{"location", "w.bin"}, {"offset", "8"}});  // to the end
  EXPECT_EQ(weight(), Tensor::of<float>({2}, {1, 2}));
  write_file(model("sub/w.bin"), std::string("\0\0\x80?\0\0\0@", 8));
  save({{"location", "sub/w.bin"}});
  EXPECT_EQ(weight(), Tensor::of<float>({2}, {1, 2}));
}

TEST_F(ExternalData, StaysBelowTheModelsFolder) {  // D1
  for (const char* location : {"../secret.bin", "sub/../../secret.bin", "./sub/../../secret.bin",
                               "/etc/passwd", "//etc/passwd", "C:secret"}) {
    expect_refused({{"location", location}}, "outside the model's folder");
  }
  expect_refused({{"location", "sub\\..\\..\\secret.bin"}}, "backslash");
  expect_refused({{"location", std::string("w.bin\0x", 7)}}, "NUL");
  expect_refused({{"location", "~/.ssh/id"}}, "No such file");
  expect_refused({{"location", "%2e%2e/secret.bin"}}, "No such file");
  expect_refused({{"location", ""}}, "empty location");
  expect_refused({{"offset", "0"}}, "empty location");
  expect_refused({{"location", "*/_ORT_MEM_ADDR_/*"}, {"offset", "4096"}},
                 "address in memory");  // D10
}

TEST_F(ExternalData, LinksAreRefusedUnlessTheyAreAllowed) {  // D2, D3
  const std::string good = test::read_file(model("w.bin")).substr(8);
  write_file(folder_ / "outside.bin", good);
  fs::create_symlink("../outside.bin", model("link.bin"));
  fs::create_directory_symlink("..", model("up"));
  write_file(model("hard.bin"), good);
  fs::create_hard_link(model("hard.bin"), model("hard2.bin"));
  for (const char* location : {"link.bin", "up/outside.bin"}) {
    expect_refused({{"location", location}}, "symbolic link");
  }
  expect_refused({{"location", "hard.bin"}}, "hard links");
  ReadOptions trusting;
  trusting.allow_links = true;
  for (const char* location : {"link.bin", "up/outside.bin", "hard.bin"}) {
    save({{"location", location}});
    EXPECT_EQ(weight(trusting), Tensor::of<float>({2}, {1, 2})) << location;
  }
  fs::create_symlink("/nowhere", model("dangling.bin"));
  expect_refused({{"location", "dangling.bin"}}, "No such file");
}

TEST_F(ExternalData, TheHuggingFaceCacheIsAccepted) {  // D4, D5
  fs::create_directories(folder_ / "blobs");
  fs::create_directories(folder_ / "snapshots/1");
  onnx::ModelProto m = proto();
  point(*m.mutable_graph()->mutable_initializer(0), {{"location", "w.bin"}});
  write_file(folder_ / "blobs/aaa", m.SerializeAsString());
  write_file(folder_ / "blobs/bbb", std::string("\0\0\x80?\0\0\0@", 8));
  fs::create_symlink("../../blobs/aaa", folder_ / "snapshots/1/m.onnx");
  fs::create_symlink("../../blobs/bbb", folder_ / "snapshots/1/w.bin");
  const Model read = read_model(folder_ / "snapshots/1/m.onnx");
  EXPECT_EQ(*read.graph.constant(*read.graph.find_value("w")), Tensor::of<float>({2}, {1, 2}));
  fs::remove(folder_ / "snapshots/1/w.bin");
  fs::create_symlink("../../secret.bin", folder_ / "snapshots/1/w.bin");
  EXPECT_THAT([&] { (void)read_model(folder_ / "snapshots/1/m.onnx"); },
              Fails("E0314", HasSubstr("symbolic link")));
}

TEST_F(ExternalData, OnlyRegularFilesAreRead) {  // D6
  expect_refused({{"location", "none.bin"}}, "none.bin: No such file");
  expect_refused({{"location", "sub"}}, "not a regular file");
  ASSERT_EQ(::mkfifo(model("fifo").c_str(), 0600), 0);
  expect_refused({{"location", "fifo"}}, "not a regular file");
}

TEST_F(ExternalData, RangesLieWithinTheFile) {  // D7, D8
  expect_refused({{"location", "w.bin"}, {"offset", "17"}}, "has 16 bytes");
  expect_refused({{"location", "w.bin"}, {"offset", "9"}, {"length", "8"}}, "has 16 bytes");
  expect_refused(
      {{"location", "w.bin"}, {"offset", "9223372036854775807"}, {"length", "9223372036854775807"}},
      "has 16 bytes");
  for (const char* number : {"-1", "+1", "0x10", "1e3", " 12", "12 ", "", "9223372036854775808",
                             "1234567890123456789012345678901234567890"}) {
    expect_refused({{"location", "w.bin"}, {"offset", number}}, "decimal number");
    expect_refused({{"location", "w.bin"}, {"length", number}}, "decimal number");
  }
  save({{"location", "w.bin"}, {"length", "4"}});
  EXPECT_THAT([&] { weight(); }, Fails("E0312", HasSubstr("needs 8 bytes but has 4")));
  save({{"location", "w.bin"}});
  EXPECT_THAT([&] { weight(); }, Fails("E0312", HasSubstr("needs 8 bytes but has 16")));
}

TEST_F(ExternalData, KeysCountOnce) {  // D9
  expect_refused({{"location", "w.bin"}, {"location", "w.bin"}}, "twice");
  expect_refused({{"location", "w.bin"}, {"basepath", "/"}}, "basepath");
}

TEST_F(ExternalData, ChecksumsAreVerified) {  // D11
  write_file(model("abc.bin"), "abcdefgh");
  save({{"location", "abc.bin"}, {"checksum", "425AF12A0743502B322E93A015BCF868E324D56A"}});
  EXPECT_NO_THROW(weight());
  expect_refused({{"location", "abc.bin"}, {"checksum", "0000"}}, "SHA-1");
}

TEST_F(ExternalData, TheModelItselfIsNoDataFile) {  // D12
  expect_refused({{"location", "m.onnx"}, {"length", "8"}}, "is the model itself");
}

TEST_F(ExternalData, TensorsShareAllOrNothing) {  // D12, D13
  const auto with_second = [&](const std::string& offset) {
    onnx::ModelProto m = proto();
    auto* graph = m.mutable_graph();
    point(*graph->mutable_initializer(0),
          {{"location", "w.bin"}, {"offset", "8"}, {"length", "8"}});
    *graph->add_initializer() = graph->initializer(0);
    auto* second = graph->mutable_initializer(1);
    second->set_name("v");
    point(*second, {{"location", "w.bin"}, {"offset", offset}, {"length", "8"}});
    write_file(model(), m.SerializeAsString());
    return read_model(model());
  };
  const Model tied = with_second("8");
  EXPECT_EQ(tied.graph.constant(*tied.graph.find_value("w"))->bytes().data(),
            tied.graph.constant(*tied.graph.find_value("v"))->bytes().data());
  EXPECT_NO_THROW(with_second("0"));
  EXPECT_THAT([&] { with_second("4"); }, Fails("E0314", HasSubstr("share a part")));
}

TEST_F(ExternalData, InlineDataAndUnalignedOffsets) {  // D15, D16
  onnx::ModelProto m = proto();
  auto* w = m.mutable_graph()->mutable_initializer(0);
  point(*w, {{"location", "w.bin"}});
  w->set_raw_data("abcdefgh");
  write_file(model(), m.SerializeAsString());
  EXPECT_THAT([&] { weight(); }, Fails("E0313", HasSubstr("external data")));
  write_file(model("odd.bin"), std::string("\1\1\1\0\0\x80?\0\0\0@", 11));
  save({{"location", "odd.bin"}, {"offset", "3"}});
  EXPECT_EQ(weight().as<float>()[1], 2.0F);
}

TEST_F(ExternalData, RulesHoldInAttributesAndBodies) {  // D14
  onnx::ModelProto m = proto(R"(g (bool c) => (float[2] y) {
    y = If <then_branch = t () => (float[2] a) { a = Constant <value = float[2] {1, 2}> () },
            else_branch = e () => (float[2] b) { b = Constant <value = float[2] {1, 2}> () }> (c)
  })");
  auto* inner = m.mutable_graph()->mutable_node(0)->mutable_attribute(0)->mutable_g();
  point(*inner->mutable_node(0)->mutable_attribute(0)->mutable_t(),
        {{"location", "../secret.bin"}});
  write_file(model(), m.SerializeAsString());
  EXPECT_THAT([&] { (void)read_model(model()); }, Fails("E0314"));

  m = proto();  // in a function, which is kept verbatim
  auto* attribute = m.add_functions()->add_node()->add_attribute();
  attribute->set_name("value");
  attribute->mutable_t()->set_data_type(1);
  point(*attribute->mutable_t(), {{"location", "w.bin"}});
  write_file(model(), m.SerializeAsString());
  EXPECT_THAT([&] { (void)read_model(model()); }, Fails("E0314", HasSubstr("verbatim")));
}

TEST_F(ExternalData, NeedsAFile) {
  onnx::ModelProto m = proto();
  point(*m.mutable_graph()->mutable_initializer(0), {{"location", "w.bin"}});
  EXPECT_THAT([&] { test::read(m); }, Fails("E0314", HasSubstr("file of their own")));
}

}  // namespace
}  // namespace onnxpress
