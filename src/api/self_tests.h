// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "onnxpress/document.h"

namespace onnxpress::api {

// Products that the executor and oneDNN compute on this machine, compared with plain loops: float32
// to rounding, integers exactly. One that oneDNN gets wrong but the executor does not use is no
// failure; its detail says so.
[[nodiscard]] std::vector<SelfTest> run_self_tests();

}  // namespace onnxpress::api
