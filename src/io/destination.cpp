// SPDX-License-Identifier: Apache-2.0
#include "io/destination.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error_codes.h"

namespace onnxpress {
namespace io {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const std::string& why) {
  throw Error(codes::cannot_write, fmt::format("{}: {}", path.string(), why));
}

}  // namespace

fs::path final_destination(const fs::path& path) {
  fs::path at = fs::absolute(path);
  std::error_code error;
  for (int links = 0; fs::is_symlink(at, error); ++links) {
    if (links == 40) fail(path, std::strerror(ELOOP));
    const fs::path target = fs::read_symlink(at, error);
    if (error) fail(path, error.message());
    at = at.parent_path() / target;
  }
  return at;
}

void require_free_space(const fs::path& destination, std::int64_t bytes) {
  struct statvfs volume {};
  if (::statvfs(destination.parent_path().c_str(), &volume) != 0) return;
  const auto free = static_cast<double>(volume.f_bavail) * static_cast<double>(volume.f_frsize);
  const double needed = static_cast<double>(bytes) * 1.05;
  if (free < needed) {
    fail(destination, fmt::format("needs {:.1f} MB of disk space, but {:.1f} MB are free",
                                  needed / 1e6, free / 1e6));
  }
}

void move_into_place(const fs::path& from, const fs::path& to, bool force) {
  if (force) {
    struct stat old {};
    if (::stat(to.c_str(), &old) == 0) {
      // Best effort for the owner; the permissions matter.
      if (::chown(from.c_str(), old.st_uid, old.st_gid) != 0) errno = 0;
      if (::chmod(from.c_str(), old.st_mode & 07777) != 0) fail(to, std::strerror(errno));
    }
    if (::rename(from.c_str(), to.c_str()) != 0) fail(to, std::strerror(errno));
    return;
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return;
  // link() refuses to replace as well, and exists where that flag does not.
  if (errno == EINVAL || errno == ENOSYS) {
    if (::link(from.c_str(), to.c_str()) == 0) return;
  }
  if (errno == EEXIST)
    throw Error(codes::output_exists, fmt::format("{} exists already", to.string()));
  fail(to, std::strerror(errno));
}

void sync_folder_of(const fs::path& file) {
  const int folder = ::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  ::fsync(folder);
  ::close(folder);
}

}  // namespace io

void check_destination(const std::filesystem::path& destination, const WriteOptions& options) {
  const auto target = io::final_destination(destination);
  const auto folder = target.parent_path();
  struct stat there {};
  if (::stat(folder.c_str(), &there) != 0 || !S_ISDIR(there.st_mode)) {
    throw Error(codes::file_missing, fmt::format("folder {} does not exist", folder.string()),
                "make it, or choose another path for the output");
  }
  if (::stat(target.c_str(), &there) == 0) {
    for (const auto& input : options.protected_inputs) {
      struct stat other {};
      if (::stat(input.c_str(), &other) == 0 && other.st_dev == there.st_dev &&
          other.st_ino == there.st_ino) {
        throw Error(codes::output_is_input, fmt::format("the output {} is the input {}",
                                                        destination.string(), input.string()));
      }
    }
    if (!S_ISREG(there.st_mode)) {
      throw Error(codes::not_a_file,
                  fmt::format("the output {} is {}", destination.string(),
                              S_ISDIR(there.st_mode) ? "a directory" : "not a regular file"));
    }
    if (!options.force)
      throw Error(codes::output_exists, fmt::format("{} exists already", destination.string()));
  }
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    throw Error(codes::cannot_write,
                fmt::format("folder {}: {}", folder.string(), std::strerror(errno)));
  }
}

}  // namespace onnxpress
