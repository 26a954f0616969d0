// SPDX-License-Identifier: Apache-2.0
#include "calib/tensor_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error_codes.h"
#include "calib/byte_stream.h"

namespace onnxpress {
namespace {

enum Flags : std::uint8_t { kHistogram = 1, kGram = 2, kRounded = 4, kReservoir = 8 };
constexpr std::int64_t kMostCounted = std::int64_t{1} << 48;
constexpr std::int64_t kMostChannels = std::int64_t{1} << 31;

void require(bool holds, const char* what) {
  if (!holds) throw Error(codes::bad_calibration, fmt::format("malformed statistics: {}", what));
}

bool are_finite(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float x) { return std::isfinite(x); });
}

std::int64_t get_count(ByteReader& in) {
  const auto count = in.get<std::int64_t>();
  require(count >= 0 && count < kMostCounted, "a count is wrong");
  return count;
}

ExactSums get_sums(ByteReader& in, std::uint64_t count) {
  ExactSums sums;
  sums.raw() = in.get_all<Int128>(count);
  return sums;
}

void put_histogram(ByteWriter& out, const Histogram& histogram) {
  const std::int64_t first = histogram.first();
  const std::int64_t last = histogram.last();
  out.put(static_cast<std::int32_t>(histogram.exponent()));
  out.put(static_cast<std::int32_t>(first));
  out.put(static_cast<std::uint32_t>(last - first));
  for (std::int64_t bin = first; bin < last; ++bin) out.put(histogram.count(bin));
}

Histogram get_histogram(ByteReader& in) {
  const auto exponent = in.get<std::int32_t>();
  const auto first = in.get<std::int32_t>();
  return Histogram::of_counts(exponent, first, in.get_all<std::int64_t>(in.get<std::uint32_t>()));
}

void put_gram(ByteWriter& out, const GramSums& gram) {
  out.put(gram.rows);
  out.put_all(gram.sum.raw());
  out.put_all(gram.xx.raw());
  out.put_all(gram.rounded_xx);
}

GramSums get_gram(ByteReader& in, std::int64_t width, bool rounded) {
  GramSums gram;
  gram.size = width;
  gram.rows = get_count(in);
  const auto k = static_cast<std::uint64_t>(width);
  gram.sum = get_sums(in, k);
  if (rounded) {
    gram.rounded_xx = in.get_all<float>(k * (k + 1) / 2);
    require(are_finite(gram.rounded_xx), "a Gram matrix is not finite");
  } else {
    gram.xx = get_sums(in, k * (k + 1) / 2);
  }
  return gram;
}

void put_reservoir(ByteWriter& out, const RowReservoir& reservoir) {
  out.put(static_cast<std::uint64_t>(reservoir.capacity()));
  out.put(static_cast<std::uint64_t>(reservoir.size()));
  for (const RowReservoir::Row& row : reservoir.rows()) {
    out.put(row.place.sample);
    out.put(row.place.in_sample);
    out.put_all(row.values);
  }
}

RowReservoir get_reservoir(ByteReader& in, std::int64_t width) {
  const auto capacity = in.get<std::uint64_t>();
  const auto size = in.get<std::uint64_t>();
  require(size <= capacity, "too many rows are kept");
  RowReservoir reservoir(capacity, width);
  for (std::uint64_t i = 0; i < size; ++i) {
    const auto sample = get_count(in);
    const auto in_sample = get_count(in);
    const auto values = in.get_all<float>(static_cast<std::uint64_t>(width));
    require(are_finite(values), "a row is not finite");
    reservoir.add(sample, in_sample, values.data());
  }
  return reservoir;
}

}  // namespace

std::string encode_statistics(const TensorStatistics& statistics) {
  ByteWriter out;
  const bool rounded = statistics.train && statistics.train->is_rounded();
  out.put(static_cast<std::uint8_t>((statistics.histogram ? kHistogram : 0) |
                                    (statistics.train ? kGram : 0) | (rounded ? kRounded : 0) |
                                    (statistics.reservoir ? kReservoir : 0)));
  out.put(statistics.width);
  out.put(statistics.rows);
  out.put(statistics.skipped_rows);
  out.put_all(statistics.channels.min);
  out.put_all(statistics.channels.max);
  out.put_all(statistics.sum.raw());
  out.put_all(statistics.sum_abs.raw());
  if (statistics.histogram) put_histogram(out, *statistics.histogram);
  if (statistics.train) {
    put_gram(out, *statistics.train);
    put_gram(out, *statistics.held_out);
  }
  if (statistics.reservoir) put_reservoir(out, *statistics.reservoir);
  return out.take();
}

TensorStatistics decode_statistics(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  const auto flags = in.get<std::uint8_t>();
  TensorStatistics result;
  result.width = get_count(in);
  require(result.width < kMostChannels, "too many channels");
  result.rows = get_count(in);
  result.skipped_rows = get_count(in);
  const auto k = static_cast<std::uint64_t>(result.width);
  result.channels.min = in.get_all<float>(k);
  result.channels.max = in.get_all<float>(k);
  require(result.rows == 0 || (are_finite(result.channels.min) && are_finite(result.channels.max)),
          "a range is not finite");
  for (std::size_t c = 0; result.rows > 0 && c < k; ++c) {
    require(result.channels.min[c] <= result.channels.max[c], "a range is upside down");
  }
  result.sum = get_sums(in, k);
  result.sum_abs = get_sums(in, k);
  if ((flags & kHistogram) != 0) result.histogram = get_histogram(in);
  if ((flags & kGram) != 0) {
    result.train = get_gram(in, result.width, (flags & kRounded) != 0);
    result.held_out = get_gram(in, result.width, (flags & kRounded) != 0);
  }
  if ((flags & kReservoir) != 0) result.reservoir = get_reservoir(in, result.width);
  require(in.left() == 0, "bytes are left over");
  return result;
}

void require_same_kind(const TensorStatistics& a, const TensorStatistics& b) {
  const bool same = a.width == b.width && a.histogram.has_value() == b.histogram.has_value() &&
                    a.train.has_value() == b.train.has_value() &&
                    a.reservoir.has_value() == b.reservoir.has_value() &&
                    (!a.train || (!a.train->is_rounded() && !b.train->is_rounded())) &&
                    (!a.reservoir || a.reservoir->capacity() == b.reservoir->capacity());
  require(same, "two files hold different statistics of one tensor");
}

}  // namespace onnxpress
