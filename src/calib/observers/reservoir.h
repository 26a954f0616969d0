// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace onnxpress {

// At most `capacity` rows of all that were seen: those whose (sample, row in sample) have the
// smallest hashes. So the choice looks random, but depends neither on the order of the rows nor on
// how they were cut into parts.
class RowReservoir {
 public:
  struct Place {
    std::uint64_t hash = 0;
    std::int64_t sample = 0, in_sample = 0;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  struct Row {
    Place place;
    std::vector<float> values;  // [width]
    friend bool operator==(const Row&, const Row&) = default;
  };

  RowReservoir() = default;
  RowReservoir(std::size_t capacity, std::int64_t width) : capacity_(capacity), width_(width) {}

  // x: [width].
  void add(std::int64_t sample, std::int64_t in_sample, const float* x);
  RowReservoir& operator+=(const RowReservoir& other);

  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] std::size_t size() const { return rows_.size(); }
  // In the order of their places.
  [[nodiscard]] std::vector<Row> rows() const;
  // The values of rows(), [size, width].
  [[nodiscard]] std::vector<float> matrix() const;
  friend bool operator==(const RowReservoir& a, const RowReservoir& b);

 private:
  std::size_t capacity_ = 0;
  std::int64_t width_ = 0;
  std::vector<Row> rows_;  // a heap: the largest place first
};

}  // namespace onnxpress
