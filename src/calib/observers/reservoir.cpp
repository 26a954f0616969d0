// SPDX-License-Identifier: Apache-2.0
#include "calib/observers/reservoir.h"

#include <algorithm>

#include "calib/hash.h"

namespace onnxpress {
namespace {

bool stands_before(const RowReservoir::Row& a, const RowReservoir::Row& b) {
  return a.place < b.place;
}

}  // namespace

void RowReservoir::add(std::int64_t sample, std::int64_t in_sample, const float* x) {
  if (capacity_ == 0) return;
  const Place place{mix_bits(mix_bits(static_cast<std::uint64_t>(sample)) +
                             static_cast<std::uint64_t>(in_sample)),
                    sample, in_sample};
  if (rows_.size() < capacity_) {
    rows_.push_back({place, {x, x + width_}});
  } else {
    if (!(place < rows_.front().place)) return;
    std::ranges::pop_heap(rows_, stands_before);
    rows_.back().place = place;
    std::copy(x, x + width_, rows_.back().values.begin());
  }
  std::ranges::push_heap(rows_, stands_before);
}

RowReservoir& RowReservoir::operator+=(const RowReservoir& other) {
  for (const Row& row : other.rows_) {
    add(row.place.sample, row.place.in_sample, row.values.data());
  }
  return *this;
}

std::vector<RowReservoir::Row> RowReservoir::rows() const {
  std::vector<Row> sorted = rows_;
  std::ranges::sort(sorted, stands_before);
  return sorted;
}

std::vector<float> RowReservoir::matrix() const {
  std::vector<float> values;
  for (const Row& row : rows()) values.insert(values.end(), row.values.begin(), row.values.end());
  return values;
}

bool operator==(const RowReservoir& a, const RowReservoir& b) {
  return a.capacity_ == b.capacity_ && a.width_ == b.width_ && a.rows() == b.rows();
}

}  // namespace onnxpress
