// SPDX-License-Identifier: Apache-2.0
#include "calib/activation_rows.h"

#include "calib/calibration_set.h"
#include "data/token_inputs.h"

namespace onnxpress {
namespace {

// How the rows of an activation are numbered: row = (outer · axis size + position) · inner + rest.
enum class Layout { tokens, heads_then_tokens, tokens_then_samples, samples, batch };

struct Place {
  std::int64_t row = 0;       // of the batch
  std::int64_t position = 0;  // token, or -1 where rows are no tokens
  std::int64_t in_sample = 0;
};

std::int64_t product(const Dims& dims, std::size_t begin, std::size_t end) {
  std::int64_t result = 1;
  for (std::size_t i = begin; i < end; ++i) result *= dims[i];
  return result;
}

Layout layout_of(const Dims& dims, std::int64_t samples, std::int64_t tokens) {
  const std::size_t row_axes = dims.size() - 1;
  if (row_axes == 0 || samples == 0) return Layout::batch;
  if (tokens > 0) {
    if (dims[0] == samples && row_axes >= 2 && dims[1] == tokens) return Layout::tokens;
    if (dims[0] == samples && row_axes == 3 && dims[2] == tokens) return Layout::heads_then_tokens;
    if (dims[0] != samples && dims[0] == samples * tokens) return Layout::tokens;
    if (dims[0] != samples && row_axes == 2 && dims[0] % samples == 0 && dims[1] == tokens) {
      return Layout::heads_then_tokens;  // [B·H, S, K]
    }
    if (row_axes == 2 && dims[0] == tokens && dims[1] == samples) {
      return Layout::tokens_then_samples;
    }
  }
  return dims[0] > 0 && dims[0] % samples == 0 ? Layout::samples : Layout::batch;
}

}  // namespace

BatchRows::BatchRows(const Batch& batch, std::span<const InputSpec> inputs)
    : samples_(batch.samples), lengths_(batch.lengths) {
  for (const InputSpec& input : inputs) {
    const auto found = batch.inputs.find(input.name);
    if (found == batch.inputs.end() || found->second.rank() == 0) continue;
    const Tensor& tensor = found->second;
    rows_ = tensor.dims()[0];
    const auto role = token_role(input, inputs);
    if (!role || tensor.rank() != 2) continue;
    width_ = tensor.dims()[1];
    if (role == TokenRole::mask) mask_ = tensor.to_int64s();
  }
}

bool BatchRows::counts(std::int64_t row, std::int64_t position) const {
  const auto r = static_cast<std::size_t>(row);
  if (r >= samples_.size()) return false;
  if (position < 0) return true;
  if (!mask_.empty()) return mask_[static_cast<std::size_t>(row * width_ + position)] != 0;
  return lengths_[r] == 0 || position < static_cast<std::int64_t>(lengths_[r]);
}

ActivationRows BatchRows::rows(const Dims& dims) const {
  ActivationRows result;
  result.width = dims.empty() ? 1 : dims.back();
  const std::size_t axes = dims.empty() ? 0 : dims.size() - 1;
  result.count = dims.empty() ? 1 : product(dims, 0, axes);
  const auto count = static_cast<std::size_t>(result.count);
  result.valid.resize(count);
  result.held_out.resize(count);
  result.sample.resize(count);
  result.in_sample.resize(count);
  const Layout layout = dims.empty() ? Layout::batch : layout_of(dims, rows_, width_);
  const std::int64_t per_sample = rows_ > 0 ? result.count / rows_ : 0;
  const std::int64_t per_token = width_ > 0 && per_sample > 0 ? per_sample / width_ : 1;
  for (std::int64_t i = 0; i < result.count; ++i) {
    Place place{0, -1, i};
    switch (layout) {
      case Layout::tokens: {  // (sample, token, rest)
        const std::int64_t token = i / per_token;
        place = {token / width_, token % width_, i % per_sample};
        break;
      }
      case Layout::heads_then_tokens: {  // (sample, head, token)
        const std::int64_t head = i % per_sample / width_;
        const std::int64_t position = i % width_;
        place = {i / per_sample, position, position * per_token + head};
        break;
      }
      case Layout::tokens_then_samples:
        place = {i % rows_, i / rows_, i / rows_};
        break;
      case Layout::samples:
        place = {i / per_sample, -1, i % per_sample};
        break;
      case Layout::batch:
        break;
    }
    const auto at = static_cast<std::size_t>(i);
    const auto row = static_cast<std::size_t>(place.row);
    const std::size_t sample = row < samples_.size() ? samples_[row]
                               : samples_.empty()    ? 0
                                                     : samples_.back();
    result.valid[at] = counts(place.row, place.position) || samples_.empty() ? 1 : 0;
    result.held_out[at] = CalibrationSet::held_out(sample) ? 1 : 0;
    result.sample[at] = static_cast<std::int64_t>(sample);
    result.in_sample[at] = place.in_sample;
    result.valid_count += result.valid[at];
  }
  return result;
}

}  // namespace onnxpress
