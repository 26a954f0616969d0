// SPDX-License-Identifier: Apache-2.0
#include "numerics/weight_outlier.h"

#include <algorithm>
#include <cmath>

#include "numerics/dense/level.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kOutputs = 128;  // of a thread's turn; weights that are looked at together

// The largest magnitude of a channel, and the energy of all others.
struct Channel {
  double largest = 0;
  double rest = 0;
  void add(const Channel& part) {
    const double smaller = std::min(part.largest, largest);
    largest = std::max(part.largest, largest);
    rest += part.rest + smaller * smaller;
  }
  [[nodiscard]] double rms(std::int64_t count) const {
    return std::sqrt(rest / static_cast<double>(std::max<std::int64_t>(count - 1, 1)));
  }
};

// Channels [begin, end), at most kOutputs, of a matrix stored [in, out].
void look_at_columns(const WeightRef& w, std::int64_t begin, std::int64_t end, Channel* channels) {
  float buffer[kOutputs];
  double largest[kOutputs] = {};
  double rest[kOutputs] = {};
  const std::int64_t count = end - begin;
  for (std::int64_t i = 0; i < w.in; ++i) {
    dense::level().add_energies(floats_at(w, i * w.out + begin, count, buffer), count, largest,
                                rest);
  }
  for (std::int64_t o = 0; o < count; ++o) channels[o] = {largest[o], rest[o]};
}

// A channel of a matrix stored [out, in].
Channel look_at_row(const WeightRef& w, std::int64_t row) {
  float buffer[kOutputs];
  double largest[kOutputs] = {};
  double rest[kOutputs] = {};
  for (std::int64_t at = 0; at < w.in; at += kOutputs) {
    const std::int64_t count = std::min(kOutputs, w.in - at);
    dense::level().add_energies(floats_at(w, row * w.in + at, count, buffer), count, largest, rest);
  }
  Channel channel;
  for (std::int64_t i = 0; i < kOutputs; ++i) channel.add({largest[i], rest[i]});
  return channel;
}

float weight_at(const WeightRef& w, std::int64_t input, std::int64_t output) {
  float value = 0;
  read_weights(w, w.layout == MatrixLayout::in_out ? input * w.out + output : output * w.in + input,
               {&value, 1});
  return value;
}

}  // namespace

std::vector<WeightOutlier> find_outliers(const WeightRef& w, double ratio, ThreadPool& pool) {
  std::vector<Channel> channels(static_cast<std::size_t>(w.out));
  pool.parallel_for(w.out, kOutputs, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; at += kOutputs) {
      const std::int64_t last = std::min(end, at + kOutputs);
      if (w.layout == MatrixLayout::in_out) {
        look_at_columns(w, at, last, channels.data() + at);
      } else {
        for (std::int64_t o = at; o < last; ++o) {
          channels[static_cast<std::size_t>(o)] = look_at_row(w, o);
        }
      }
    }
  });
  std::vector<WeightOutlier> found;
  for (std::int64_t o = 0; o < w.out; ++o) {
    const Channel& channel = channels[static_cast<std::size_t>(o)];
    const double rms = channel.rms(w.in);
    if (rms == 0 || channel.largest <= ratio * rms) continue;
    WeightOutlier outlier{o, 0, 0, rms};
    for (std::int64_t i = 0; i < w.in; ++i) {
      const float value = weight_at(w, i, o);
      if (std::fabs(value) > std::fabs(outlier.value)) outlier = {o, i, value, rms};
    }
    found.push_back(outlier);
  }
  return found;
}

void cut_outliers(Matrix& w, double ratio) {
  for (std::int64_t o = 0; o < w.columns; ++o) {
    std::vector<double> sizes;
    for (std::int64_t i = 0; i < w.rows; ++i) {
      sizes.push_back(std::fabs(static_cast<double>(w(i, o))));
    }
    std::ranges::sort(sizes);
    double energy = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const double limit =
          ratio * std::sqrt(energy / static_cast<double>(std::max(i, std::size_t{1})));
      if (i > sizes.size() / 2 && limit > 0 && sizes[i] > limit) {
        const auto most = static_cast<float>(limit);
        for (std::int64_t j = 0; j < w.rows; ++j) w(j, o) = std::clamp(w(j, o), -most, most);
        break;
      }
      energy += sizes[i] * sizes[i];
    }
  }
}

}  // namespace onnxpress
