// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "data/tokenizers/tokenizer.h"

namespace onnxpress {

// The frame that a "post_processor" of a tokenizer.json describes. Throws Error (bad_tokenizer) for
// a kind that is not known, or a template that names a token it does not define.
[[nodiscard]] Frame make_frame(const nlohmann::json& description);

}  // namespace onnxpress
