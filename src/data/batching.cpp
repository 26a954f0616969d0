// SPDX-License-Identifier: Apache-2.0
#include "data/batching.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error_codes.h"
#include "data/convert.h"
#include "data/gather.h"
#include "data/token_inputs.h"

namespace onnxpress {
namespace {

// What the model asks for and what the data have.
[[noreturn]] void fail_missing(const InputSpec& input, const Dataset& data,
                               std::span<const InputSpec> inputs) {
  std::vector<std::string> asked;
  for (const InputSpec& i : inputs) {
    asked.push_back(fmt::format("{} ({} {})", i.name, name(i.dtype), to_string(i.shape)));
  }
  const std::vector<std::string> present =
      data.is_text() ? std::vector<std::string>{"tokens of text"} : names_of(data.arrays());
  throw Error(
      codes::missing_input,
      fmt::format("nothing in {} fills the model's input \"{}\": the model takes {}; the "
                  "data have {}",
                  data.source(), input.name, fmt::join(asked, ", "), fmt::join(present, ", ")));
}

// A [rows, width] tensor of what the role takes from each row's tokens.
Tensor token_tensor(const Dataset& data, const InputSpec& input, TokenRole role,
                    std::span<const std::size_t> rows, std::size_t width) {
  std::vector<std::int64_t> values(rows.size() * width, role == TokenRole::ids ? data.pad_id() : 0);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const TextSample& sample = data.texts()[rows[r]];
    const std::span<std::int64_t> row = std::span(values).subspan(r * width, width);
    switch (role) {
      case TokenRole::ids:
        std::ranges::copy(sample.ids, row.begin());
        break;
      case TokenRole::mask:
        std::ranges::fill(row.first(sample.ids.size()), 1);
        break;
      case TokenRole::types:
        std::ranges::copy(sample.type_ids, row.begin());
        break;
      case TokenRole::positions:
        std::iota(row.begin(), row.end(), std::int64_t{0});
        break;
    }
  }
  return convert(Tensor::of<std::int64_t>(
                     {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(width)},
                     std::move(values)),
                 input);
}

void add_text_inputs(Batch& batch, const Dataset& data, std::span<const InputSpec> inputs,
                     std::span<const std::size_t> rows) {
  const std::size_t longest = *std::ranges::max_element(batch.lengths);
  const std::size_t width = fixed_length(inputs).value_or(std::max<std::size_t>(longest, 1));
  if (longest > width) {
    throw Error(codes::bad_data,
                fmt::format("{}: a sample has {} tokens, but the model takes {}", data.source(),
                            longest, width),
                "lower --max-length");
  }
  for (const InputSpec& input : inputs) {
    const auto role = token_role(input, inputs);
    if (!role) fail_missing(input, data, inputs);
    batch.inputs.insert_or_assign(input.name, token_tensor(data, input, *role, rows, width));
  }
}

// What a mask, token types or positions are where the data have ids only.
std::optional<Tensor> implied_by_ids(const Tensor& ids, TokenRole role) {
  if (ids.rank() != 2 || role == TokenRole::ids) return std::nullopt;
  std::vector<std::int64_t> values(static_cast<std::size_t>(ids.size()),
                                   role == TokenRole::mask ? 1 : 0);
  if (role == TokenRole::positions) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<std::int64_t>(i) % ids.dims()[1];
    }
  }
  return Tensor::of<std::int64_t>(ids.dims(), std::move(values));
}

void add_array_inputs(Batch& batch, const Dataset& data, std::span<const InputSpec> inputs,
                      std::span<const std::size_t> rows) {
  const Tensor* ids = data.array("input_ids");
  for (const InputSpec& input : inputs) {
    const Tensor* array = data.array(input.name);
    if (array == nullptr && inputs.size() == 1 && data.arrays().size() == 1) {
      array = &data.arrays()[0].tensor;
    }
    std::optional<Tensor> tensor;
    if (array != nullptr) {
      tensor = gather_rows(*array, rows);
    } else if (const auto role = token_role(input, inputs); role && ids != nullptr) {
      tensor = implied_by_ids(gather_rows(*ids, rows), *role);
    }
    if (!tensor) fail_missing(input, data, inputs);
    try {
      batch.inputs.insert_or_assign(input.name, convert(*tensor, input));
    } catch (const Error& error) {
      throw error.in(data.source());
    }
  }
}

}  // namespace

std::vector<std::vector<std::size_t>> plan_batches(const Dataset& data,
                                                   std::span<const InputSpec> inputs,
                                                   std::size_t batch_size) {
  std::vector<std::size_t> order(data.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<std::size_t> lengths(data.size());
  for (std::size_t i = 0; i < lengths.size(); ++i) lengths[i] = data.length(i);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return lengths[i]; });
  const std::size_t size = std::max<std::size_t>(fixed_batch(inputs).value_or(batch_size), 1);
  std::vector<std::vector<std::size_t>> batches;
  for (std::size_t begin = 0; begin < order.size(); begin += size) {
    const std::size_t end = std::min(begin + size, order.size());
    batches.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(begin),
                         order.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return batches;
}

Batch make_batch(const Dataset& data, std::span<const InputSpec> inputs,
                 std::span<const std::size_t> samples) {
  Batch batch;
  if (samples.empty()) return batch;
  batch.samples.assign(samples.begin(), samples.end());
  for (const std::size_t sample : samples) {
    batch.lengths.push_back(data.length(sample));
    batch.next_tokens.push_back(data.is_text() ? data.texts()[sample].next_token : -1);
  }
  std::vector<std::size_t> rows = batch.samples;
  rows.resize(std::max(rows.size(), fixed_batch(inputs).value_or(0)), rows.back());
  if (data.is_text()) {
    add_text_inputs(batch, data, inputs, rows);
  } else {
    add_array_inputs(batch, data, inputs, rows);
  }
  return batch;
}

std::vector<Batch> make_batches(const Dataset& data, std::span<const InputSpec> inputs,
                                std::size_t batch_size) {
  std::vector<Batch> batches;
  for (const auto& samples : plan_batches(data, inputs, batch_size)) {
    batches.push_back(make_batch(data, inputs, samples));
  }
  return batches;
}

}  // namespace onnxpress
