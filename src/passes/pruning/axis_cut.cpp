// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/axis_cut.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "base/checked.h"

namespace onnxpress {
namespace {

// How many elements lie between two places of an axis: a number times sizes that are not known.
struct Stride {
  std::int64_t number = 1;
  std::vector<std::int32_t> symbols;  // sorted
};

std::optional<Stride> stride_of(const SymbolicShape& shape, std::size_t axis) {
  Stride stride;
  for (std::size_t i = axis + 1; i < shape.size(); ++i) {
    if (!shape[i].known()) {
      stride.symbols.push_back(shape[i].symbol);
      continue;
    }
    const auto number = checked_mul(stride.number, shape[i].size);
    if (!number || *number <= 0) return std::nullopt;
    stride.number = *number;
  }
  std::ranges::sort(stride.symbols);
  return stride;
}

// The axis, of those with `sizes`, that alone tells which elements go; they are all of the cut's.
std::optional<AxisCut> on_one_axis(const AxisCut& cut, std::span<const std::int64_t> sizes,
                                   std::size_t first_axis) {
  std::int64_t stride = cut.size();
  for (std::size_t a = 0; a < sizes.size(); ++a) {
    const std::int64_t size = sizes[a];
    stride /= size;
    AxisCut found{first_axis + a, {}};
    for (std::int64_t i = 0; i < size; ++i) {
      found.removed.push_back(cut.removed[static_cast<std::size_t>(i * stride)]);
    }
    bool fits = true;
    for (std::int64_t i = 0; fits && i < cut.size(); ++i) {
      fits = cut.removed[static_cast<std::size_t>(i)] ==
             found.removed[static_cast<std::size_t>(i / stride % size)];
    }
    if (fits) return found;
  }
  return std::nullopt;
}

// The cut's axis is split into several, the last of which is `last`.
std::optional<AxisCut> split_axis(const AxisCut& cut, const SymbolicShape& to, std::size_t last) {
  std::vector<std::int64_t> sizes;
  std::int64_t product = 1;
  for (std::size_t first = last + 1; first-- > 0;) {
    if (!to[first].known() || to[first].size <= 0 || to[first].size > cut.size()) {
      return std::nullopt;
    }
    sizes.insert(sizes.begin(), to[first].size);
    product *= to[first].size;  // both factors are at most cut.size()
    if (product == cut.size()) return on_one_axis(cut, sizes, first);
    if (product > cut.size()) return std::nullopt;
  }
  return std::nullopt;
}

// The cut's axis is joined with others into `axis`, whose elements lie `stride` apart.
std::optional<AxisCut> joined_axis(const AxisCut& cut, const Stride& stride,
                                   const SymbolicShape& to, std::size_t axis,
                                   const Stride& to_stride) {
  if (!to[axis].known() || stride.number % to_stride.number != 0) return std::nullopt;
  const std::int64_t inner = stride.number / to_stride.number;
  const auto whole = checked_mul(inner, cut.size());
  if (!whole || to[axis].size % *whole != 0 || to[axis].size > kMostPlaces) return std::nullopt;
  AxisCut found{axis, {}};
  for (std::int64_t i = 0; i < to[axis].size; ++i) {
    found.removed.push_back(cut.removed[static_cast<std::size_t>(i / inner % cut.size())]);
  }
  return found;
}

}  // namespace

std::vector<std::int64_t> AxisCut::kept() const {
  std::vector<std::int64_t> places;
  for (std::size_t i = 0; i < removed.size(); ++i) {
    if (!removed[i]) places.push_back(static_cast<std::int64_t>(i));
  }
  return places;
}

std::int64_t AxisCut::kept_count() const {
  return std::ranges::count(removed, false);
}

bool AxisCut::any() const {
  return std::ranges::find(removed, true) != removed.end();
}

std::optional<AxisCut> reshaped(const AxisCut& cut, const SymbolicShape& from,
                                const SymbolicShape& to) {
  if (cut.axis >= from.size() || from[cut.axis] != known(cut.size())) return std::nullopt;
  const auto stride = stride_of(from, cut.axis);
  if (!stride) return std::nullopt;
  for (std::size_t axis = 0; axis < to.size(); ++axis) {
    const auto to_stride = stride_of(to, axis);
    if (!to_stride || to_stride->symbols != stride->symbols || to[axis] == known(1)) continue;
    if (auto joined = joined_axis(cut, *stride, to, axis, *to_stride)) return joined;
    if (to_stride->number != stride->number) continue;
    if (auto split = split_axis(cut, to, axis)) return split;
  }
  return std::nullopt;
}

AxisCut part(const AxisCut& cut, std::int64_t begin, std::int64_t count) {
  const auto first = cut.removed.begin() + begin;
  return {cut.axis, std::vector<bool>(first, first + count)};
}

AxisCut embedded(const AxisCut& cut, std::int64_t begin, std::int64_t size) {
  AxisCut whole{cut.axis, std::vector<bool>(static_cast<std::size_t>(size))};
  std::copy(cut.removed.begin(), cut.removed.end(), whole.removed.begin() + begin);
  return whole;
}

std::optional<Tensor> sliced(const Tensor& tensor, const AxisCut& cut, bool prefix_only) {
  const auto one = byte_size(tensor.dtype(), 1);
  const auto two = byte_size(tensor.dtype(), 2);
  if (!one || !two || *two != 2 * *one || cut.axis >= tensor.dims().size() ||
      tensor.dims()[cut.axis] != cut.size() || tensor.size() == 0) {
    return std::nullopt;
  }
  Dims dims = tensor.dims();
  dims[cut.axis] = cut.kept_count();
  std::int64_t outer = 1;
  for (std::size_t i = 0; i < cut.axis; ++i) outer *= dims[i];
  const std::int64_t place = tensor.size() / outer / cut.size() * *one;  // bytes
  const auto total = static_cast<std::size_t>(outer * dims[cut.axis] * place);
  if (prefix_only) {
    const auto owner = std::make_shared<const Tensor>(tensor);
    return Tensor(tensor.dtype(), std::move(dims), owner->bytes().first(total), owner);
  }
  std::vector<std::byte> bytes(total);
  const std::vector<std::int64_t> kept = cut.kept();
  std::byte* to = bytes.data();
  for (std::int64_t i = 0; i < outer; ++i) {
    const std::byte* from = tensor.bytes().data() + i * cut.size() * place;
    for (const std::int64_t at : kept) {
      std::memcpy(to, from + at * place, static_cast<std::size_t>(place));
      to += place;
    }
  }
  return Tensor::from_bytes(tensor.dtype(), std::move(dims), std::move(bytes));
}

}  // namespace onnxpress
