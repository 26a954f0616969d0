// SPDX-License-Identifier: Apache-2.0
#include "io/external_data.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/openat2.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>

#include "base/checked.h"
#include "base/error_codes.h"

namespace onnxpress::io {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLinkHint = "add --allow-links if you trust what the link points to";
constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;

[[noreturn]] void bad_entry(const std::string& what) {
  throw Error(codes::external_data, what);
}

std::int64_t parse_number(std::string_view key, std::string_view digits) {
  std::int64_t value = 0;
  const bool only_digits =
      !digits.empty() && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (!only_digits || error != std::errc() || end != digits.data() + digits.size())
    bad_entry(fmt::format("{} of external data should be a decimal number", key));
  return value;
}

// A location is a plain relative path: nothing that leads out of the folder, or that another
// platform would read so.
void check_location(const std::string& location) {
  if (location.empty()) bad_entry("external data have an empty location");
  if (location.find('\0') != std::string::npos || location.find('\\') != std::string::npos)
    bad_entry("the location of external data holds a NUL or a backslash");
  if (location.find("_ORT_MEM_ADDR_") != std::string::npos)
    bad_entry("the location of external data is an address in memory");
  const fs::path path(location);
  const bool drive = location.size() > 1 && location[1] == ':';
  if (path.is_absolute() || drive || std::ranges::find(path, "..") != path.end())
    bad_entry(fmt::format("external data at \"{}\" lie outside the model's folder", location));
}

std::string sha1(Bytes bytes) {
  std::array<unsigned char, 20> digest{};
  ::EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, ::EVP_sha1(), nullptr);
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

bool same_digits(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

int open_beneath(int folder, const std::string& location) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(kOpenFlags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const auto descriptor =
      static_cast<int>(::syscall(SYS_openat2, folder, location.c_str(), &how, sizeof(how)));
  if (descriptor >= 0 || (errno != ENOSYS && errno != EPERM)) return descriptor;
  // Kernels before 5.6 and old container profiles: one component after the other.
  int at = ::dup(folder);
  const fs::path path(location);
  for (auto part = path.begin(); part != path.end() && at >= 0; ++part) {
    const bool last = std::next(part) == path.end();
    const int next = ::openat(at, part->c_str(),
                              (last ? kOpenFlags : O_PATH | O_DIRECTORY | O_CLOEXEC) | O_NOFOLLOW);
    const int error = errno;
    ::close(at);
    errno = error;
    at = next;
  }
  return at;
}

}  // namespace

ExternalRange parse_external_range(
    const std::vector<std::pair<std::string_view, std::string_view>>& entries) {
  ExternalRange range;
  std::set<std::string_view> seen;
  for (const auto& [key, value] : entries) {
    if (!seen.insert(key).second)
      bad_entry(fmt::format("external data have the key \"{}\" twice", key));
    if (key == "location") {
      range.location = value;
    } else if (key == "offset") {
      range.offset = parse_number(key, value);
    } else if (key == "length") {
      range.length = parse_number(key, value);
    } else if (key == "checksum") {
      range.checksum = value;
    } else if (key == "basepath") {
      bad_entry("external data have a \"basepath\", which is not allowed");
    }
  }
  check_location(range.location);
  return range;
}

ExternalFiles::ExternalFiles(fs::path model, bool allow_links)
    : model_(std::move(model)), allow_links_(allow_links) {
  const fs::path parent = model_.parent_path();
  folder_ = ::open(parent.empty() ? "." : parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0) {
    throw Error(codes::cannot_read, fmt::format("{}: {}", parent.string(), std::strerror(errno)));
  }
}

ExternalFiles::~ExternalFiles() {
  ::close(folder_);
}

void ExternalFiles::fail(const std::string& location, const std::string& why,
                         const std::string& hint) const {
  throw Error(codes::external_data,
              fmt::format("{}: {}", (model_.parent_path() / location).string(), why), hint);
}

// Opens a file that is reached through a symbolic link, where that is allowed: always with
// allow_links, otherwise only if the model is a link too and both targets lie in one folder.
int ExternalFiles::open_linked(const std::string& location) const {
  std::error_code error;
  const fs::path target = fs::canonical(model_.parent_path() / location, error);
  if (error) fail(location, error.message());
  if (!allow_links_) {
    const fs::path home = fs::canonical(model_, error).parent_path();
    if (!fs::is_symlink(model_) || error || target.parent_path() != home)
      fail(location, "is a symbolic link", kLinkHint);
  }
  return ::open(target.c_str(), kOpenFlags | O_NOFOLLOW);
}

int ExternalFiles::open_descriptor(const std::string& location) const {
  int descriptor = open_beneath(folder_, location);
  // A folder that is a link shows as ENOTDIR in the walk without openat2.
  if (descriptor < 0 && (errno == ELOOP || errno == ENOTDIR)) descriptor = open_linked(location);
  if (descriptor < 0)
    fail(location, std::strerror(errno), "is the data file in the model's folder?");
  return descriptor;
}

ExternalFiles::Opened& ExternalFiles::open(const std::string& location) {
  const auto found = files_.find(location);
  if (found != files_.end()) return found->second;
  const int descriptor = open_descriptor(location);
  struct stat status {};
  struct stat model {};
  const bool known = ::fstat(descriptor, &status) == 0;
  const auto refuse = [&](const std::string& why, const std::string& hint = {}) {
    ::close(descriptor);
    fail(location, why, hint);
  };
  if (!known || !S_ISREG(status.st_mode)) refuse("is not a regular file");
  if (status.st_nlink > 1 && !allow_links_) refuse("has several hard links", kLinkHint);
  if (::stat(model_.c_str(), &model) == 0 && model.st_dev == status.st_dev &&
      model.st_ino == status.st_ino) {
    refuse("is the model itself");
  }
  Opened opened;
  opened.file = MappedFile::from_descriptor(descriptor, model_.parent_path() / location);
  return files_.emplace(location, std::move(opened)).first->second;
}

ExternalFiles::Part ExternalFiles::read(const ExternalRange& range) {
  Opened& opened = open(range.location);
  const auto size = static_cast<std::int64_t>(opened.file->bytes().size());
  const std::int64_t length = range.length.value_or(std::max<std::int64_t>(size - range.offset, 0));
  const auto end = checked_add(range.offset, length);
  if (!end || *end > size) {
    fail(range.location,
         fmt::format("has {} bytes, but {} from offset {} are needed", size, length, range.offset),
         "was the download complete?");
  }
  if (!range.checksum.empty()) {
    if (opened.sha1.empty()) opened.sha1 = sha1(opened.file->bytes());
    if (!same_digits(opened.sha1, range.checksum)) {
      fail(range.location,
           fmt::format("has SHA-1 {}, but the model expects {}", opened.sha1, range.checksum),
           "was the download complete?");
    }
  }
  if (length > 0) opened.ranges.emplace_back(range.offset, *end);
  return {opened.file->bytes().subspan(static_cast<std::size_t>(range.offset),
                                       static_cast<std::size_t>(length)),
          opened.file};
}

void ExternalFiles::check_overlaps() const {
  for (const auto& [location, opened] : files_) {
    auto ranges = opened.ranges;
    std::ranges::sort(ranges);
    ranges.erase(std::unique(ranges.begin(), ranges.end()), ranges.end());
    for (std::size_t i = 1; i < ranges.size(); ++i) {
      if (ranges[i].first < ranges[i - 1].second) {
        fail(location,
             fmt::format("two tensors share a part of their bytes at offset {}", ranges[i].first));
      }
    }
  }
}

void ExternalFiles::check_unchanged() const {
  for (const auto& [location, opened] : files_) opened.file->check_unchanged();
}

}  // namespace onnxpress::io
