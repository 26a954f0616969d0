// SPDX-License-Identifier: Apache-2.0
#include "passes/equal_tensors.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <tuple>

namespace onnxpress {
namespace {

// A number that equal tensors share and others hardly do; looks at both ends only, so that tensors
// are read as a whole just where they are probably equal.
std::uint64_t fingerprint(std::span<const std::byte> bytes) {
  constexpr std::size_t kEnd = 1024;
  std::uint64_t hash = 14695981039346656037U;
  const auto mix = [&](std::span<const std::byte> part) {
    for (const std::byte b : part) hash = (hash ^ static_cast<std::uint64_t>(b)) * 1099511628211U;
  };
  mix(bytes.first(std::min(kEnd, bytes.size())));
  if (bytes.size() > kEnd) mix(bytes.last(std::min(kEnd, bytes.size() - kEnd)));
  return hash;
}

bool is_transpose(const Tensor& a, const Tensor& b) {
  constexpr std::size_t kTile = 32;
  const auto rows = static_cast<std::size_t>(a.dims()[0]);
  const auto columns = static_cast<std::size_t>(a.dims()[1]);
  const auto size = static_cast<std::size_t>(bits(a.dtype()) / 8);
  for (std::size_t r0 = 0; r0 < rows; r0 += kTile) {
    for (std::size_t c0 = 0; c0 < columns; c0 += kTile) {
      for (std::size_t r = r0; r < std::min(rows, r0 + kTile); ++r) {
        for (std::size_t c = c0; c < std::min(columns, c0 + kTile); ++c) {
          const std::byte* x = &a.bytes()[(r * columns + c) * size];
          if (std::memcmp(x, &b.bytes()[(c * rows + r) * size], size) != 0) return false;
        }
      }
    }
  }
  return true;
}

class Finder {
 public:
  Finder(const Graph& graph, std::int64_t min_transposed_bytes)
      : graph_(graph), min_transposed_bytes_(min_transposed_bytes) {}

  std::vector<EqualTensor> run() {
    for (const ValueId id : graph_.values()) {
      const Tensor* tensor = graph_.constant(id);
      if (tensor == nullptr || tensor->dtype() == DType::string) continue;
      if (!add(id, *tensor)) continue;
      auto& same = originals_[{static_cast<int>(tensor->dtype()), tensor->dims(),
                               fingerprint(tensor->bytes())}];
      same.push_back(id);
      if (tensor->rank() == 2)
        matrices_[{static_cast<int>(tensor->dtype()), tensor->dims()}].push_back(id);
    }
    std::ranges::sort(found_, {}, &EqualTensor::duplicate);
    return std::move(found_);
  }

 private:
  // Returns whether the value may be an original for later ones.
  bool add(ValueId id, const Tensor& tensor) {
    if (graph_.value(id).is_output) return true;
    const auto same = originals_.find(
        {static_cast<int>(tensor.dtype()), tensor.dims(), fingerprint(tensor.bytes())});
    if (same != originals_.end()) {
      for (const ValueId other : same->second) {
        if (*graph_.constant(other) == tensor) return !record(id, other, false);
      }
    }
    if (!is_shareable_matrix(tensor)) return true;
    const auto turned = matrices_.find(
        {static_cast<int>(tensor.dtype()), Dims{tensor.dims()[1], tensor.dims()[0]}});
    if (turned == matrices_.end()) return true;
    for (const ValueId other : turned->second) {
      if (is_transpose(tensor, *graph_.constant(other))) return !record(id, other, true);
    }
    return true;
  }

  bool record(ValueId id, ValueId original, bool transposed) {
    ValueId kept = original;
    ValueId dropped = id;
    // Rows of an embedding are gathered from it as it lies; a product reads either.
    if (transposed && is_gathered(id) && !is_gathered(original) && !is_original(original) &&
        !graph_.value(original).is_output) {
      std::swap(kept, dropped);
    }
    found_.push_back({dropped, kept, transposed});
    used_.insert(kept);
    return dropped == id;
  }

  [[nodiscard]] bool is_original(ValueId id) const { return used_.contains(id); }

  [[nodiscard]] bool is_gathered(ValueId id) const {
    return std::ranges::any_of(graph_.value(id).uses, [&](const Use& use) {
      return use.input == 0 && graph_.node(use.node).is("Gather");
    });
  }

  [[nodiscard]] bool is_shareable_matrix(const Tensor& tensor) const {
    return tensor.rank() == 2 && bits(tensor.dtype()) >= 8 &&
           static_cast<std::int64_t>(tensor.bytes().size()) >= min_transposed_bytes_;
  }

  const Graph& graph_;
  std::int64_t min_transposed_bytes_;
  std::map<std::tuple<int, Dims, std::uint64_t>, std::vector<ValueId>> originals_;
  std::map<std::pair<int, Dims>, std::vector<ValueId>> matrices_;
  std::set<ValueId> used_;
  std::vector<EqualTensor> found_;
};

}  // namespace

std::vector<EqualTensor> find_equal_tensors(const Graph& graph, std::int64_t min_transposed_bytes) {
  return Finder(graph, min_transposed_bytes).run();
}

}  // namespace onnxpress
