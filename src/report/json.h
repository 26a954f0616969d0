// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "onnxpress/document.h"

namespace onnxpress {

// The version of the JSON document: the major number changes when something is taken away or means
// something else.
inline constexpr const char* kDocumentSchema = "onnxpress.run/1.0";

// The document as json_schema() describes it. Numbers that JSON can't hold are null, with a
// "status" of "nan", "inf" or "-inf" beside them. Bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] std::string to_json(const Document& document);

}  // namespace onnxpress
