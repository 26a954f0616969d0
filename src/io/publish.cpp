// SPDX-License-Identifier: Apache-2.0
#include "io/publish.h"

#include "io/destination.h"
#include "io/rope.h"
#include "io/staged_files.h"

namespace onnxpress {

void publish_file(const std::filesystem::path& destination, std::span<const std::string> pieces,
                  const WriteOptions& options,
                  const std::function<void(const std::filesystem::path&)>& check) {
  check_destination(destination, options);
  const std::filesystem::path target = io::final_destination(destination);
  io::Rope contents;
  for (const std::string& piece : pieces) {
    if (!piece.empty()) contents.borrow(io::as_bytes(piece));
  }
  io::require_free_space(target, contents.size());
  io::StagingFolder folder(target);
  const std::filesystem::path staged = folder.write(target.filename().string(), contents);
  check(staged);
  io::move_into_place(staged, target, options.force);
  io::sync_folder_of(target);
}

}  // namespace onnxpress
