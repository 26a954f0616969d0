// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <sstream>
#include <string>

#include "exec/session.h"

namespace onnxpress::test {

// How many nodes of each operator a session runs; fused ones without their domain.
inline std::map<std::string, int> operator_counts(const Session& session) {
  std::map<std::string, int> counts;
  std::istringstream lines(session.describe());
  for (std::string line; std::getline(lines, line);) {
    const std::string op = line.substr(0, line.find(' '));
    ++counts[op.substr(op.rfind('.') + 1)];
  }
  return counts;
}

}  // namespace onnxpress::test
