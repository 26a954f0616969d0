// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

std::filesystem::path temporary(const std::string& name, const std::string& content) {
  const auto path = std::filesystem::path(testing::TempDir()) / name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::string code_of(const std::filesystem::path& path) {
  try {
    MappedFile::open(path);
  } catch (const Error& error) {
    return std::string(error.code());
  }
  return "";
}

TEST(MappedFile, ShowsTheBytesOfAFile) {
  const auto file = MappedFile::open(temporary("mapped.bin", "hello"));
  ASSERT_EQ(file->bytes().size(), 5U);
  EXPECT_EQ(std::memcmp(file->bytes().data(), "hello", 5), 0);
}

TEST(MappedFile, AnEmptyFileHasNoBytes) {
  EXPECT_TRUE(MappedFile::open(temporary("empty.bin", ""))->bytes().empty());
}

TEST(MappedFile, RefusesWhatIsNotAFile) {
  EXPECT_EQ(code_of("/nowhere/at/all"), "E0201");
  EXPECT_EQ(code_of(testing::TempDir()), "E0202");
  EXPECT_EQ(code_of("/dev/null"), "E0202");
  const auto fifo = std::filesystem::path(testing::TempDir()) / "mapped.fifo";
  std::filesystem::remove(fifo);
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(code_of(fifo), "E0202");  // and does not wait for a writer
}

TEST(MappedFile, NoticesAFileThatGrew) {
  const auto path = temporary("growing.bin", "hello");
  const auto file = MappedFile::open(path);
  EXPECT_NO_THROW(file->check_unchanged());
  std::ofstream(path, std::ios::app) << " again";
  EXPECT_THROW(file->check_unchanged(), Error);
}

}  // namespace
}  // namespace onnxpress
