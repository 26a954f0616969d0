// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "command.h"

namespace onnxpress::cli {

std::unique_ptr<Command> add_sensitivity(CLI::App& program);

}  // namespace onnxpress::cli
