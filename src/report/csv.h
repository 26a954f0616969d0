// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "onnxpress/document.h"

namespace onnxpress {

// Every measured figure in a row of its own: model,metric,value,low,high,n,unit.
[[nodiscard]] std::string to_csv(const Document& document);

}  // namespace onnxpress
