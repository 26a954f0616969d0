// SPDX-License-Identifier: Apache-2.0
#include "io/sniff.h"

#include "fixtures.h"

namespace onnxpress::io {
namespace {

using namespace std::string_literals;
using test::Fails;
using ::testing::HasSubstr;

void sniff(const std::string& contents) {
  refuse_other_formats(std::as_bytes(std::span(contents)));
}

TEST(Sniff, AnEmptyFileIsSaidToBeEmpty) {
  EXPECT_THAT([] { sniff(""); }, Fails("E0301", HasSubstr("empty")));
}

TEST(Sniff, NamesOtherFormats) {
  const std::pair<std::string, const char*> cases[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"},
      {"<!DOCTYPE html><html>", "HTML"},
      {"\xef\xbb\xbf<?xml version", "XML"},
      {"{\"error\": \"not found\"}", "JSON"},
      {"Entry not found\n", "text"},
      {"  \n\n", "blank text"},
      {"PK\x03\x04rest", "zip"},
      {"\x80\x02}q\x00"s, "pickle"},
      {"\x80\x04\x95"s, "pickle"},
      {"GGUF\x03\x00\x00\x00"s, "GGUF"},
      {"\x1c\x00\x00\x00TFL3\x00"s, "TensorFlow Lite"},
      {"\x1c\x00\x00\x00ORTM\x00"s, "ORT-format"},
      {"\x1f\x8b\x08\x00"s, "gzip"},
      {"\x28\xb5\x2f\xfd\x00"s, "zstd"},
      {"\x02\x00\x00\x00\x00\x00\x00\x00{}"s, "safetensors"},
      {"<ir_version: 7>", "ONNX text"},
      {"\x89HDF\r\n"s, "HDF5"},
      {"\x93NUMPY\x01\x00"s, "NumPy"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT([&] { sniff(c.first); }, Fails("E0302", HasSubstr(c.second)));
  }
}

TEST(Sniff, ModelsPass) {
  EXPECT_NO_THROW(sniff(test::proto().SerializeAsString()));
}

}  // namespace
}  // namespace onnxpress::io
