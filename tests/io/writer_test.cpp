// SPDX-License-Identifier: Apache-2.0
#include "io/writer.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <optional>

#include "fixtures.h"
#include "io/wire.h"

namespace onnxpress {
namespace {

namespace fs = std::filesystem;
using test::Fails;
using test::parse;
using test::proto;
using test::read;
using test::read_file;
using test::write_file;
using test::written;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

Model small() {
  return parse("g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }");
}

// A model with a weight of that many floats.
Model large(std::int64_t size, float value = 0.5F) {
  Model m = small();
  const ValueId w = m.graph.add_constant(
      "large",
      Tensor::of<float>({size}, std::vector<float>(static_cast<std::size_t>(size), value)));
  const ValueId y = m.graph.add("Add", {m.graph.inputs()[0], w}, {}, "z");
  m.graph.add_output(y);
  return m;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

TEST(Writer, PublishesAWholeFileAndNothingElse) {
  const test::TemporaryFolder folder;
  StagedModel staged = stage_model(small(), folder / "m.onnx");
  EXPECT_FALSE(fs::exists(folder / "m.onnx"));
  EXPECT_EQ(read_model(staged.path()).graph.nodes().size(), 1U);
  const auto bytes = staged.bytes();
  std::move(staged).publish();
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"m.onnx"});
  EXPECT_EQ(static_cast<std::int64_t>(fs::file_size(folder / "m.onnx")), bytes);
  EXPECT_EQ(bytes, serialized_size(small()));
}

TEST(Writer, AnUnpublishedModelLeavesNothing) {
  const test::TemporaryFolder folder;
  { const StagedModel staged = stage_model(small(), folder / "m.onnx"); }
  EXPECT_TRUE(names_in(folder.path()).empty());
}

TEST(Writer, LeftoversOfKilledProcessesGoAfterAnHour) {
  const test::TemporaryFolder folder;
  for (const char* name : {"m.onnx.tmp-old", "m.onnx.tmp-new", "other.onnx.tmp-old"}) {
    fs::create_directory(folder / name);
    write_file(folder / name / "m.onnx", "half");
    if (std::string_view(name).ends_with("old")) {
      fs::last_write_time(folder / name, fs::file_time_type::clock::now() - std::chrono::hours(2));
    }
  }
  stage_model(small(), folder / "m.onnx").publish();
  EXPECT_EQ(names_in(folder.path()),
            (std::vector<std::string>{"m.onnx", "m.onnx.tmp-new", "other.onnx.tmp-old"}));
}

TEST(Writer, ADataFileOfAnotherModelIsNotReplaced) {
  const test::TemporaryFolder folder;
  WriteOptions options;
  options.external = ExternalData::always;
  options.force = true;
  StagedModel staged = stage_model(large(4096), folder / "m.onnx", options);
  const fs::path data = staged.data_path();
  write_file(data, "something else");
  EXPECT_THAT([&] { std::move(staged).publish(); }, Fails("E0204"));
  EXPECT_EQ(read_file(data), "something else");
  EXPECT_FALSE(fs::exists(folder / "m.onnx"));
}

TEST(Writer, SignalHandlersCanRemoveWhatIsStaged) {
  const test::TemporaryFolder folder;
  WriteOptions options;
  options.external = ExternalData::always;
  const StagedModel staged = stage_model(large(4096), folder / "m.onnx", options);
  EXPECT_EQ(names_in(folder.path()).size(), 1U);
  remove_staged_files();
  EXPECT_TRUE(names_in(folder.path()).empty());
}

TEST(Writer, NeverReplacesUnasked) {  // I1
  const test::TemporaryFolder folder;
  write_file(folder / "m.onnx", "old");
  EXPECT_THAT([&] { (void)stage_model(small(), folder / "m.onnx"); }, Fails("E0204"));
  fs::remove(folder / "m.onnx");
  StagedModel staged = stage_model(small(), folder / "m.onnx");
  write_file(folder / "m.onnx", "came in between");
  EXPECT_THAT([&] { std::move(staged).publish(); }, Fails("E0204"));
  EXPECT_EQ(read_file(folder / "m.onnx"), "came in between");
  EXPECT_EQ(names_in(folder.path()).size(), 1U);
}

TEST(Writer, ReplacesWithForceAndKeepsThePermissions) {  // I12
  const test::TemporaryFolder folder;
  write_file(folder / "m.onnx", "old");
  fs::permissions(folder / "m.onnx", fs::perms(0640));
  WriteOptions options;
  options.force = true;
  stage_model(small(), folder / "m.onnx", options).publish();
  EXPECT_EQ(fs::status(folder / "m.onnx").permissions(), fs::perms(0640));
  EXPECT_EQ(read_model(folder / "m.onnx").graph.nodes().size(), 1U);
}

TEST(Writer, NewFilesFollowTheUmask) {  // I12
  const test::TemporaryFolder folder;
  const mode_t before = ::umask(027);
  stage_model(small(), folder / "m.onnx").publish();
  ::umask(before);
  EXPECT_EQ(fs::status(folder / "m.onnx").permissions(), fs::perms(0640));
}

TEST(Writer, AnInputIsNeverTheOutput) {  // I2
  const test::TemporaryFolder folder;
  stage_model(small(), folder / "in.onnx").publish();
  const std::string before = read_file(folder / "in.onnx");
  fs::create_symlink("in.onnx", folder / "soft.onnx");
  fs::create_hard_link(folder / "in.onnx", folder / "hard.onnx");
  WriteOptions options;
  options.protected_inputs = {folder / "in.onnx"};
  for (const bool force : {false, true}) {
    options.force = force;
    for (const char* name : {"in.onnx", "./in.onnx", "soft.onnx", "hard.onnx"}) {
      EXPECT_THAT([&] { (void)stage_model(small(), folder / name, options); }, Fails("E0005"));
    }
  }
  EXPECT_EQ(read_file(folder / "in.onnx"), before);
}

TEST(Writer, DestinationsThatCannotBeAreRefusedAtOnce) {  // I3, I4, I5
  const test::TemporaryFolder folder;
  EXPECT_THAT([&] { check_destination(folder / "none/m.onnx", {}); },
              Fails("E0201", HasSubstr("does not exist")));
  EXPECT_THAT([&] { check_destination(folder.path(), {}); }, Fails("E0202"));
  EXPECT_THAT([&] { check_destination("/dev/null", {}); }, Fails("E0202"));
  EXPECT_THAT([&] { (void)stage_model(small(), "/proc/m.onnx"); }, Fails("E0206"));
}

TEST(Writer, ALinkIsFollowedToWhatItPointsTo) {  // I5
  const test::TemporaryFolder folder;
  fs::create_symlink("real.onnx", folder / "link.onnx");
  stage_model(small(), folder / "link.onnx").publish();
  EXPECT_TRUE(fs::is_symlink(folder / "link.onnx"));
  EXPECT_TRUE(fs::is_regular_file(folder / "real.onnx"));
}

// Runs `body` in a child process and returns the id of the error it ended with.
std::string error_in_child(const std::function<void()>& body) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return "pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string id = "none";
    try {
      body();
    } catch (const Error& error) {
      id = error.code();
    } catch (...) {
      id = "other";
    }
    if (::write(pipe[1], id.data(), id.size()) < 0) ::_exit(1);
    ::_exit(0);
  }
  ::close(pipe[1]);
  std::array<char, 16> buffer{};
  const auto size = ::read(pipe[0], buffer.data(), buffer.size());
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return {buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
}

TEST(Writer, AFullDiskLosesNothing) {  // I6, by the limit on file sizes
  const test::TemporaryFolder folder;
  write_file(folder / "m.onnx", "old");
  const Model model = large(100'000);
  const std::string error = error_in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{64 << 10, 64 << 10};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    WriteOptions options;
    options.force = true;
    (void)stage_model(model, folder / "m.onnx", options);
  });
  EXPECT_EQ(error, "E0206");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"m.onnx"});
  EXPECT_EQ(read_file(folder / "m.onnx"), "old");
}

TEST(Writer, TheSameModelGivesTheSameBytes) {
  const test::TemporaryFolder folder;
  WriteOptions options;
  for (const ExternalData external : {ExternalData::never, ExternalData::always}) {
    options.external = external;
    std::vector<std::string> contents;
    for (const char* name : {"a", "b"}) {
      fs::create_directory(folder / name);
      stage_model(large(5000), folder / name / "m.onnx", options).publish();
      for (const std::string& file : names_in(folder / name))
        contents.push_back(file + read_file(folder / name / file));
    }
    const auto half = std::ssize(contents) / 2;
    EXPECT_TRUE(std::equal(contents.begin(), contents.begin() + half, contents.begin() + half));
    fs::remove_all(folder / "a");
    fs::remove_all(folder / "b");
  }
}

TEST(Writer, DataFilesAreCalledAfterTheirContents) {
  const test::TemporaryFolder folder;
  WriteOptions options;
  options.external = ExternalData::always;
  Model model = large(100'000);
  model.graph.add_output(model.graph.add(
      "Neg",
      {model.graph.add_constant("tied", *model.graph.constant(*model.graph.find_value("large")))},
      {}, "n"));
  StagedModel staged = stage_model(model, folder / "m.onnx", options);
  const fs::path data = staged.data_path();
  EXPECT_THAT(data.filename().string(), ::testing::MatchesRegex("m\\.[0-9a-f]+\\.onnx_data"));
  EXPECT_EQ(staged.bytes(), serialized_size(model, options, "m.onnx"));
  EXPECT_NO_THROW((void)read_model(staged.path()));
  std::move(staged).publish();
  EXPECT_EQ(names_in(folder.path()).size(), 2U);
  EXPECT_EQ(fs::file_size(data), 400'000U);  // stored once, on a page border
  const Model back = read_model(folder / "m.onnx");
  EXPECT_EQ(*back.graph.constant(*back.graph.find_value("tied")),
            *model.graph.constant(*model.graph.find_value("large")));

  options.force = true;  // the same again finds its data file there
  stage_model(model, folder / "m.onnx", options).publish();
  EXPECT_EQ(names_in(folder.path()).size(), 2U);
  stage_model(large(100'000, 0.25F), folder / "m.onnx", options).publish();
  EXPECT_EQ(names_in(folder.path()).size(), 3U);
  EXPECT_NO_THROW((void)read_model(folder / "m.onnx"));
}

TEST(Writer, SmallModelsNeedNoDataFile) {
  const test::TemporaryFolder folder;
  WriteOptions options;
  options.external = ExternalData::always;
  EXPECT_TRUE(stage_model(small(), folder / "m.onnx", options).data_path().empty());
}

TEST(Writer, UnknownFieldsSurviveByteForByte) {  // A15
  onnx::ModelProto model = proto(
      "g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { t = Elu<alpha = 0.5>(x)  y = Add(t, "
      "w) }");
  int next = 1;
  const auto mark = [&](auto* message) {
    message->GetReflection()->MutableUnknownFields(message)->AddLengthDelimited(
        1023, "unknown field number " + std::to_string(next++));
  };
  auto* graph = model.mutable_graph();
  mark(&model);
  mark(graph);
  mark(graph->mutable_node(0));
  mark(graph->mutable_node(0)->mutable_attribute(0));
  mark(graph->mutable_initializer(0));
  mark(graph->mutable_input(0));
  const std::string bytes = written(read(model));
  for (int i = 1; i < next; ++i)
    EXPECT_THAT(bytes, HasSubstr("unknown field number " + std::to_string(i))) << i;
  onnx::ModelProto back;
  ASSERT_TRUE(back.ParseFromString(bytes));
  EXPECT_EQ(back.GetReflection()->GetUnknownFields(back).field_count(), 1);
}

TEST(Writer, DocumentationOfTensorsAndAttributesSurvives) {
  onnx::ModelProto model = proto(
      "g (float[2] x) => (float[2] y) { c = Constant <value = float[2] {1, 2}> ()  y = Add(x, c) "
      "}");
  auto* attribute = model.mutable_graph()->mutable_node(0)->mutable_attribute(0);
  attribute->set_doc_string("of the attribute");
  attribute->mutable_t()->set_name("name of the tensor");
  attribute->mutable_t()->set_doc_string("of the tensor");
  onnx::ModelProto back;
  ASSERT_TRUE(back.ParseFromString(written(read(model))));
  const auto& kept = back.graph().node(0).attribute(0);
  EXPECT_EQ(kept.doc_string(), "of the attribute");
  EXPECT_EQ(kept.t().name(), "name of the tensor");
  EXPECT_EQ(kept.t().doc_string(), "of the tensor");
}

TEST(Writer, ExportersNotesAreDroppedUnlessTheyAreWanted) {
  onnx::ModelProto model = proto();
  auto* node = model.mutable_graph()->mutable_node(0);
  node->set_doc_string("/usr/lib/python3/modeling_bert.py(97): forward\n");
  std::string bytes = model.SerializeAsString();
  Model m = read(model);
  m.graph.mutable_node(m.graph.nodes()[0]).metadata = {
      {"namespace", "model/encoder"}, {"pkg.torch.onnx.stack_trace", "File x"}, {"author", "me"}};
  m.graph.mutable_node(m.graph.nodes()[0]).doc_string = node->doc_string();
  const std::string lean = written(m);
  EXPECT_THAT(lean, Not(HasSubstr("modeling_bert")));
  EXPECT_THAT(lean, Not(HasSubstr("stack_trace")));
  EXPECT_THAT(lean, Not(HasSubstr("model/encoder")));
  EXPECT_THAT(lean, HasSubstr("author"));
  WriteOptions options;
  options.keep_metadata = true;
  const std::string full = written(m, options);
  for (const char* part : {"modeling_bert", "stack_trace", "model/encoder", "author"})
    EXPECT_THAT(full, HasSubstr(part));
  EXPECT_EQ(serialized_size(m, options), std::ssize(full));
  EXPECT_EQ(serialized_size(m), std::ssize(lean));
}

TEST(Writer, TheSpellingOfTheStandardDomainSurvives) {
  onnx::ModelProto model = proto();
  model.mutable_graph()->mutable_node(0)->set_domain("ai.onnx");
  onnx::ModelProto back;
  ASSERT_TRUE(back.ParseFromString(written(read(model))));
  EXPECT_EQ(back.graph().node(0).domain(), "ai.onnx");
}

TEST(Writer, ConstantsThatAreNoInputsNeedIrVersionFour) {
  onnx::ModelProto model = proto("g (float[2] x, float[2] w) => (float[2] y) { y = Add(x, w) }");
  *model.mutable_graph()->add_initializer() = proto().graph().initializer(0);
  model.set_ir_version(3);
  onnx::ModelProto back;
  ASSERT_TRUE(back.ParseFromString(written(read(model))));
  EXPECT_EQ(back.ir_version(), 4);
  EXPECT_EQ(back.graph().input_size(), 1);
}

TEST(Writer, BodiesFollowWhatBecameOfTheirCaptures) {  // C10
  Model m = parse(R"(g (bool c, float[2] x) => (float[2] y) {
    s = Neg(x)
    y = If <then_branch = t () => (float[2] a) { fresh = Relu(s)  a = Neg(fresh) },
            else_branch = e () => (float[2] b) { b = Exp(s) }> (c)
  })");
  Graph& g = m.graph;
  const ValueId fresh = g.add("Abs", {g.inputs()[1]}, {}, "fresh");
  g.replace_all_uses(*g.find_value("s"), fresh);
  g.sort();
  const Model back = read(written(m));
  const Graph& read_back = back.graph;
  const Node& choice = *read_back.producer(read_back.outputs()[0]);
  ASSERT_EQ(choice.captures.size(), 2U);
  EXPECT_EQ(read_back.producer(choice.captures[0])->op_type, "Abs");
  // The body had a value of that name, too: it gave way.
  const Graph& body = std::get<Subgraph>(choice.attributes.find("then_branch")->value).graph();
  EXPECT_EQ(body.producer(body.outputs()[0])->op_type, "Neg");
  EXPECT_EQ(body.producer(body.producer(body.outputs()[0])->inputs[0])->op_type, "Relu");
}

}  // namespace
}  // namespace onnxpress
