// SPDX-License-Identifier: Apache-2.0
#include "calib/tensor_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error_codes.h"
#include "calib/calibration_set.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kMostWaiting = 4096;  // rows
constexpr float kLargest = 16777216.0F;      // 2^24: its square, summed over a million rows, fits

bool is_usable(const float* row, std::int64_t width) {
  return std::all_of(row, row + width, [](float x) { return std::fabs(x) <= kLargest; });
}

void add_counted(const std::vector<float>& x, std::int64_t width, ExactSums& sum,
                 ExactSums& sum_abs) {
  std::vector<double> plain(static_cast<std::size_t>(width), 0);
  std::vector<double> absolute(plain);
  for (std::size_t i = 0; i < x.size();) {
    for (std::size_t c = 0; c < plain.size(); ++c, ++i) {
      plain[c] += x[i];
      absolute[c] += std::fabs(x[i]);
    }
  }
  for (std::size_t c = 0; c < plain.size(); ++c) {
    sum.add(c, plain[c]);
    sum_abs.add(c, absolute[c]);
  }
}

std::vector<double> divided(const ExactSums& sums, std::int64_t rows) {
  std::vector<double> means = sums.to_doubles();
  for (double& mean : means) mean = rows > 0 ? mean / static_cast<double>(rows) : 0;
  return means;
}

// The rows that can be summed, in the order of the batch; the rest is counted.
ValidRows usable_rows(const ValidRows& batch) {
  ValidRows usable;
  usable.width = batch.width;
  usable.skipped = batch.skipped;
  for (std::int64_t r = 0; r < batch.count(); ++r) {
    const float* row = batch.edited.data() + r * batch.width;
    if (!is_usable(row, batch.width)) {
      ++usable.skipped;
      continue;
    }
    usable.edited.insert(usable.edited.end(), row, row + batch.width);
    usable.sample.push_back(batch.sample[static_cast<std::size_t>(r)]);
    usable.in_sample.push_back(batch.in_sample[static_cast<std::size_t>(r)]);
    ++(r < batch.train ? usable.train : usable.held_out);
  }
  return usable;
}

void require_gram(bool has_gram) {
  if (!has_gram) throw Error(codes::internal_error, "no Gram matrix was collected");
}

}  // namespace

TensorStatistics::TensorStatistics(std::int64_t channel_count, const StatisticsRequest& request)
    : width(channel_count),
      channels(channel_count),
      sum(static_cast<std::size_t>(channel_count)),
      sum_abs(static_cast<std::size_t>(channel_count)) {
  if (request.histogram) histogram.emplace();
  if (request.gram && channel_count <= request.most_gram_channels) {
    train.emplace(channel_count);
    held_out.emplace(channel_count);
  }
  if (request.reservoir_rows > 0) reservoir.emplace(request.reservoir_rows, channel_count);
  if (request.moving_range) moving.emplace();
}

void TensorStatistics::add(const ValidRows& batch, Gram& scratch, ThreadPool& pool) {
  if (batch.width != width) {
    throw Error(codes::unsupported_model,
                fmt::format("a tensor's last size is {} in one batch and {} in another", width,
                            batch.width),
                "only tensors with a fixed number of channels can be calibrated");
  }
  const ValidRows x = usable_rows(batch);
  const float* data = x.edited.data();
  skipped_rows += x.skipped;
  rows += x.count();
  channels.add(data, x.count());
  add_counted(x.edited, width, sum, sum_abs);
  const auto elements = static_cast<std::int64_t>(x.edited.size());
  if (histogram) histogram->add(data, elements);
  if (train && x.count() > 0) {
    const std::int64_t chunk = x.sample.front() / static_cast<std::int64_t>(kChunkSamples);
    if (chunk != waiting_.chunk) add_waiting(scratch, pool);
    waiting_.chunk = chunk;
    const float* middle = data + x.train * width;
    waiting_.train.insert(waiting_.train.end(), data, middle);
    waiting_.held_out.insert(waiting_.held_out.end(), middle, data + elements);
    const auto most = static_cast<std::size_t>(kMostWaiting * width);
    if (waiting_.train.size() + waiting_.held_out.size() > most) add_waiting(scratch, pool);
  }
  if (moving) moving->add_batch(data, elements);
  for (std::int64_t r = 0; reservoir && r < x.count(); ++r) {
    const auto at = static_cast<std::size_t>(r);
    reservoir->add(x.sample[at], x.in_sample[at], data + r * width);
  }
}

void TensorStatistics::finish(Gram& scratch, ThreadPool& pool) {
  if (train) add_waiting(scratch, pool);
  waiting_ = {};
}

void TensorStatistics::add_waiting(Gram& scratch, ThreadPool& pool) {
  const auto rows_in = [this](const std::vector<float>& x) {
    return static_cast<std::int64_t>(x.size()) / std::max<std::int64_t>(width, 1);
  };
  train->add(waiting_.train.data(), rows_in(waiting_.train), scratch, pool);
  held_out->add(waiting_.held_out.data(), rows_in(waiting_.held_out), scratch, pool);
  waiting_.train.clear();
  waiting_.held_out.clear();
}

TensorStatistics& TensorStatistics::operator+=(const TensorStatistics& other) {
  if (other.width != width || other.histogram.has_value() != histogram.has_value() ||
      other.train.has_value() != train.has_value() ||
      other.reservoir.has_value() != reservoir.has_value()) {
    throw Error(codes::internal_error, "statistics of different kinds are merged");
  }
  rows += other.rows;
  skipped_rows += other.skipped_rows;
  channels += other.channels;
  sum += other.sum;
  sum_abs += other.sum_abs;
  if (histogram) *histogram += *other.histogram;
  if (train) {
    *train += *other.train;
    *held_out += *other.held_out;
  }
  if (reservoir) *reservoir += *other.reservoir;
  moving.reset();
  return *this;
}

Range TensorStatistics::range() const {
  if (rows == 0 || width == 0) return {};
  return {channels.tensor_min(), channels.tensor_max()};
}

std::vector<double> TensorStatistics::mean() const {
  return divided(sum, rows);
}
std::vector<double> TensorStatistics::mean_abs() const {
  return divided(sum_abs, rows);
}

Gram TensorStatistics::gram() const {
  require_gram(train.has_value());
  Gram all = train->gram();
  all += held_out->gram();
  return all;
}

StageMoments TensorStatistics::moments() const {
  require_gram(train.has_value());
  StageMoments result;
  result.train.edited = train->gram();
  result.held_out.edited = held_out->gram();
  result.skipped_rows = skipped_rows;
  return result;
}

}  // namespace onnxpress
