// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ir/tensor.h"
#include "onnxpress/document.h"

namespace onnxpress {

// The elements of a tensor as float, without a copy where they are float32. The tensor must outlive
// it. Throws Error (unsupported_type) for strings, complex and packed types.
class Floats {
 public:
  explicit Floats(const Tensor& tensor);
  [[nodiscard]] std::span<const float> values() const { return values_; }

 private:
  std::vector<float> converted_;
  std::span<const float> values_;
};

// KL(softmax(reference) || softmax(candidate)) in nats, never below 0. NaN if a logit is NaN.
[[nodiscard]] double kl_divergence(std::span<const float> reference,
                                   std::span<const float> candidate);

// Index of the largest logit, the first of equals; -1 if one is NaN or there is none.
[[nodiscard]] std::int64_t top1(std::span<const float> logits);

// Collects, vector by vector, how close one output stays to the reference, without keeping any
// vector: a language model's logits are seen once and forgotten.
//
//   AgreementMeter meter("logits", /*logits=*/true);
//   meter.add(reference_row, candidate_row, sample);  // … for every row that is not padding
//   OutputAgreement result = meter.result(seed);
class AgreementMeter {
 public:
  // `logits`: the vectors are unnormalised log-probabilities, so top-1 and KL have a meaning.
  AgreementMeter(std::string output, bool logits);

  // Both vectors have the same length. `sample`: whose row it is; rows of one sample are resampled
  // together when the interval of the mean KL is computed.
  void add(std::span<const float> reference, std::span<const float> candidate, std::size_t sample);

  // agreement, kl_mean, kl_median, kl_p99, kl_max for logits; cosine_min, cosine_mean, max_abs and
  // sqnr (dB; infinite where nothing differs) for every output. Of two zero vectors the cosine
  // is 1, of one 0.
  [[nodiscard]] OutputAgreement result(std::uint64_t seed) const;

 private:
  std::string output_;
  bool logits_;
  std::int64_t rows_ = 0;
  std::int64_t same_top1_ = 0;
  std::vector<double> divergences_;
  std::vector<double> kl_of_sample_, rows_of_sample_;
  double cosine_sum_ = 0, cosine_min_ = 1, max_abs_ = 0, signal_ = 0, noise_ = 0;
};

}  // namespace onnxpress
