// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"

namespace onnxpress {

enum class Severity { error, warning, info };

// Something a reader of the model should know.
struct Finding {
  Severity severity = Severity::error;
  std::string where;    // "node \"/layer/MatMul\" (MatMul)", or empty for the whole model
  std::string message;  // what should hold and what is there
  friend bool operator==(const Finding&, const Finding&) = default;
};

// Compares the nodes of a model (bodies included) with the definitions of ONNX's operators: unknown
// operators, numbers of inputs and outputs, attributes that are missing, unknown or of the wrong
// type; and the versions the model names. What the definitions at hand are too old to know is a
// finding of severity `info`. Never throws for what a model holds.
[[nodiscard]] std::vector<Finding> check_model(const Model& model);

}  // namespace onnxpress
