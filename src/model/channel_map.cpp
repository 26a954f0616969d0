// SPDX-License-Identifier: Apache-2.0
#include "model/channel_map.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "base/checked.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kMostChannels = 1 << 24;

bool is_one(const ChannelMap::Factor& factor) {
  return factor.size == known(1);
}

std::optional<std::int64_t> places(const ChannelMap::Axis& axis) {
  std::int64_t count = 1;
  for (const auto& factor : axis) {
    if (!factor.size.known() || factor.size.size < 0) return std::nullopt;
    const auto next = checked_mul(count, factor.size.size);
    if (!next) return std::nullopt;
    count = *next;
  }
  return count;
}

bool differs(const ChannelMap::Axis& axis) {
  return std::any_of(axis.begin(), axis.end(),
                     [](const auto& f) { return f.stride != 0 && !is_one(f); });
}

// Channels of all places, the last factor counting fastest.
std::vector<std::int64_t> enumerate(const ChannelMap::Axis& axis, std::int64_t first) {
  std::vector<std::int64_t> result = {first};
  for (const auto& factor : axis) {
    std::vector<std::int64_t> next;
    next.reserve(result.size() * static_cast<std::size_t>(factor.size.size));
    for (const std::int64_t base : result) {
      for (std::int64_t i = 0; i < factor.size.size; ++i) next.push_back(base + i * factor.stride);
    }
    result = std::move(next);
  }
  return result;
}

// Takes the factors of one axis of `size` places from one end of `factors`; false where they don't
// come to that size.
class Taker {
 public:
  explicit Taker(std::deque<ChannelMap::Factor>& factors) : factors_(factors) {}

  bool take(SymbolicDim size, bool from_back, ChannelMap::Axis& axis) {
    if (!size.known()) {
      if (factors_.empty() || end(from_back).size != size) return false;
      push(axis, end(from_back), from_back);
      pop(from_back);
      return true;
    }
    const std::deque<ChannelMap::Factor> before = factors_;
    std::int64_t need = size.size;
    while (need > 1) {
      if (factors_.empty() || !end(from_back).size.known()) return undo(before, axis);
      ChannelMap::Factor& factor = end(from_back);
      const std::int64_t have = factor.size.size;
      if (have <= 0) return undo(before, axis);
      if (need % have == 0) {
        push(axis, factor, from_back);
        pop(from_back);
        need /= have;
      } else if (have % need == 0) {
        const std::int64_t rest = have / need;
        if (from_back) {
          push(axis, {known(need), factor.stride}, true);
          factor = {known(rest), factor.stride * need};
        } else {
          push(axis, {known(need), factor.stride * rest}, false);
          factor = {known(rest), factor.stride};
        }
        need = 1;
      } else {
        return undo(before, axis);
      }
    }
    return need == 1;
  }

 private:
  ChannelMap::Factor& end(bool back) { return back ? factors_.back() : factors_.front(); }
  void pop(bool back) {
    if (back) {
      factors_.pop_back();
    } else {
      factors_.pop_front();
    }
  }
  static void push(ChannelMap::Axis& axis, const ChannelMap::Factor& factor, bool front) {
    axis.insert(front ? axis.begin() : axis.end(), factor);
  }
  bool undo(const std::deque<ChannelMap::Factor>& before, ChannelMap::Axis& axis) {
    factors_ = before;
    axis.clear();
    return false;
  }

  std::deque<ChannelMap::Factor>& factors_;
};

}  // namespace

ChannelMap::ChannelMap(const SymbolicShape& shape, std::int64_t channels) {
  for (const SymbolicDim& dim : shape) axes_.push_back({{dim, 0}});
  if (!axes_.empty()) axes_.back() = {{known(channels), 1}};
}

bool ChannelMap::tells_apart(std::size_t axis) const {
  return differs(axes_[axis]);
}

std::optional<ChannelMap> ChannelMap::reshaped(const SymbolicShape& shape) const {
  std::deque<Factor> factors;
  for (const Axis& axis : axes_) {
    for (const Factor& factor : axis) {
      if (!is_one(factor)) factors.push_back(factor);
    }
  }
  ChannelMap result;
  result.first_ = first_;
  result.axes_.resize(shape.size());
  Taker taker(factors);
  std::size_t end = shape.size();
  while (end > 0 && taker.take(shape[end - 1], true, result.axes_[end - 1])) --end;
  std::size_t begin = 0;
  while (begin < end && taker.take(shape[begin], false, result.axes_[begin])) ++begin;
  if (begin == end) return factors.empty() ? std::optional(std::move(result)) : std::nullopt;
  Axis rest(factors.begin(), factors.end());
  if (end - begin == 1) {
    result.axes_[begin] = std::move(rest);
    return result;
  }
  if (differs(rest)) return std::nullopt;
  for (std::size_t i = begin; i < end; ++i) result.axes_[i] = {{shape[i], 0}};
  return result;
}

std::optional<ChannelMap> ChannelMap::transposed(std::span<const std::int64_t> perm) const {
  ChannelMap result;
  result.first_ = first_;
  if (perm.empty()) {
    result.axes_.assign(axes_.rbegin(), axes_.rend());
    return result;
  }
  if (perm.size() != axes_.size()) return std::nullopt;
  for (const std::int64_t axis : perm) {
    if (axis < 0 || axis >= static_cast<std::int64_t>(axes_.size())) return std::nullopt;
    result.axes_.push_back(axes_[static_cast<std::size_t>(axis)]);
  }
  return result;
}

std::optional<ChannelMap> ChannelMap::sliced(std::size_t axis, std::int64_t begin,
                                             std::int64_t count) const {
  ChannelMap result = *this;
  Axis& factors = result.axes_[axis];
  if (!differs(factors)) return resized(axis, known(count));
  const auto whole = places(factors);
  if (!whole || begin < 0 || count < 1 || begin > *whole - count) return std::nullopt;
  std::erase_if(factors, is_one);
  std::int64_t inner = *whole;
  for (std::size_t i = 0; i < factors.size(); ++i) {
    Factor& factor = factors[i];
    inner /= factor.size.size;  // places of the factors behind it
    if (begin % inner == 0 && count % inner == 0) {
      result.first_ += begin / inner * factor.stride;
      factor.size = known(count / inner);
      return result;
    }
    // All of it within one place of this factor?
    const std::int64_t at = begin / inner;
    if ((begin + count - 1) / inner != at) return std::nullopt;
    result.first_ += at * factor.stride;
    factor.size = known(1);
    begin -= at * inner;
  }
  return std::nullopt;
}

std::optional<ChannelMap> ChannelMap::resized(std::size_t axis, SymbolicDim size) const {
  if (differs(axes_[axis])) return std::nullopt;
  ChannelMap result = *this;
  result.axes_[axis] = {{size, 0}};
  return result;
}

std::optional<ChannelMap> ChannelMap::without(std::size_t axis) const {
  if (differs(axes_[axis])) return std::nullopt;
  ChannelMap result = *this;
  result.axes_.erase(result.axes_.begin() + static_cast<std::ptrdiff_t>(axis));
  return result;
}

std::optional<ChannelMap> ChannelMap::broadcast(const SymbolicShape& own,
                                                const SymbolicShape& shape) const {
  if (own.size() != axes_.size() || shape.size() < axes_.size()) return std::nullopt;
  ChannelMap result;
  result.first_ = first_;
  const std::size_t added = shape.size() - axes_.size();
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i >= added && differs(axes_[i - added])) {
      result.axes_.push_back(axes_[i - added]);
    } else if (i >= added && own[i - added] == shape[i]) {
      result.axes_.push_back(axes_[i - added]);
    } else {
      result.axes_.push_back({{shape[i], 0}});
    }
  }
  return result;
}

std::vector<std::int32_t> ChannelMap::channels() const {
  Axis factors;
  for (const Axis& axis : axes_) {
    for (const Factor& factor : axis) {
      if (factor.stride != 0) factors.push_back(factor);
    }
  }
  const auto count = places(factors);
  if (!count || *count > kMostChannels) return {};
  std::vector<std::int32_t> result;
  for (const std::int64_t channel : enumerate(factors, first_)) {
    result.push_back(static_cast<std::int32_t>(channel));
  }
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

std::optional<std::vector<std::int32_t>> ChannelMap::along_last(std::int64_t width) const {
  if (axes_.empty() || width < 1 || width > kMostChannels || places(axes_.back()) != width) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i + 1 < axes_.size(); ++i) {
    if (differs(axes_[i])) return std::nullopt;
  }
  std::vector<std::int32_t> result;
  for (const std::int64_t channel : enumerate(axes_.back(), first_)) {
    result.push_back(static_cast<std::int32_t>(channel));
  }
  return result;
}

}  // namespace onnxpress
