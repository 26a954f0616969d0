// SPDX-License-Identifier: Apache-2.0
#include "stored_tensor.h"

#include <onnx/onnx_pb.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "io/reader.h"
#include "onnxpress/error.h"

namespace onnxpress::test {

// The project's own reader takes it as the only constant of a model.
std::optional<Tensor> read_stored_tensor(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(18);
  model.mutable_graph()->set_name("g");
  onnx::TensorProto& tensor = *model.mutable_graph()->add_initializer();
  if (!tensor.ParseFromString(bytes) || !tensor.has_data_type()) return std::nullopt;
  tensor.set_name("x");
  model.mutable_graph()->add_output()->set_name("x");
  const auto message = std::make_shared<const std::string>(model.SerializeAsString());
  try {
    const Model read = parse_model(std::as_bytes(std::span(*message)), message);
    const Tensor* constant = read.graph.constant(*read.graph.find_value("x"));
    if (constant->dtype() == DType::string) return std::nullopt;
    return *constant;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace onnxpress::test
