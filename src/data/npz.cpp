// SPDX-License-Identifier: Apache-2.0
#include "data/npz.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string>

#include "base/error_codes.h"
#include "base/mapped_file.h"
#include "data/npy.h"

namespace onnxpress {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".npy";
// No deflate stream is shorter than this share of what it holds.
constexpr std::uint64_t kMaxDeflateRatio = 1040;

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};
using Archive = std::unique_ptr<zip_t, Discard>;

Archive open_archive(const MappedFile& file) {
  const auto bytes = file.bytes();
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  zip_t* archive = source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, &error);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  if (archive == nullptr) {
    zip_source_free(source);
    throw Error(codes::bad_data,
                fmt::format("{}: is not an .npz archive: {}", file.path().string(), reason));
  }
  return Archive(archive);
}

std::vector<std::byte> read_entry(zip_t* archive, std::uint64_t index, const zip_stat_t& status,
                                  std::size_t archive_size) {
  const bool stored = status.comp_method == ZIP_CM_STORE;
  if ((!stored && status.comp_method != ZIP_CM_DEFLATE) ||
      status.encryption_method != ZIP_EM_NONE) {
    throw Error(codes::bad_data, "compression or encryption that numpy does not use");
  }
  if (status.comp_size > archive_size || (stored && status.size != status.comp_size) ||
      status.size > status.comp_size * kMaxDeflateRatio) {
    throw Error(codes::bad_data, "the archive states an impossible size");
  }
  const std::unique_ptr<zip_file_t, Discard> entry(zip_fopen_index(archive, index, 0));
  std::vector<std::byte> bytes(status.size);
  std::byte end{};
  // The read at the end makes libzip compare the checksum.
  if (!entry ||
      zip_fread(entry.get(), bytes.data(), bytes.size()) !=
          static_cast<zip_int64_t>(bytes.size()) ||
      zip_fread(entry.get(), &end, 1) != 0) {
    throw Error(codes::bad_data, "the bytes are damaged or cut off");
  }
  return bytes;
}

[[noreturn]] void fail_writing(const fs::path& path, std::string_view reason) {
  throw Error(codes::cannot_write, fmt::format("{}: {}", path.string(), reason));
}

void add_entry(zip_t* archive, const NamedTensor& array, const std::string& header,
               const fs::path& path) {
  constexpr zip_uint16_t kFirstDosDate = 0x21;  // 1980-01-01
  // libzip only reads these bytes.
  zip_buffer_fragment_t fragments[] = {
      {reinterpret_cast<zip_uint8_t*>(const_cast<char*>(header.data())), header.size()},
      {reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(array.tensor.bytes().data())),
       array.tensor.bytes().size()}};
  const std::size_t count = array.tensor.bytes().empty() ? 1 : 2;
  zip_source_t* source = zip_source_buffer_fragment(archive, fragments, count, 0);
  const std::string name = array.name + std::string(kSuffix);
  const zip_int64_t index =
      source == nullptr ? -1 : zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    fail_writing(path, zip_strerror(archive));
  }
  const auto position = static_cast<zip_uint64_t>(index);
  if (zip_set_file_compression(archive, position, ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(archive, position, 0, kFirstDosDate, 0) != 0) {
    fail_writing(path, zip_strerror(archive));
  }
}

}  // namespace

std::vector<NamedTensor> read_npz(const fs::path& path) {
  const auto file = MappedFile::open(path);
  if (file->bytes().empty()) {  // libzip takes it for an archive without entries
    throw Error(codes::empty_data, fmt::format("{}: the file is empty", path.string()));
  }
  const Archive archive = open_archive(*file);
  std::vector<NamedTensor> arrays;
  // Entries that share compressed bytes must not add up to more than the archive can hold.
  std::uint64_t room = file->bytes().size() * kMaxDeflateRatio;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    zip_stat_t status;
    zip_stat_init(&status);
    constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                                     ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(archive.get(), index, 0, &status) != 0 ||
        (status.valid & kNeeded) != kNeeded) {
      throw Error(codes::bad_data, fmt::format("{}: entry {} can't be read", path.string(), i));
    }
    std::string name = status.name;
    try {
      if (!name.ends_with(kSuffix)) throw Error(codes::bad_data, "not a numpy array (.npy)");
      name.resize(name.size() - kSuffix.size());
      if (std::ranges::find(arrays, name, &NamedTensor::name) != arrays.end()) {
        throw Error(codes::bad_data, "the name comes twice");
      }
      if (status.size > room) throw Error(codes::bad_data, "the archive states an impossible size");
      room -= status.size;
      const auto bytes = std::make_shared<const std::vector<std::byte>>(
          read_entry(archive.get(), index, status, file->bytes().size()));
      arrays.push_back({name, parse_npy(*bytes, bytes)});
    } catch (const Error& error) {
      throw Error(codes::bad_data,
                  fmt::format("{}: array \"{}\": {}", path.string(), name, error.what()));
    } catch (const std::bad_alloc&) {
      throw Error(codes::out_of_memory,
                  fmt::format("{}: array \"{}\" has {} bytes", path.string(), name, status.size));
    }
  }
  return arrays;
}

void write_npz(const fs::path& path, std::span<const NamedTensor> tensors) {
  std::vector<std::string> headers;  // must live until the archive is closed
  headers.reserve(tensors.size());
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code));
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    fail_writing(path, reason);
  }
  for (const NamedTensor& array : tensors) {
    headers.push_back(npy_header(array.tensor));
    add_entry(archive.get(), array, headers.back(), path);
  }
  if (zip_close(archive.get()) != 0) fail_writing(path, zip_strerror(archive.get()));
  static_cast<void>(archive.release());  // closed
}

}  // namespace onnxpress
