// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "io/writer.h"

namespace onnxpress {

// Writes a file that appears whole or not at all: under a temporary name, down to the disk, read
// back by `check` (which throws if it is not right), then moved to its place in one step. Only
// `force` and `protected_inputs` of the options count. Throws what check_destination() throws, and
// Error (cannot_write, output_exists); then what stood there before is untouched.
void publish_file(const std::filesystem::path& destination, std::span<const std::string> pieces,
                  const WriteOptions& options,
                  const std::function<void(const std::filesystem::path&)>& check);

}  // namespace onnxpress
