// SPDX-License-Identifier: Apache-2.0
#include "data/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "data/npy.h"
#include "expect_error.h"
#include "support/shared.h"
#include "support/temporary_folder.h"

namespace onnxpress {
namespace {

using test::expect_error;

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// An .npy of version 1 with this header text, padded, and these bytes of elements.
std::string npy(std::string header, const std::string& elements) {
  header.resize((10 + header.size() + 1 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size());
  file += static_cast<char>(header.size() >> 8U);
  return file + header + elements;
}

Tensor parse(const std::string& file) {
  auto owner = std::make_shared<const std::string>(file);
  return parse_npy(std::as_bytes(std::span(*owner)), owner);
}

TEST(ParseNpy, ReadsCOrderAndFortranOrder) {
  const std::string bytes("\1\0\2\0\3\0\4\0\5\0\6\0", 12);
  const Tensor c = parse(npy("{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }", bytes));
  EXPECT_EQ(c, Tensor::of<std::int16_t>({2, 3}, {1, 2, 3, 4, 5, 6}));
  const Tensor f = parse(npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }", bytes));
  EXPECT_EQ(f, Tensor::of<std::int16_t>({2, 3}, {1, 3, 5, 2, 4, 6}));
}

TEST(ParseNpy, ReadsScalarsAndEmptyArrays) {
  const Tensor scalar = parse(npy("{'shape': (), 'fortran_order': False, \"descr\": '|u1'}", "\7"));
  EXPECT_EQ(scalar, Tensor::scalar<std::uint8_t>(7));
  EXPECT_EQ(parse(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", "")).size(),
            0);
}

TEST(ParseNpy, RefusesWhatIsMalformed) {
  const auto refuses = [](const std::string& message, const std::string& file) {
    expect_error(codes::bad_data, message, [&] { static_cast<void>(parse(file)); });
  };
  const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }";
  refuses("not a numpy array", "PK\3\4");
  refuses("not a numpy array", "");
  refuses("cut off", std::string("\x93NUMPY\x01\x00\xff\xff", 10) + good);
  refuses("version 9", std::string("\x93NUMPY\x09\x00\x01\x00", 10));
  refuses("needs 4 bytes but has 3", npy(good, "abc"));
  refuses("needs 4 bytes but has 5", npy(good, "abcde"));
  refuses("big-endian", npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", "abcd"));
  refuses("Python objects", npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "x"));
  refuses("\"<U5\"", npy("{'descr': '<U5', 'fortran_order': False, 'shape': (1,), }", "x"));
  refuses("structured",
          npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "abcd"));
  refuses("malformed", npy("{'descr': '<f4', 'fortran_order': False, }", "abcd"));
  refuses("malformed", npy("{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }", "abcd"));
  refuses("malformed", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "abcd"));
  refuses("malformed", npy(good + "x", "abcd"));
  refuses("impossible",
          npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", ""));
  refuses("neither 0 nor 1",
          npy("{'descr': '|b1', 'fortran_order': False, 'shape': (1,), }", "\2"));
}

TEST(Npz, RoundTripsEveryType) {
  const test::TemporaryFolder folder;
  const std::vector<NamedTensor> arrays = {
      {"0/out/logits", Tensor::of<float>({2, 2}, {1.5F, -2, 3, 4})},
      {"double", Tensor::of<double>({1}, {0.1})},
      {"half", Tensor::of<Half>({2}, {Half{0x3C00}, Half{0x7BFF}})},
      {"ids", Tensor::of<std::int64_t>({1, 3}, {1, -2, INT64_MAX})},
      {"bytes", Tensor::of<std::int8_t>({3}, {-128, 0, 127})},
      {"flags", Tensor::from_bytes(DType::boolean, {2}, {std::byte{1}, std::byte{0}})},
      {"scalar", Tensor::scalar<std::uint16_t>(65535)},
      {"empty", Tensor::of<float>({0, 4}, {})},
  };
  write_npz(folder.path() / "a.npz", arrays);
  const auto read = read_npz(folder.path() / "a.npz");
  ASSERT_EQ(read.size(), arrays.size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].name, arrays[i].name);
    EXPECT_EQ(read[i].tensor, arrays[i].tensor) << arrays[i].name;
  }
  write_npz(folder.path() / "b.npz", arrays);
  EXPECT_EQ(content(folder.path() / "a.npz"), content(folder.path() / "b.npz"));
}

TEST(Npz, WritesOverAnOldFileAndRefusesWhatNumpyLacks) {
  const test::TemporaryFolder folder;
  const auto path = folder.write("a.npz", "something else");
  write_npz(path, std::vector<NamedTensor>{{"x", Tensor::scalar<float>(1)}});
  EXPECT_EQ(read_npz(path).size(), 1U);
  expect_error(codes::unsupported_type, "bfloat16", [&] {
    write_npz(path, std::vector<NamedTensor>{{"x", Tensor::scalar(BFloat16{})}});
  });
  EXPECT_EQ(read_npz(path).size(), 1U);  // the old file stays
  expect_error(codes::cannot_write, "none", [&] {
    write_npz(folder.path() / "none/a.npz", std::vector<NamedTensor>{{"x", Tensor::scalar(1)}});
  });
}

TEST(Npz, RefusesEveryTruncationAndOtherFiles) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "a.npz";
  write_npz(path,
            std::vector<NamedTensor>{{"x", Tensor::of<float>({8}, {0, 1, 2, 3, 4, 5, 6, 7})}});
  const std::string whole = content(path);
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    const auto cut = folder.write("cut.npz", whole.substr(0, size));
    EXPECT_THROW(static_cast<void>(read_npz(cut)), Error) << size;
  }
  expect_error(codes::bad_data, "is not an .npz archive",
               [&] { static_cast<void>(read_npz(folder.write("t.npz", "plain text"))); });
  expect_error(codes::not_a_file, "directory", [&] { static_cast<void>(read_npz(folder.path())); });
}

TEST(Npz, NoticesDamagedElements) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "a.npz";
  write_npz(path,
            std::vector<NamedTensor>{{"x", Tensor::of<std::int8_t>({4}, {'w', 'x', 'y', 'z'})}});
  std::string bytes = content(path);
  bytes[bytes.find("wxyz")] = 'W';
  expect_error(codes::bad_data, "array \"x\": the bytes are damaged",
               [&] { static_cast<void>(read_npz(folder.write("b.npz", bytes))); });
}

TEST(Npz, ReadsWhatNumpyWrote) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const auto arrays = read_npz(shared / "models/bundle/vit-digits/test.npz");
  ASSERT_EQ(arrays.size(), 2U);
  EXPECT_EQ(arrays[0].name, "pixel_values");
  EXPECT_EQ(arrays[0].tensor.dims(), (Dims{449, 1, 8, 8}));
  EXPECT_EQ(arrays[1].tensor.dtype(), DType::int64);
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(shared / "models")) {
    if (entry.path().extension() != ".npz") continue;
    EXPECT_FALSE(read_npz(entry.path()).empty()) << entry.path();
    ++files;
  }
  EXPECT_GT(files, 20);
}

}  // namespace
}  // namespace onnxpress
