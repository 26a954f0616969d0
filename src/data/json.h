// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "onnxpress/error.h"

namespace onnxpress {

// Parses JSON that comes from a file. Throws Error (`code`) that names `source` and the line if the
// text is not JSON or nested more than 128 deep.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, std::string_view source,
                                        const ErrorCode& code);

// The member of a JSON object that has to be a list, or an object. Throws Error (`code`).
[[nodiscard]] const nlohmann::json& list_member(const nlohmann::json& object, const char* name,
                                                const ErrorCode& code);
[[nodiscard]] const nlohmann::json& object_member(const nlohmann::json& object, const char* name,
                                                  const ErrorCode& code);

}  // namespace onnxpress
