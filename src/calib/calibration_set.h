// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "data/batching.h"
#include "data/dataset.h"
#include "data/input_spec.h"

namespace onnxpress {

// Part `index` of `count` of a set of samples; 1-based, as on the command line ("2/8").
struct Shard {
  std::size_t index = 1;
  std::size_t count = 1;
  friend bool operator==(const Shard&, const Shard&) = default;
};

// Samples are cut into chunks of so many, in the order of the data set; batches and shards never
// cross the border between two chunks, so a shard runs exactly the batches that a whole run would.
inline constexpr std::size_t kChunkSamples = 128;

// The data a calibration runs on: which samples go together in which batch, fixed once. Samples
// whose inputs hold NaN or infinity are left out.
//
//   const CalibrationSet set(std::move(dataset), input_specs(model.graph), 32);
//   for (std::size_t i = 0; i < set.batches(); ++i) session.run(set.batch(i).inputs);
class CalibrationSet {
 public:
  // Throws Error: empty_data (no samples), bad_data (every sample holds NaN or infinity),
  // bad_option (the shard does not exist, or has no samples).
  CalibrationSet(Dataset data, std::vector<InputSpec> inputs, std::size_t batch_size = 32,
                 Shard shard = {});

  [[nodiscard]] std::size_t batches() const { return plan_.size(); }
  // Made anew at each call; the same every time. Throws what make_batch() throws.
  [[nodiscard]] Batch batch(std::size_t index) const;

  // Of this shard, those left out not counted.
  [[nodiscard]] std::int64_t samples() const { return samples_; }
  [[nodiscard]] std::int64_t tokens() const { return tokens_; }
  // Of this shard, left out for NaN or infinity (G4).
  [[nodiscard]] std::int64_t skipped_samples() const { return skipped_; }
  // Chunks [first, last) of chunk_count() belong to this shard.
  [[nodiscard]] std::size_t first_chunk() const { return first_chunk_; }
  [[nodiscard]] std::size_t last_chunk() const { return last_chunk_; }
  [[nodiscard]] std::size_t chunk_count() const;

  // A fixed quarter of the samples, for judging what was solved on the others: by a hash of the
  // sample's index, so neither order nor shards matter. The first sample is never held out.
  [[nodiscard]] static bool held_out(std::size_t sample);

  [[nodiscard]] const Dataset& data() const { return data_; }
  [[nodiscard]] const std::vector<InputSpec>& inputs() const { return inputs_; }
  [[nodiscard]] std::size_t batch_size() const { return batch_size_; }

 private:
  Dataset data_;
  std::vector<InputSpec> inputs_;
  std::size_t batch_size_;
  std::size_t first_chunk_ = 0, last_chunk_ = 0;
  std::int64_t samples_ = 0, tokens_ = 0, skipped_ = 0;
  std::vector<std::vector<std::size_t>> plan_;  // samples of each batch
};

}  // namespace onnxpress
