// SPDX-License-Identifier: Apache-2.0
#include "io/reader.h"

#include <random>

#include "fixtures.h"
#include "io/wire.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

using test::Fails;
using test::proto;
using test::read;
using test::write_file;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr const char* kSmall =
    "<ir_version: 8, opset_import: [\"\" : 17]>\n"
    "g (float[n, 2] x) => (float[n, 2] y) <float[2, 2] w = {1, 2, 3, 4}> {\n"
    "  t = Transpose <perm = [1, 0]> (w)\n  y = MatMul(x, t)\n}";

TEST(Reader, TruncationAnywhereIsBadInput) {  // A3
  const std::string whole = test::parse_to_bytes(kSmall);
  ASSERT_NO_THROW(read(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    try {
      read(whole.substr(0, size));
      ADD_FAILURE() << "accepted the first " << size << " of " << whole.size() << " bytes";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input) << size << ": " << error.what();
      EXPECT_FALSE(error.hint().empty());
    }
  }
}

// What is read after damage is a model that can be written and read again.
void expect_refused_or_whole(const std::string& bytes) {
  try {
    const Model model = read(bytes);
    model.graph.verify();
    const std::string once = test::written(model);
    EXPECT_EQ(test::written(read(once)), once);
  } catch (const Error& error) {
    EXPECT_THAT(error.kind(),
                AnyOf(ErrorKind::bad_input, ErrorKind::unsupported, ErrorKind::resource))
        << error.code() << " " << error.what();
  }
}

TEST(Reader, EverySingleBitFlipIsRefusedOrHarmless) {  // A7
  const std::string whole = test::parse_to_bytes(kSmall);
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    expect_refused_or_whole(flipped);
  }
}

TEST(Reader, RandomBytesAreNeverAModel) {  // A2
  std::mt19937 random(7);
  for (int i = 0; i < 200'000; ++i) {
    std::string blob(1 + random() % 24, '\0');
    for (char& c : blob) c = static_cast<char>(random());
    EXPECT_THROW(read(blob), Error);
  }
}

TEST(Reader, ConcatenatedModelsAndTailsAreRefused) {  // A5, A6
  const std::string whole = test::parse_to_bytes(kSmall);
  EXPECT_THAT([&] { read(whole + whole); }, Fails("E0303", HasSubstr("two graphs")));
  EXPECT_THAT([&] { read(whole + std::string(100, '\0')); }, Fails("E0303"));
  EXPECT_THAT([&] { read(whole + "garbage"); }, Fails("E0303"));
}

TEST(Reader, OtherMessagesAreRecognised) {  // A21
  const onnx::ModelProto model = proto();
  EXPECT_THAT([&] { read(model.graph().SerializeAsString()); },
              Fails("E0302", HasSubstr("GraphProto")));
  EXPECT_THAT([&] { read(model.graph().initializer(0).SerializeAsString()); },
              Fails("E0302", HasSubstr("TensorProto")));
}

TEST(Reader, WhatIsMissingIsNamed) {
  onnx::ModelProto model = proto();
  model.clear_graph();
  EXPECT_THAT([&] { read(model); }, Fails("E0304", HasSubstr("no graph")));
  model = proto();
  model.clear_opset_import();
  EXPECT_THAT([&] { read(model); }, Fails("E0304", HasSubstr("no operator set")));
  model = proto();
  model.clear_ir_version();
  EXPECT_THAT([&] { read(model); }, Fails("E0304", HasSubstr("IR version")));
  model = proto();
  model.mutable_opset_import(0)->set_version(0);
  EXPECT_THAT([&] { read(model); }, Fails("E0315", HasSubstr("opset version 0")));
  model = proto();
  model.add_opset_import()->set_version(9);
  EXPECT_THAT([&] { read(model); }, Fails("E0315", HasSubstr("imported twice")));
}

TEST(Reader, TheLastOfARepeatedScalarWins) {  // A17
  std::string bytes = proto().SerializeAsString();
  io::put_text(bytes, 2, "first");
  io::put_text(bytes, 2, "second");
  EXPECT_EQ(read(bytes).producer_name, "second");
}

TEST(Reader, FieldsMayComeInAnyOrder) {  // A17: the graph before the rest, inputs before nodes
  const onnx::ModelProto model = proto();
  std::string graph;
  for (const auto& output : model.graph().output())
    io::put_text(graph, 12, output.SerializeAsString());
  for (const auto& weight : model.graph().initializer())
    io::put_text(graph, 5, weight.SerializeAsString());
  for (const auto& node : model.graph().node()) io::put_text(graph, 1, node.SerializeAsString());
  for (const auto& input : model.graph().input())
    io::put_text(graph, 11, input.SerializeAsString());
  io::put_text(graph, 2, model.graph().name());
  std::string bytes;
  io::put_text(bytes, 8, model.opset_import(0).SerializeAsString());
  io::put_text(bytes, 7, graph);
  io::put_int(bytes, 1, 8);
  EXPECT_EQ(to_text(read(bytes).graph), to_text(read(model).graph));
}

TEST(Reader, BudgetsStopHugeModelsBeforeTheMemoryIsTaken) {  // A12
  std::string graph;
  for (int i = 0; i < 1000; ++i) io::put_text(graph, 1, "");
  std::string bytes;
  io::put_int(bytes, 1, 8);
  io::put_text(bytes, 7, graph);
  io::put_text(bytes, 8, std::string("\x10\x11", 2));
  ReadOptions options;
  options.max_nodes = 999;
  EXPECT_THAT([&] { read(bytes, options); }, Fails("E0602", HasSubstr("999 nodes")));
  options = {};
  options.max_heap_bytes = 1000;
  EXPECT_THAT([&] { read(test::parse_to_bytes(kSmall), options); },
              Fails("E0602", HasSubstr("1000 bytes")));
  options = {};
  options.max_initializers = 0;
  EXPECT_THAT([&] { read(proto(), options); }, Fails("E0602", HasSubstr("initializers")));
  options = {};
  options.max_name_bytes = 10;
  onnx::ModelProto model = proto();
  model.mutable_graph()->mutable_node(0)->set_name("a name of more than ten bytes");
  EXPECT_THAT([&] { read(model, options); }, Fails("E0602", HasSubstr("29 bytes")));
}

TEST(Reader, FunctionsMustNotCallThemselves) {  // C12
  onnx::ModelProto model = proto();
  const auto add = [&](const std::string& name, const std::string& calls) {
    onnx::FunctionProto& function = *model.add_functions();
    function.set_name(name);
    function.set_domain("own");
    onnx::NodeProto& node = *function.add_node();
    node.set_op_type(calls);
    node.set_domain("own");
  };
  add("f", "g");
  add("g", "h");
  EXPECT_EQ(read(model).functions.size(), 2U);
  add("h", "f");
  EXPECT_THAT([&] { read(model); },
              Fails("E0315", HasSubstr("own::f -> own::g -> own::h -> own::f")));
  model.clear_functions();
  add("f", "g");
  add("f", "g");
  EXPECT_THAT([&] { read(model); }, Fails("E0315", HasSubstr("declared twice")));
}

TEST(ReadModel, SaysWhichFile) {
  const test::TemporaryFolder folder;
  EXPECT_THAT([&] { (void)read_model(folder / "none.onnx"); },
              Fails("E0201", HasSubstr("none.onnx")));
  EXPECT_THAT([&] { (void)read_model(folder.path()); }, Fails("E0202"));
  write_file(folder / "empty.onnx", "");
  EXPECT_THAT([&] { (void)read_model(folder / "empty.onnx"); },
              Fails("E0301", HasSubstr("empty.onnx")));
  EXPECT_THAT([] { (void)read_model("/dev/zero"); }, Fails("E0202"));  // A19
}

TEST(ReadModel, FilesOverProtobufsLimitAreRefused) {  // A18
  const test::TemporaryFolder folder;
  write_file(folder / "huge.onnx", test::parse_to_bytes(kSmall));
  std::filesystem::resize_file(folder / "huge.onnx", std::uintmax_t{1} << 31);  // a hole
  EXPECT_THAT([&] { (void)read_model(folder / "huge.onnx"); },
              Fails("E0303", HasSubstr("protobuf's limit")));
}

TEST(ReadModel, SharesTheFilesBytes) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const auto path = shared / "models/minilm-l6-sst2/model.onnx";
  const auto before = std::filesystem::file_size(path);
  const Model model = read_model(path);
  std::size_t weights = 0;
  for (const ValueId id : model.graph.values()) {
    if (const Tensor* t = model.graph.constant(id)) weights += t->bytes().size();
  }
  EXPECT_GT(weights, before * 9 / 10);
  EXPECT_LT(weights, before);
}

}  // namespace
}  // namespace onnxpress
