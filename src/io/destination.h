// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>

#include "io/writer.h"

namespace onnxpress::io {

// Where a write to `path` ends up: absolute, symbolic links at its end followed.
[[nodiscard]] std::filesystem::path final_destination(const std::filesystem::path& path);

// Throws Error (cannot_write) unless the destination's file system has that many bytes free and
// some to spare.
void require_free_space(const std::filesystem::path& destination, std::int64_t bytes);

// Moves a finished file to its place in one step. With `force` it takes over the permissions of the
// file it replaces; without, it throws Error (output_exists) if there is one. Throws Error
// (cannot_write).
void move_into_place(const std::filesystem::path& from, const std::filesystem::path& to,
                     bool force);

// Makes the names in a file's folder durable. File systems that can't are left alone.
void sync_folder_of(const std::filesystem::path& file);

}  // namespace onnxpress::io
