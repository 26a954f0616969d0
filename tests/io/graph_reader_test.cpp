// SPDX-License-Identifier: Apache-2.0
#include "io/graph_reader.h"

#include "fixtures.h"
#include "io/wire.h"

namespace onnxpress {
namespace {

using test::Fails;
using test::parse;
using test::proto;
using test::read;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(GraphReader, CyclesAreNamed) {  // C1
  EXPECT_THAT([] { parse("g (float x) => (float y) { y = Add(x, z)  z = Relu(y) }"); },
              Fails("E0315", AllOf(HasSubstr("cycle"), HasSubstr("Add"), HasSubstr("Relu"))));
  EXPECT_THAT([] { parse("g (float x) => (float y) { y = Add(x, y) }"); },
              Fails("E0315", HasSubstr("cycle")));
}

TEST(GraphReader, CyclesThroughABodyAreNamed) {  // C1
  EXPECT_THAT(
      [] {
        parse(R"(g (bool c) => (float y) {
          y = If <then_branch = t () => (float a) { a = Relu(z) },
                  else_branch = e () => (float b) { b = Constant <value = float {1}> () }> (c)
          z = Neg(y)
        })");
      },
      Fails("E0315", AllOf(HasSubstr("cycle"), HasSubstr("If"), HasSubstr("Neg"))));
}

TEST(GraphReader, UnsortedNodesAreAnErrorThatCanBeFixed) {  // C2
  const std::string bytes =
      test::parse_to_bytes("g (float x) => (float y) { y = Relu(b)  b = Neg(a)  a = Exp(x) }");
  EXPECT_THAT([&] { read(bytes); },
              Fails("E0315", AllOf(HasSubstr("Relu"), HasSubstr("\"b\""), HasSubstr("Neg"))));
  ReadOptions options;
  options.fix_order = true;
  const Model m = read(bytes, options);
  EXPECT_EQ(m.graph.node(m.graph.nodes()[0]).op_type, "Exp");
  EXPECT_EQ(m.graph.node(m.graph.nodes()[2]).op_type, "Relu");
}

TEST(GraphReader, EverythingThatIsReadIsProduced) {  // C3, C5
  EXPECT_THAT([] { parse("g (float x) => (float y) { y = Add(x, nowhere) }"); },
              Fails("E0315", HasSubstr("\"nowhere\", which nothing produces")));
  EXPECT_THAT([] { parse("g (float x) => (float z) { y = Relu(x) }"); },
              Fails("E0315", HasSubstr("output \"z\" is never produced")));
}

TEST(GraphReader, InputsAndOutputsMayBeLeftOut) {  // C3
  onnx::ModelProto model = proto("g (float[4] x) => (float[4] y) { y = Clip(x) }");
  auto* node = model.mutable_graph()->mutable_node(0);
  node->add_input("");
  node->add_input("x");
  node->add_output("");
  const Model m = read(model);
  const Node& n = m.graph.node(m.graph.nodes()[0]);
  EXPECT_EQ(n.inputs.size(), 3U);
  EXPECT_EQ(n.inputs[1], kNoValue);
  EXPECT_EQ(n.outputs[1], kNoValue);
}

TEST(GraphReader, NamesHaveOneDefinition) {  // C4
  EXPECT_THAT([] { parse("g (float x) => (float y) { y = Relu(x)  y = Neg(x) }"); },
              Fails("E0315", HasSubstr("\"y\" is defined twice")));
  EXPECT_THAT([] { parse("g (float x) => (float x) { x = Relu(x) }"); }, Fails("E0315"));
  onnx::ModelProto model = proto();
  *model.mutable_graph()->add_output() = model.graph().output(0);
  EXPECT_THAT([&] { read(model); }, Fails("E0315", HasSubstr("output \"y\" occurs twice")));
  model = proto();
  *model.mutable_graph()->add_input() = model.graph().input(0);
  EXPECT_THAT([&] { read(model); }, Fails("E0315", HasSubstr("input \"x\" occurs twice")));
}

TEST(GraphReader, DomainsAreImported) {  // C8
  onnx::ModelProto model = proto();
  model.mutable_graph()->mutable_node(0)->set_domain("com.example");
  EXPECT_THAT([&] { read(model); }, Fails("E0315", HasSubstr("com.example")));
  model.add_opset_import()->set_domain("com.example");
  model.mutable_opset_import(1)->set_version(1);
  EXPECT_NO_THROW(read(model));
}

TEST(GraphReader, TheStandardDomainHasTwoSpellings) {
  onnx::ModelProto model = proto();
  model.mutable_graph()->mutable_node(0)->set_domain("ai.onnx");
  model.mutable_opset_import(0)->set_domain("ai.onnx");
  const Model m = read(model);
  EXPECT_TRUE(m.graph.node(m.graph.nodes()[0]).is("Add"));
  EXPECT_EQ(m.opset(), 18);
}

TEST(GraphReader, NulInNamesIsRefused) {  // A16
  onnx::ModelProto model = proto();
  model.mutable_graph()->mutable_node(0)->set_name(std::string("a\0b", 3));
  EXPECT_THAT([&] { read(model); }, Fails("E0315", HasSubstr("NUL")));
}

TEST(GraphReader, NamesNeedNotBeUtf8) {  // A16
  onnx::ModelProto model = proto();
  model.mutable_graph()->mutable_node(0)->set_name("\xff\x1b[31m");
  const Model m = read(model);
  EXPECT_EQ(m.graph.node(m.graph.nodes()[0]).name, "\xff\x1b[31m");
}

TEST(GraphReader, AnInitializerMayBeADefaultOfAnInput) {  // C16
  onnx::ModelProto model = proto("g (float[2] x, float[2] w) => (float[2] y) { y = Add(x, w) }");
  *model.mutable_graph()->add_initializer() = proto().graph().initializer(0);
  Model m = read(model);
  EXPECT_EQ(m.graph.inputs().size(), 2U);
  EXPECT_TRUE(m.graph.value(m.graph.inputs()[1]).constant.has_value());
  EXPECT_EQ(m.graph.constant(m.graph.inputs()[1]), nullptr);
  model.set_ir_version(3);  // where initializers had to be inputs, they are constants
  m = read(model);
  EXPECT_EQ(m.graph.inputs().size(), 1U);
  EXPECT_NE(m.graph.constant(*m.graph.find_value("w")), nullptr);
}

TEST(GraphReader, GraphsMayBeEmpty) {  // C14
  EXPECT_EQ(parse("g (float x) => (float x) { }").graph.outputs().size(), 1U);
  EXPECT_EQ(parse("g () => () { }").graph.nodes().size(), 0U);
}

constexpr const char* kNested = R"(g (bool c, float[2] x) => (float[2] y) <float[2] w = {1, 2}> {
  s = Add(x, w)
  y = If <
    then_branch = t () => (float[2] a) {
      a = If <
        then_branch = tt () => (float[2] aa) { aa = Mul(w, s) },
        else_branch = te () => (float[2] ab) { ab = Identity(x) }
      > (c)
    },
    else_branch = e () => (float[2] b) { b = Neg(s) }
  > (c)
})";

TEST(GraphReader, BodiesCaptureWhatTheyRead) {  // C10
  const Model m = parse(kNested);
  const Graph& g = m.graph;
  const Node& outer = g.node(g.nodes()[1]);
  std::vector<std::string> names;
  for (const ValueId id : outer.captures) names.push_back(g.value(id).name);
  EXPECT_THAT(names, ::testing::ElementsAre("c", "w", "s", "x", "s"));
  EXPECT_EQ(g.value(*g.find_value("s")).uses.size(), 2U);
  const Graph& then_branch =
      std::get<Subgraph>(outer.attributes.find("then_branch")->value).graph();
  EXPECT_EQ(then_branch.captures().size(), 4U);
  const Node& inner = then_branch.node(then_branch.nodes()[0]);
  ASSERT_EQ(inner.captures.size(), 3U);
  EXPECT_EQ(then_branch.value(inner.captures[0]).name, "w");
  EXPECT_TRUE(then_branch.value(inner.captures[0]).is_capture);
  g.verify();
}

TEST(GraphReader, ABodyMustNotHideWhatItReads) {  // C11
  EXPECT_THAT(
      [] {
        parse(R"(g (bool c, float x) => (float y) {
          y = If <then_branch = t () => (float x) { a = Neg(x)  x = Relu(a) },
                  else_branch = e () => (float b) { b = Neg(x) }> (c)
        })");
      },
      Fails("E0315", HasSubstr("hides \"x\"")));
}

// `depth` If nodes, one in the other.
std::string nested(int depth) {
  onnx::ModelProto model = proto("g (bool c) => (bool y) { y = If(c) }");
  std::string body = proto("b () => (bool z) { z = Identity(c) }").graph().SerializeAsString();
  const auto wrap = [&](const std::string& name) {
    std::string node;
    io::put_text(node, 1, "c");
    io::put_text(node, 2, name);
    io::put_text(node, 4, "If");
    std::string attribute;
    io::put_text(attribute, 1, "then_branch");
    io::put_text(attribute, 6, body);
    io::put_int(attribute, 20, 5);
    io::put_text(node, 5, attribute);
    return node;
  };
  for (int i = 1; i < depth; ++i) {
    std::string graph;
    io::put_text(graph, 1, wrap("z"));
    std::string output;
    io::put_text(output, 1, "z");
    io::put_text(graph, 12, output);
    body = graph;
  }
  std::string graph;
  io::put_text(graph, 1, wrap("y"));
  for (const auto& input : model.graph().input())
    io::put_text(graph, 11, input.SerializeAsString());
  for (const auto& output : model.graph().output())
    io::put_text(graph, 12, output.SerializeAsString());
  model.clear_graph();
  std::string bytes = model.SerializeAsString();
  io::put_text(bytes, 7, graph);
  return bytes;
}

TEST(GraphReader, BodiesNestUpToThirtyTwo) {  // A11
  EXPECT_NO_THROW(read(nested(32)));
  for (const int depth : {33, 34, 100, 2000}) {
    EXPECT_THAT([&] { read(nested(depth)); }, Fails("E0315", HasSubstr("subgraph depth")));
  }
}

TEST(GraphReader, AttributesHaveOneValueOfTheirType) {  // C18
  const auto bent = [](auto bend) {
    onnx::ModelProto model = proto("g (float x) => (float y) { y = Elu <alpha = 0.5> (x) }");
    bend(*model.mutable_graph()->mutable_node(0));
    return model;
  };
  EXPECT_THAT(
      [&] {
        read(bent([](auto& n) { n.mutable_attribute(0)->set_type(onnx::AttributeProto::INT); }));
      },
      Fails("E0316", HasSubstr("declared type 2 but its value is in field 2")));
  EXPECT_THAT([&] { read(bent([](auto& n) { n.mutable_attribute(0)->set_i(1); })); },
              Fails("E0316", HasSubstr("several types")));
  EXPECT_THAT([&] { read(bent([](auto& n) { *n.add_attribute() = n.attribute(0); })); },
              Fails("E0316", HasSubstr("twice")));
  // Files from before types were recorded.
  const Model m = read(bent([](auto& n) { n.mutable_attribute(0)->clear_type(); }));
  EXPECT_EQ(m.graph.node(m.graph.nodes()[0]).attributes.get_float("alpha", 0), 0.5F);
}

}  // namespace
}  // namespace onnxpress
