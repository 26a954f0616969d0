// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/batching.h"
#include "data/input_spec.h"
#include "ir/shape.h"

namespace onnxpress {

// What the rows of an activation are. An activation [d0, …, dn, K] has d0 · … · dn rows of K
// channels.
struct ActivationRows {
  std::int64_t count = 0;
  std::int64_t width = 0;               // K
  std::vector<std::uint8_t> valid;      // 0: padding, or a sample that only fills the batch
  std::vector<std::uint8_t> held_out;   // CalibrationSet::held_out of the row's sample
  std::vector<std::int64_t> sample;     // the row's sample
  std::vector<std::int64_t> in_sample;  // which row of its sample: the same however long the batch
  std::int64_t valid_count = 0;
};

// Knows the padding of one batch.
class BatchRows {
 public:
  BatchRows(const Batch& batch, std::span<const InputSpec> inputs);

  // Told by the sizes, B samples and S tokens to a row of token ids:
  //   [B, S, …, K], [B, H, S, K], [B·S, …, K], [S, B, K]   a row is a token: padding is not valid
  //   [B, K]                                               a row is a sample (pooled)
  //   [B·n, …, K]                                          n rows (or more) a sample, all valid
  //   anything else                                        all valid, of the batch's first sample
  // Scalars and vectors [K] are one row.
  [[nodiscard]] ActivationRows rows(const Dims& dims) const;

 private:
  [[nodiscard]] bool counts(std::int64_t row, std::int64_t position) const;
  std::int64_t rows_ = 0, width_ = 0;  // B and S; S is 0 without tokens
  std::vector<std::size_t> samples_, lengths_;
  std::vector<std::int64_t> mask_;  // [B, S], or empty
};

}  // namespace onnxpress
