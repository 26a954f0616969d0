// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "passes/registry.h"
#include "passes/vocabulary_cut.h"

namespace onnxpress {

// Tokens that a corpus does not need go, with their rows and logits.
[[nodiscard]] PassInfo prune_vocabulary_info();

// What the options of the pass say; for writing the new vocabulary beside the model. Throws Error
// (missing_data) where corpus or tokenizer are not given.
[[nodiscard]] VocabularyCutOptions vocabulary_cut_options(const OptionValues& values);

}  // namespace onnxpress
