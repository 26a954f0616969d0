// SPDX-License-Identifier: Apache-2.0
#include "eval/agreement.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "eval/statistics.h"

namespace onnxpress {
namespace {

struct LogSum {
  double largest, log_sum;
};

LogSum log_sum_exp(std::span<const float> logits) {
  float largest = -std::numeric_limits<float>::infinity();
  for (const float x : logits) {
    if (std::isnan(x)) return {x, x};
    largest = std::max(largest, x);
  }
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - largest);
  return {largest, std::log(sum)};
}

// Comparisons with NaN are false, so a plain std::max would drop it.
double max_or_nan(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? a + b : std::max(a, b);
}
double min_or_nan(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? a + b : std::min(a, b);
}

}  // namespace

Floats::Floats(const Tensor& tensor) {
  if (tensor.dtype() == DType::float32) {
    values_ = tensor.as<float>();
    return;
  }
  const std::vector<double> doubles = tensor.to_doubles();
  converted_.assign(doubles.begin(), doubles.end());
  values_ = converted_;
}

double kl_divergence(std::span<const float> reference, std::span<const float> candidate) {
  const LogSum p = log_sum_exp(reference);
  const LogSum q = log_sum_exp(candidate);
  double divergence = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double log_p = reference[i] - p.largest - p.log_sum;
    const double probability = std::exp(log_p);
    if (probability == 0) continue;  // 0 log 0 = 0
    divergence += probability * (log_p - (candidate[i] - q.largest - q.log_sum));
  }
  return std::isnan(divergence) || std::isnan(p.largest) || std::isnan(q.largest)
             ? std::numeric_limits<double>::quiet_NaN()
             : std::max(0.0, divergence);
}

std::int64_t top1(std::span<const float> logits) {
  std::int64_t best = -1;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(logits[i])) return -1;
    if (best < 0 || logits[i] > logits[static_cast<std::size_t>(best)]) {
      best = static_cast<std::int64_t>(i);
    }
  }
  return best;
}

AgreementMeter::AgreementMeter(std::string output, bool logits)
    : output_(std::move(output)), logits_(logits) {}

void AgreementMeter::add(std::span<const float> reference, std::span<const float> candidate,
                         std::size_t sample) {
  ++rows_;
  if (logits_) {
    const std::int64_t best = top1(reference);
    if (best >= 0 && best == top1(candidate)) ++same_top1_;
    const double divergence = kl_divergence(reference, candidate);
    divergences_.push_back(divergence);
    if (kl_of_sample_.size() <= sample) {
      kl_of_sample_.resize(sample + 1);
      rows_of_sample_.resize(sample + 1);
    }
    kl_of_sample_[sample] += divergence;
    rows_of_sample_[sample] += 1;
  }
  double xy = 0;
  double xx = 0;
  double yy = 0;
  double noise = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const double x = reference[i];
    const double y = candidate[i];
    // Equal infinities (masks) differ by nothing, but their difference is NaN.
    const double difference = x == y ? 0 : x - y;
    max_abs_ = max_or_nan(max_abs_, std::abs(difference));
    noise += difference * difference;
    if (std::isinf(x) && x == y) continue;
    xy += x * y;
    xx += x * x;
    yy += y * y;
  }
  double cosine = xy / std::sqrt(xx * yy);
  if (xx == 0 || yy == 0) cosine = xx == yy ? 1 : 0;
  cosine = std::isnan(cosine) ? cosine : std::clamp(cosine, -1.0, 1.0);
  cosine_sum_ += cosine;
  cosine_min_ = min_or_nan(cosine_min_, cosine);
  signal_ += xx;
  noise_ += noise;
}

OutputAgreement AgreementMeter::result(std::uint64_t seed) const {
  OutputAgreement result{output_, rows_, {}};
  if (rows_ == 0) return result;
  const auto put = [&](const char* name, double value, const char* unit,
                       std::optional<Interval> interval = {}) {
    result.metrics.push_back({name, value, interval, rows_, unit});
  };
  const auto count = static_cast<double>(rows_);
  if (logits_) {
    put("agreement", static_cast<double>(same_top1_) / count, "share",
        wilson_interval(same_top1_, rows_));
    put("kl_mean", mean(divergences_), "nats",
        bootstrap_ratio(kl_of_sample_, rows_of_sample_, seed));
    put("kl_median", quantile(divergences_, 0.5), "nats");
    put("kl_p99", quantile(divergences_, 0.99), "nats");
    put("kl_max", quantile(divergences_, 1.0), "nats");
  }
  put("cosine_min", cosine_min_, "");
  put("cosine_mean", cosine_sum_ / count, "");
  put("max_abs", max_abs_, "");
  put("sqnr",
      noise_ == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal_ / noise_),
      "dB");
  return result;
}

}  // namespace onnxpress
