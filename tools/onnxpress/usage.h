// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "command.h"

namespace onnxpress::cli {

// Errors E0001 (the command line can't be understood), E0002 (no such name), E0003 (bad value).
[[nodiscard]] Error usage_error(const std::string& message, const std::string& hint);
[[nodiscard]] Error unknown_name(const std::string& message, const std::string& hint);
[[nodiscard]] Error bad_value(const std::string& message, const std::string& hint);

// --json takes a file only if its name ends in .json, so that `--json model.onnx` still means the
// model: gives every --json its value.
[[nodiscard]] std::vector<std::string> with_json_values(std::vector<std::string> arguments);

// Whether the document belongs on stdout, told before anything else is understood: what is wrong
// with the command line is reported in that form, too.
[[nodiscard]] bool asks_for_json(std::span<const std::string> arguments);

// Parses the arguments of a verb. Throws Error (usage) for everything that is wrong with them;
// returns the text of --help if that was asked for, or "".
std::string parse_arguments(CLI::App& verb, std::vector<std::string> arguments);

}  // namespace onnxpress::cli
