// SPDX-License-Identifier: Apache-2.0
#include "io/checks.h"

#include "fixtures.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

using test::parse;
using test::proto;
using test::read;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

auto Says(Severity severity, const std::string& where, const std::string& message) {
  return Contains(AllOf(Field("severity", &Finding::severity, severity),
                        Field("where", &Finding::where, HasSubstr(where)),
                        Field("message", &Finding::message, HasSubstr(message))));
}

std::vector<Finding> check(const std::string& nodes, int opset = 17) {
  return check_model(parse("<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) +
                           "]> g (float[2, 2] x) => (float[2, 2] y) { " + nodes + " }"));
}

TEST(CheckModel, AGoodModelHasNoFindings) {
  EXPECT_THAT(check("t = Transpose <perm = [1, 0]> (x)  y = MatMul(x, t)"), IsEmpty());
}

TEST(CheckModel, NamesUnknownOperators) {
  EXPECT_THAT(check("y = Frobnicate(x)"),
              Says(Severity::error, "Frobnicate", "no operator of ai.onnx in opset 17"));
  EXPECT_THAT(check("y = LayerNormalization(x, x)", 16),
              Says(Severity::error, "LayerNormalization", "opset 16"));
}

TEST(CheckModel, CountsInputsAndOutputs) {
  EXPECT_THAT(check("y = MatMul(x)"),
              Says(Severity::error, "MatMul", "at least 2 input(s) but has 1"));
  EXPECT_THAT(check("y = Relu(x, x)"),
              Says(Severity::error, "Relu", "at most 1 input(s) but has 2"));
  EXPECT_THAT(check("y, z = Relu(x)"), Says(Severity::error, "Relu", "at most 1 output(s)"));
}

TEST(CheckModel, LooksAtAttributes) {
  EXPECT_THAT(check("y = Relu <speed = 3> (x)"),
              Says(Severity::error, "Relu", "unknown attribute \"speed\""));
  EXPECT_THAT(check("y = Elu <alpha = 1> (x)"),
              Says(Severity::error, "Elu", "should be FLOAT but is INT"));
  EXPECT_THAT(check("y = Cast(x)"), Says(Severity::error, "Cast", "lacks the attribute \"to\""));
}

TEST(CheckModel, NewerOpsetsAreForInformation) {
  const auto findings = check("y = Gelu(x)", 20);
  EXPECT_THAT(findings, Says(Severity::info, "", "opset 20 is newer"));
  EXPECT_THAT(findings, Says(Severity::info, "Gelu", "not checked"));
  EXPECT_THAT(check("y = Relu(x)", 9999), Says(Severity::info, "", "opset 9999"));
}

TEST(CheckModel, OtherDomainsAreCounted) {
  const Model m = parse(R"(<ir_version: 8, opset_import: ["" : 17, "com.example" : 1]>
    g (float[2] x) => (float[2] y) { a = com.example.Own(x)  y = com.example.Own(a) })");
  EXPECT_THAT(check_model(m), Says(Severity::info, "", "2 node(s) of domain \"com.example\""));
}

TEST(CheckModel, ComparesIrVersionAndOpset) {
  onnx::ModelProto model = proto("g (float x) => (float y) { y = Relu(x) }");
  model.mutable_opset_import(0)->set_version(17);
  model.set_ir_version(5);
  EXPECT_THAT(check_model(read(model)), Says(Severity::warning, "", "IR version 8"));
  model.set_ir_version(99);
  EXPECT_THAT(check_model(read(model)), Says(Severity::info, "", "IR version 99"));
}

TEST(CheckModel, LooksIntoBodies) {
  const Model m = parse(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float x) => (float y) {
      y = If <then_branch = t () => (float a) { a = Frobnicate(x) },
              else_branch = e () => (float b) { b = Neg(x) }> (c) })");
  EXPECT_THAT(check_model(m), Says(Severity::error, "Frobnicate", "no operator"));
}

TEST(CheckModel, MentionsWhatIsOdd) {
  onnx::ModelProto model = proto("g (bool[2] x, bool[2] w) => (bool[2] y) { y = And(x, w) }");
  model.mutable_opset_import(0)->set_version(17);
  auto* weight = model.mutable_graph()->add_initializer();
  weight->set_name("w");
  weight->set_data_type(9);
  weight->add_dims(2);
  weight->set_raw_data("\x02\x01");
  const auto findings = check_model(read(model));
  EXPECT_THAT(findings, Says(Severity::info, "\"w\"", "callers may override"));
  EXPECT_THAT(findings, Says(Severity::warning, "\"w\"", "other than 0 and 1"));
}

TEST(CheckModel, FindsNothingWrongWithRealModels) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  int models = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared / "models/zoo")) {
    if (entry.path().extension() != ".onnx") continue;
    ++models;
    for (const Finding& finding : check_model(read_model(entry.path())))
      EXPECT_EQ(finding.severity, Severity::info)
          << entry.path() << finding.where << finding.message;
  }
  EXPECT_GE(models, 27);
}

}  // namespace
}  // namespace onnxpress
