// SPDX-License-Identifier: Apache-2.0
#include "exec/input_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error_codes.h"

namespace onnxpress::exec {
namespace {

void check_input(const PortInfo& port, const Tensor& tensor) {
  const auto mismatch = [&](const std::string& should, const std::string& is) {
    return Error(codes::shape_mismatch,
                 fmt::format("input \"{}\" must be {} but is {}", port.name, should, is));
  };
  if (port.dtype != DType::undefined && tensor.dtype() != port.dtype) {
    throw mismatch("of type " + name(port.dtype), "of type " + name(tensor.dtype()));
  }
  if (!port.shape) return;
  const Shape& shape = *port.shape;
  const bool same_rank = shape.size() == tensor.dims().size();
  bool fits = same_rank;
  for (std::size_t i = 0; fits && i < shape.size(); ++i) {
    fits = !shape[i].known() || shape[i].size == tensor.dims()[i];
  }
  if (!fits) throw mismatch("of shape " + to_string(shape), to_string(tensor.dims()));
}

}  // namespace

std::vector<const Tensor*> match_inputs(const std::vector<PortInfo>& ports,
                                        const TensorMap& given) {
  std::vector<const Tensor*> matched;
  std::size_t used = 0;
  for (const PortInfo& port : ports) {
    const auto found = given.find(port.name);
    if (found == given.end()) {
      if (!port.optional) {
        throw Error(codes::missing_input,
                    fmt::format("the model's input \"{}\" ({} {}) is not given", port.name,
                                name(port.dtype), port.shape ? to_string(*port.shape) : "?"));
      }
      matched.push_back(nullptr);
      continue;
    }
    check_input(port, found->second);
    matched.push_back(&found->second);
    ++used;
  }
  if (used == given.size()) return matched;
  for (const auto& [key, tensor] : given) {
    if (std::ranges::find(ports, key, &PortInfo::name) != ports.end()) continue;
    std::vector<std::string> names;
    for (const PortInfo& port : ports) names.push_back(fmt::format("\"{}\"", port.name));
    throw Error(codes::missing_input, fmt::format("the model has no input \"{}\"; it has {}", key,
                                                  fmt::join(names, ", ")));
  }
  return matched;
}

}  // namespace onnxpress::exec
