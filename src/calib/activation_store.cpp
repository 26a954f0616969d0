// SPDX-License-Identifier: Apache-2.0
#include "calib/activation_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

[[noreturn]] void fail(const std::filesystem::path& folder, std::string_view what) {
  throw Error(codes::cannot_write,
              fmt::format("{}: a temporary file for activations can't be {}: {}", folder.string(),
                          what, std::strerror(errno)),
              "free some space, or let TMPDIR name another folder");
}

int open_nameless(const std::filesystem::path& folder) {
  std::string name = (folder / "onnxpress-XXXXXX").string();
  const int file = ::mkostemp(name.data(), O_CLOEXEC);
  if (file < 0) fail(folder, "made");
  ::unlink(name.c_str());
  return file;
}

}  // namespace

struct ActivationStore::Kept {
  struct Piece {
    Tensor tensor;  // without elements where they are in the file
    DType dtype = DType::undefined;
    Dims dims;
    std::size_t bytes = 0;
    off_t offset = -1;  // in the file; -1: in memory
  };
  std::vector<Piece> pieces;
  int file = -1;
  off_t end = 0;

  ~Kept() {
    if (file >= 0) ::close(file);
  }
};

ActivationStore::ActivationStore(std::size_t memory_bound, std::filesystem::path folder)
    : memory_bound_(memory_bound),
      folder_(folder.empty() ? std::filesystem::temp_directory_path() : std::move(folder)) {}

ActivationStore::~ActivationStore() = default;

void ActivationStore::put(ValueId value, const Tensor& tensor) {
  auto& kept = kept_[value];
  if (!kept) kept = std::make_unique<Kept>();
  Kept::Piece piece{{}, tensor.dtype(), tensor.dims(), tensor.bytes().size(), -1};
  if (memory_bytes_ + piece.bytes <= memory_bound_) {
    piece.tensor = tensor;
    memory_bytes_ += piece.bytes;
  } else {
    if (kept->file < 0) kept->file = open_nameless(folder_);
    piece.offset = kept->end;
    for (std::size_t done = 0; done < piece.bytes;) {
      const ssize_t written = ::pwrite(kept->file, tensor.bytes().data() + done, piece.bytes - done,
                                       piece.offset + static_cast<off_t>(done));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) fail(folder_, "written");
      done += static_cast<std::size_t>(written);
    }
    kept->end += static_cast<off_t>(piece.bytes);
    spilled_bytes_ += piece.bytes;
  }
  kept->pieces.push_back(std::move(piece));
}

Tensor ActivationStore::get(ValueId value, std::size_t batch) const {
  const Kept& kept = *kept_.at(value);
  const Kept::Piece& piece = kept.pieces.at(batch);
  if (piece.offset < 0) return piece.tensor;
  std::vector<std::byte> bytes(piece.bytes);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t got = ::pread(kept.file, bytes.data() + done, bytes.size() - done,
                                piece.offset + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail(folder_, "read");
    done += static_cast<std::size_t>(got);
  }
  return Tensor::from_bytes(piece.dtype, piece.dims, std::move(bytes));
}

void ActivationStore::drop(ValueId value) {
  const auto at = kept_.find(value);
  if (at == kept_.end()) return;
  for (const Kept::Piece& piece : at->second->pieces) {
    (piece.offset < 0 ? memory_bytes_ : spilled_bytes_) -= piece.bytes;
  }
  kept_.erase(at);
}

std::vector<ValueId> ActivationStore::values() const {
  std::vector<ValueId> result;
  for (const auto& [value, kept] : kept_) result.push_back(value);
  return result;
}

}  // namespace onnxpress
