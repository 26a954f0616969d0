// SPDX-License-Identifier: Apache-2.0
#include "support/shared.h"

#include <cstdlib>

namespace onnxpress::test {

std::optional<std::filesystem::path> shared_dir() {
  const char* configured = std::getenv("ONNXPRESS_SHARED");
  const std::filesystem::path path = configured != nullptr ? std::filesystem::path(configured)
                                                           : source_dir().parent_path() / "shared";
  if (!std::filesystem::is_directory(path / "models")) return std::nullopt;
  return path;
}

std::filesystem::path source_dir() {
  return ONNXPRESS_SOURCE_DIR;
}

}  // namespace onnxpress::test
