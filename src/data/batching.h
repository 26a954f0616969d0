// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/input_spec.h"
#include "ir/tensor.h"

namespace onnxpress {

// What a model is fed with at once. Row r of every input belongs to sample samples[r]; rows beyond
// samples.size() repeat the last one to fill a model whose batch size is fixed, and don't count.
struct Batch {
  std::map<std::string, Tensor, std::less<>> inputs;
  std::vector<std::size_t> samples;       // indices into the data set
  std::vector<std::size_t> lengths;       // tokens of each sample; the rest of the row is padding
  std::vector<std::int32_t> next_tokens;  // the target of a window's last token; -1: it has none
};

// Which samples go together: sorted by length (stable), so that little is padded; `batch_size` a
// batch, or what the model's inputs fix.
[[nodiscard]] std::vector<std::vector<std::size_t>> plan_batches(const Dataset& data,
                                                                 std::span<const InputSpec> inputs,
                                                                 std::size_t batch_size);

// One batch of these samples. Text is padded on the right to its longest sample, or to the model's
// fixed length. input_ids, attention_mask, token_type_ids and position_ids are made from the
// tokens; arrays go to the inputs of their name; a model with one input takes the only array
// whatever its name. Throws Error: missing_input, naming what the model asks for and what the data
// have; bad_data where types or sizes do not fit.
[[nodiscard]] Batch make_batch(const Dataset& data, std::span<const InputSpec> inputs,
                               std::span<const std::size_t> samples);

// All of them: make_batch over plan_batches.
[[nodiscard]] std::vector<Batch> make_batches(const Dataset& data,
                                              std::span<const InputSpec> inputs,
                                              std::size_t batch_size);

}  // namespace onnxpress
