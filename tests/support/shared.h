// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

namespace onnxpress::test {

// The folder with the models and data that are too big for the repository (shared/ beside the
// checkout, or wherever the environment variable ONNXPRESS_SHARED points), if it is there.
std::optional<std::filesystem::path> shared_dir();

// The repository's own folder, for models/ and test data.
std::filesystem::path source_dir();

}  // namespace onnxpress::test

// Skips the running test, with the reason, where the shared folder is absent; otherwise defines
// `name` as its path.
#define ONNXPRESS_SHARED_OR_SKIP(name)                                               \
  const auto name##_found = onnxpress::test::shared_dir();                           \
  if (!name##_found) GTEST_SKIP() << "needs the shared/ folder beside the checkout"; \
  const std::filesystem::path& name = *name##_found
