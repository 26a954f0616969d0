// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "data/dataset.h"

namespace onnxpress {

// The arrays of an .npz archive (stored or deflated), in its order, named without ".npy". Throws
// Error (bad_data, empty_data) naming the entry.
[[nodiscard]] std::vector<NamedTensor> read_npz(const std::filesystem::path& path);

// Writes an uncompressed .npz that numpy reads. The same tensors give the same bytes. Replaces an
// existing file only when the new one is complete. Throws Error (cannot_write, unsupported_type).
void write_npz(const std::filesystem::path& path, std::span<const NamedTensor> tensors);

}  // namespace onnxpress
