// SPDX-License-Identifier: Apache-2.0
#include "io/staged_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "base/error_codes.h"
#include "io/writer.h"

namespace onnxpress {
namespace io {
namespace {

namespace fs = std::filesystem;

// What a signal handler removes. Only plain memory and atomics: a handler may not allocate or lock.
constexpr std::size_t kFilesPerSlot = 3;
struct Slot {
  std::atomic<bool> taken{false};
  std::array<std::atomic<bool>, kFilesPerSlot> has_file{};
  std::atomic<bool> has_folder{false};
  std::array<std::array<char, PATH_MAX>, kFilesPerSlot> files{};
  std::array<char, PATH_MAX> folder{};
};
std::array<Slot, 8> slots;

bool put_path(std::array<char, PATH_MAX>& place, const fs::path& path) {
  if (path.native().size() >= place.size()) return false;
  std::memcpy(place.data(), path.c_str(), path.native().size() + 1);
  return true;
}

int take_slot(const fs::path& folder) {
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].taken.exchange(true)) continue;
    slots[i].has_folder = put_path(slots[i].folder, folder);
    return static_cast<int>(i);
  }
  return -1;
}

void release_slot(int index) {
  if (index < 0) return;
  Slot& slot = slots[static_cast<std::size_t>(index)];
  slot.has_folder = false;
  for (auto& has : slot.has_file) has = false;
  slot.taken = false;
}

[[noreturn]] void fail(const fs::path& path, int error) {
  throw Error(codes::cannot_write, fmt::format("{}: {}", path.string(), std::strerror(error)));
}

// Folders of the same destination that nobody holds and that are older than an hour.
void remove_stale(const fs::path& destination) {
  const std::string prefix = destination.filename().string() + ".tmp-";
  const auto hour_ago = fs::file_time_type::clock::now() - std::chrono::hours(1);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(destination.parent_path(), ignored)) {
    const bool ours = entry.path().filename().string().starts_with(prefix) &&
                      entry.is_directory(ignored) && !entry.is_symlink(ignored);
    if (!ours || entry.last_write_time(ignored) > hour_ago) continue;
    const int lock = ::open(entry.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0) continue;
    if (::flock(lock, LOCK_EX | LOCK_NB) == 0) fs::remove_all(entry.path(), ignored);
    ::close(lock);
  }
}

// Has the disk begin with what has been written, in a thread of its own, so that less is left to
// wait for at the end. Only a hint, which some file systems don't take.
class EarlyFlush {
 public:
  explicit EarlyFlush(int descriptor)
      : thread_([this, descriptor] {
          std::int64_t begun = 0;
          for (std::int64_t end = 0; (end = written_) != kDone; begun = end) {
            if (end == begun) {
              written_.wait(end);
              continue;
            }
            ::sync_file_range(descriptor, begun, end - begun, SYNC_FILE_RANGE_WRITE);
          }
        }) {}
  EarlyFlush(const EarlyFlush&) = delete;
  EarlyFlush& operator=(const EarlyFlush&) = delete;
  ~EarlyFlush() {
    written_ = kDone;
    written_.notify_one();
    thread_.join();
  }
  void wrote(std::int64_t total) {
    written_ = total;
    written_.notify_one();
  }

 private:
  static constexpr std::int64_t kDone = -1;
  std::atomic<std::int64_t> written_{0};
  std::thread thread_;
};

// Returns an errno, 0 for success.
int write_pieces(int descriptor, const Rope& contents) {
  constexpr std::size_t kAtOnce = 4 << 20;
  // Says at once if the disk is too small; file systems that can't do it are none the worse.
  if (::fallocate(descriptor, 0, 0, contents.size()) != 0 && (errno == ENOSPC || errno == EFBIG))
    return errno;
  EarlyFlush flush(descriptor);
  std::int64_t total = 0;
  std::int64_t told = 0;
  for (const Rope::Piece& piece : contents.pieces()) {
    for (Bytes rest = piece.bytes(); !rest.empty();) {
      const ssize_t written = ::write(descriptor, rest.data(), std::min(rest.size(), kAtOnce));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return written < 0 ? errno : ENOSPC;
      rest = rest.subspan(static_cast<std::size_t>(written));
      total += written;
      if (total - told < std::int64_t{kAtOnce}) continue;
      flush.wrote(told = total);
    }
  }
  return 0;
}

}  // namespace

StagingFolder::StagingFolder(const fs::path& destination) {
  remove_stale(destination);
  std::string name = destination.string() + ".tmp-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) fail(destination.parent_path(), errno);
  folder_ = name;
  slot_ = take_slot(folder_);
  lock_ = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock_ >= 0) ::flock(lock_, LOCK_EX | LOCK_NB);
}

StagingFolder::~StagingFolder() {
  for (const fs::path& file : files_) ::unlink(file.c_str());
  ::rmdir(folder_.c_str());
  if (lock_ >= 0) ::close(lock_);
  release_slot(slot_);
}

UnsyncedFile::~UnsyncedFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void UnsyncedFile::sync() {
  const int descriptor = std::exchange(descriptor_, -1);
  int error = ::fsync(descriptor) == 0 ? 0 : errno;
  if (::close(descriptor) != 0 && error == 0) error = errno;
  if (error != 0) fail(path_, error);
}

fs::path StagingFolder::write(const std::string& name, const Rope& contents) {
  UnsyncedFile file = begin_writing(name, contents);
  file.sync();
  return file.path();
}

UnsyncedFile StagingFolder::begin_writing(const std::string& name, const Rope& contents) {
  fs::path path = folder_ / name;
  if (slot_ >= 0 && files_.size() < kFilesPerSlot) {
    Slot& slot = slots[static_cast<std::size_t>(slot_)];
    slot.has_file[files_.size()] = put_path(slot.files[files_.size()], path);
  }
  files_.push_back(path);
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(path, errno);
  UnsyncedFile file(path, descriptor);
  if (const int error = write_pieces(descriptor, contents); error != 0) fail(path, error);
  return file;
}

}  // namespace io

void remove_staged_files() noexcept {
  for (io::Slot& slot : io::slots) {
    for (std::size_t i = 0; i < io::kFilesPerSlot; ++i) {
      if (slot.has_file[i]) ::unlink(slot.files[i].data());
    }
    if (slot.has_folder) ::rmdir(slot.folder.data());
  }
}

}  // namespace onnxpress
