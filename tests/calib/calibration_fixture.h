// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calib/calibration_file.h"
#include "calib/collect_statistics.h"
#include "data/input_spec.h"
#include "io/reader.h"
#include "support/shared.h"

namespace onnxpress::test {

// Sentences of made-up tokens, of several lengths.
inline Dataset sentences(std::size_t count, std::int32_t vocabulary) {
  std::vector<TextSample> texts;
  for (std::size_t i = 0; i < count; ++i) {
    TextSample text;
    for (std::size_t t = 0; t < 4 + i * 5 % 11; ++t) {
      text.ids.push_back(
          static_cast<std::int32_t>((i * 131 + t * 37) % static_cast<std::size_t>(vocabulary)));
    }
    texts.push_back(std::move(text));
  }
  return Dataset::of_texts(std::move(texts), {}, 0, "made up");
}

inline Model small_gpt() {
  return read_model(source_dir() / "models/gpt-shakespeare/model.onnx");
}

struct CalibrationCase {
  std::size_t samples = 300;
  std::size_t batch = 32;
  Shard shard{};
  CollectionOptions options{};
  bool random = false;
};

// The bytes of the calibration file of a model.
inline std::string calibration_bytes(const Model& model, const CalibrationCase& c) {
  const CalibrationSet set(sentences(c.samples, 60), input_specs(model.graph), c.batch, c.shard);
  const auto values = calibrated_values(model.graph, TransformerView::of(model));
  CalibrationEncoder encoder(header_of(model, set, c.options.request, c.random), values.size());
  collect_statistics(model, values, set, c.options, [&](ValueId id, TensorStatistics&& statistics) {
    encoder.add(model.graph.value(id).name, std::move(statistics));
  });
  std::string bytes;
  for (const std::string& piece : std::move(encoder).finish()) bytes += piece;
  return bytes;
}

}  // namespace onnxpress::test
