// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace onnxpress {

// The SHA-256 of bytes, as 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256(std::span<const std::byte> bytes);

// The SHA-256 of a file's contents, read in pieces. Throws Error (file_missing, not_a_file,
// cannot_read).
[[nodiscard]] std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace onnxpress
