// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "onnxpress/document.h"
#include "onnxpress/error.h"

// What this build of onnxpress is and can do.
namespace onnxpress {

[[nodiscard]] std::string version();  // "0.1.0"
[[nodiscard]] std::string commit();   // of the source, or "unknown"

// The passes (all, or the one of that name) and presets, with their options. Throws Error
// (unknown_name).
[[nodiscard]] Document list_passes(const std::string& name = {});
[[nodiscard]] std::string default_preset();

// The machine, the libraries, and whether arithmetic comes out right here.
[[nodiscard]] Document doctor();

// The row of the table of errors with that id ("E0312", in any case); nothing where there is none.
[[nodiscard]] std::optional<ErrorCode> find_error(std::string_view id);
[[nodiscard]] std::vector<ErrorCode> all_errors();

}  // namespace onnxpress
