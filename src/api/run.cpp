// SPDX-License-Identifier: Apache-2.0
#include "onnxpress/run.h"

#include <fmt/format.h>

#include "api/request.h"
#include "base/error_codes.h"
#include "data/npz.h"

namespace onnxpress {

Document run(const RunRequest& request, const Control& control) {
  api::Recorder recorder("run", request.engine, control);
  Document& document = recorder.document;
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(request.output, error)) {
    for (const std::string* input : {&request.model, &request.data}) {
      if (fs::equivalent(request.output, *input, error)) {
        throw Error(codes::output_is_input,
                    fmt::format("the output {} is an input as well", request.output));
      }
    }
    if (!request.force) {
      throw Error(codes::output_exists, fmt::format("{} exists already", request.output));
    }
  }
  const api::OpenedModel model = api::open_model(request.model, request.reading);
  document.inputs.push_back(model.file);
  TensorMap inputs;
  for (NamedTensor& array : read_npz(request.data)) {
    inputs[array.name] = std::move(array.tensor);
  }
  std::vector<NamedTensor> outputs;
  recorder.stage("run", [&](const std::function<void(double)>&) -> std::string {
    const Session session(model.model, api::session_options(request.engine));
    TensorMap results = session.run(inputs);
    for (const PortInfo& port : session.outputs()) {
      const Tensor& tensor = results.at(port.name);
      outputs.push_back({port.name, tensor});
      document.tensors.push_back({port.name, name(tensor.dtype()), to_string(tensor.dims())});
    }
    return {};
  });
  write_npz(request.output, outputs);
  document.output = {request.output, {}, static_cast<std::int64_t>(fs::file_size(request.output))};
  document.published = true;
  return recorder.finish();
}

}  // namespace onnxpress
