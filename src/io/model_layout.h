// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include "io/rope.h"
#include "io/tensor_writer.h"
#include "io/writer.h"

namespace onnxpress::io {

// The bytes of a model file and, where the weights go beside it, of its data file.
struct ModelLayout {
  Rope model;
  std::optional<DataFile> data;
  [[nodiscard]] std::int64_t size() const {
    return model.size() + (data ? data->bytes().size() : 0);
  }
};

enum class DataName { placeholder, from_contents };

// The layout points to the weights of `model`. The data file is called after the destination and
// its own contents: `small.<8 hex>.onnx_data`; a placeholder of the same length will do where only
// the size is asked for. Throws Error (unsupported_model) if a model over 2 GiB must not have a
// data file.
[[nodiscard]] ModelLayout lay_out(const Model& model, const WriteOptions& options,
                                  const std::filesystem::path& destination, DataName naming);

}  // namespace onnxpress::io
