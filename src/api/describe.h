// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "api/request.h"

namespace onnxpress::api {

// What is in the model. With `explain` also every product with its reasons.
[[nodiscard]] ModelDescription describe(const OpenedModel& opened, bool explain);

}  // namespace onnxpress::api
