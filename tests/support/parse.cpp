// SPDX-License-Identifier: Apache-2.0
#include "support/parse.h"

#define ONNX_ML 1
#define ONNX_NAMESPACE onnx
#include <onnx/defs/parser.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>

#include "io/reader.h"

namespace onnxpress::test {
namespace {

template <class Message>
void parse_into(std::string_view onnx_text, Message& message) {
  const std::string text(onnx_text);
  onnx::OnnxParser parser(text.c_str());
  const auto status = parser.Parse(message);
  if (!status.IsOK()) throw std::invalid_argument(status.ErrorMessage());
}

}  // namespace

std::string parse_to_bytes(std::string_view onnx_text) {
  onnx::ModelProto model;
  const auto start = onnx_text.find_first_not_of(" \t\r\n");
  if (start != std::string_view::npos && onnx_text[start] == '<') {
    parse_into(onnx_text, model);
  } else {
    parse_into(onnx_text, *model.mutable_graph());
    model.set_ir_version(8);
    model.add_opset_import()->set_version(18);
  }
  return model.SerializeAsString();
}

Model parse(std::string_view onnx_text) {
  const auto bytes = std::make_shared<const std::string>(parse_to_bytes(onnx_text));
  return parse_model(std::as_bytes(std::span(*bytes)), bytes);
}

std::vector<std::string> op_types(const Graph& graph) {
  std::vector<std::string> types;
  for (const NodeId id : graph.nodes()) types.push_back(graph.node(id).op_type);
  std::sort(types.begin(), types.end());
  return types;
}

}  // namespace onnxpress::test
