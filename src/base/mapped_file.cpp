// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

std::int64_t modified_ns(const struct stat& status) {
  return status.st_mtim.tv_sec * std::int64_t{1'000'000'000} + status.st_mtim.tv_nsec;
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      throw Error(codes::file_missing, fmt::format("{}: no such file", path.string()));
    }
    throw Error(codes::cannot_read, fmt::format("{}: {}", path.string(), std::strerror(errno)));
  }
  return from_descriptor(descriptor, path);
}

std::shared_ptr<const MappedFile> MappedFile::from_descriptor(int descriptor,
                                                              std::filesystem::path path) {
  const std::shared_ptr<MappedFile> file(new MappedFile());
  file->descriptor_ = descriptor;
  file->path_ = std::move(path);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) {
    throw Error(codes::cannot_read,
                fmt::format("{}: {}", file->path_.string(), std::strerror(errno)));
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error(codes::not_a_file,
                fmt::format("{}: {}", file->path_.string(),
                            S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file"));
  }
  file->modified_ns_ = modified_ns(status);
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return file;
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (address == MAP_FAILED) {
    throw Error(codes::cannot_read,
                fmt::format("{}: {}", file->path_.string(), std::strerror(errno)));
  }
  file->bytes_ = {static_cast<const std::byte*>(address), size};
  return file;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  if (descriptor_ >= 0) ::close(descriptor_);
}

void MappedFile::check_unchanged() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 ||
      static_cast<std::size_t>(status.st_size) != bytes_.size() ||
      modified_ns(status) != modified_ns_) {
    throw Error(codes::input_changed,
                fmt::format("{}: changed while it was being read", path_.string()));
  }
}

void MappedFile::release(std::span<const std::byte> part) const {
  // Whole pages only; the mapping begins at a page.
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = static_cast<std::size_t>(part.data() - bytes_.data());
  const std::size_t begin = (offset + page - 1) / page * page;
  const std::size_t end = (offset + part.size()) / page * page;
  if (begin >= end) return;
  ::madvise(const_cast<std::byte*>(bytes_.data()) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace onnxpress
