// SPDX-License-Identifier: Apache-2.0
#include "calib/calibration_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error_codes.h"
#include "calib/hash.h"
#include "data/token_inputs.h"

namespace onnxpress {
namespace {

std::size_t chunks_of(std::size_t samples) {
  return (samples + kChunkSamples - 1) / kChunkSamples;
}

template <class T>
void mark_not_finite(const Tensor& tensor, std::vector<bool>& bad) {
  const auto values = tensor.as<T>();
  const std::size_t width = bad.empty() ? 0 : values.size() / bad.size();
  for (std::size_t i = 0; i < bad.size(); ++i) {
    const auto row = values.subspan(i * width, width);
    if (!std::ranges::all_of(row, [](T x) { return std::isfinite(x); })) bad[i] = true;
  }
}

// 16-bit floats: all exponent bits set.
void mark_not_finite_half(const Tensor& tensor, std::uint16_t exponent, std::vector<bool>& bad) {
  const auto bytes = tensor.bytes();
  const std::size_t width = bad.empty() ? 0 : bytes.size() / 2 / bad.size();
  for (std::size_t i = 0; i < width * bad.size(); ++i) {
    const auto bits = static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[2 * i]) |
                                                 std::to_integer<unsigned>(bytes[2 * i + 1]) << 8U);
    if ((bits & exponent) == exponent) bad[i / width] = true;
  }
}

// Which samples hold NaN or infinity in an array that the model is fed with.
std::vector<bool> find_not_finite(const Dataset& data, const std::vector<InputSpec>& inputs) {
  std::vector<bool> bad(data.size(), false);
  for (const NamedTensor& array : data.arrays()) {
    const bool asked = std::ranges::find(inputs, array.name, &InputSpec::name) != inputs.end();
    if (!asked && (inputs.size() != 1 || data.arrays().size() != 1)) continue;
    switch (array.tensor.dtype()) {
      case DType::float32:
        mark_not_finite<float>(array.tensor, bad);
        break;
      case DType::float64:
        mark_not_finite<double>(array.tensor, bad);
        break;
      case DType::float16:
        mark_not_finite_half(array.tensor, 0x7C00, bad);
        break;
      case DType::bfloat16:
        mark_not_finite_half(array.tensor, 0x7F80, bad);
        break;
      default:
        break;
    }
  }
  return bad;
}

}  // namespace

CalibrationSet::CalibrationSet(Dataset data, std::vector<InputSpec> inputs, std::size_t batch_size,
                               Shard shard)
    : data_(std::move(data)), inputs_(std::move(inputs)) {
  batch_size_ = std::max<std::size_t>(1, fixed_batch(inputs_).value_or(batch_size));
  if (data_.size() == 0) {
    throw Error(codes::empty_data, fmt::format("{} has no samples", data_.source()));
  }
  const std::size_t chunks = chunks_of(data_.size());
  if (shard.index < 1 || shard.index > shard.count) {
    throw Error(codes::bad_option, fmt::format("there is no shard {}/{}", shard.index, shard.count),
                "count from 1, e.g. --shard 1/4");
  }
  if (shard.count > chunks) {
    throw Error(codes::bad_option,
                fmt::format("{} samples make {} chunks of {}, too few for {} shards", data_.size(),
                            chunks, kChunkSamples, shard.count),
                "use fewer shards");
  }
  first_chunk_ = (shard.index - 1) * chunks / shard.count;
  last_chunk_ = shard.index * chunks / shard.count;
  const std::vector<bool> bad = find_not_finite(data_, inputs_);
  for (std::size_t chunk = first_chunk_; chunk < last_chunk_; ++chunk) {
    std::vector<std::size_t> order;
    const std::size_t end = std::min((chunk + 1) * kChunkSamples, data_.size());
    for (std::size_t sample = chunk * kChunkSamples; sample < end; ++sample) {
      if (bad[sample]) {
        ++skipped_;
        continue;
      }
      order.push_back(sample);
      tokens_ += static_cast<std::int64_t>(data_.length(sample));
    }
    samples_ += static_cast<std::int64_t>(order.size());
    // Samples of about the same length go together, so that little is padded.
    std::ranges::stable_sort(order, {}, [&](std::size_t sample) { return data_.length(sample); });
    for (std::size_t begin = 0; begin < order.size(); begin += batch_size_) {
      const std::size_t stop = std::min(begin + batch_size_, order.size());
      plan_.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(begin),
                         order.begin() + static_cast<std::ptrdiff_t>(stop));
    }
  }
  if (plan_.empty()) {
    throw Error(
        codes::bad_data,
        fmt::format("{}: NaN or infinity in each of the {} samples", data_.source(), skipped_),
        "check how the file was made");
  }
}

Batch CalibrationSet::batch(std::size_t index) const {
  return make_batch(data_, inputs_, plan_.at(index));
}

std::size_t CalibrationSet::chunk_count() const {
  return chunks_of(data_.size());
}

bool CalibrationSet::held_out(std::size_t sample) {
  return sample != 0 && mix_bits(sample) % 4 == 0;
}

}  // namespace onnxpress
