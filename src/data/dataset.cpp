// SPDX-License-Identifier: Apache-2.0
#include "data/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

// Smallest and largest of all ids; {0, -1} without any.
template <class Ids>
void extend(std::pair<std::int64_t, std::int64_t>& range, const Ids& ids) {
  if (ids.empty()) return;
  const auto [low, high] = std::minmax_element(ids.begin(), ids.end());
  range.first = std::min<std::int64_t>(range.first, *low);
  range.second = std::max<std::int64_t>(range.second, *high);
}

std::pair<std::int64_t, std::int64_t> id_range(const Dataset& data) {
  std::pair<std::int64_t, std::int64_t> range{0, -1};
  for (const TextSample& sample : data.texts()) extend(range, sample.ids);
  if (const Tensor* ids = data.array("input_ids"); ids != nullptr && is_integer(ids->dtype())) {
    extend(range, ids->to_int64s());
  }
  return range;
}

}  // namespace

Dataset Dataset::of_texts(std::vector<TextSample> texts, std::vector<double> labels,
                          std::int32_t pad_id, std::string source) {
  if (!labels.empty() && labels.size() != texts.size()) {
    throw Error(codes::bad_data,
                fmt::format("{}: {} labels for {} samples", source, labels.size(), texts.size()));
  }
  Dataset data;
  data.size_ = texts.size();
  data.texts_ = std::move(texts);
  data.labels_ = std::move(labels);
  data.pad_id_ = pad_id;
  data.source_ = std::move(source);
  return data;
}

Dataset Dataset::of_arrays(std::vector<NamedTensor> arrays, std::vector<double> labels,
                           std::string source) {
  Dataset data;
  for (const NamedTensor& array : arrays) {
    if (array.tensor.rank() == 0) {
      throw Error(codes::bad_data,
                  fmt::format("{}: array \"{}\" is a scalar, but axis 0 must count the samples",
                              source, array.name));
    }
    const auto rows = static_cast<std::size_t>(array.tensor.dims()[0]);
    if (&array != arrays.data() && rows != data.size_) {
      throw Error(codes::bad_data,
                  fmt::format("{}: array \"{}\" has {} samples but \"{}\" has {}", source,
                              array.name, rows, arrays[0].name, data.size_));
    }
    data.size_ = rows;
  }
  if (!labels.empty() && labels.size() != data.size_) {
    throw Error(codes::bad_data,
                fmt::format("{}: {} labels for {} samples", source, labels.size(), data.size_));
  }
  data.arrays_ = std::move(arrays);
  data.labels_ = std::move(labels);
  data.source_ = std::move(source);
  return data;
}

const Tensor* Dataset::array(std::string_view name) const {
  const auto found = std::ranges::find(arrays_, name, &NamedTensor::name);
  return found == arrays_.end() ? nullptr : &found->tensor;
}

std::int64_t Dataset::token_count() const {
  std::int64_t count = 0;
  for (std::size_t i = 0; i < size_; ++i) count += static_cast<std::int64_t>(length(i));
  return count;
}

std::size_t Dataset::length(std::size_t sample) const {
  if (is_text()) return texts_[sample].ids.size();
  const Tensor* ids = array("input_ids");
  if (ids == nullptr || ids->rank() != 2) return 0;
  const auto width = static_cast<std::size_t>(ids->dims()[1]);
  const Tensor* mask = array("attention_mask");
  if (mask == nullptr || mask->dims() != ids->dims() || mask->dtype() != DType::int64) return width;
  const auto row = mask->as<std::int64_t>().subspan(sample * width, width);
  return width - static_cast<std::size_t>(std::ranges::count(row, 0));
}

std::string Dataset::location(std::size_t sample) const {
  if (is_text() && lines_.empty()) return fmt::format("{}, sample {}", source_, sample);
  const std::size_t line = lines_.empty() ? sample : lines_[sample];
  return is_text() ? fmt::format("{}:{}", source_, line) : fmt::format("{}[{}]", source_, line);
}

Dataset Dataset::with_lines(std::vector<std::size_t> lines) && {
  lines_ = std::move(lines);
  return std::move(*this);
}

std::int64_t Dataset::max_token_id() const {
  return id_range(*this).second;
}

std::int64_t Dataset::min_token_id() const {
  return id_range(*this).first;
}

}  // namespace onnxpress
