// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "io/model_layout.h"
#include "io/reader.h"
#include "io/writer.h"
#include "onnxpress/error.h"
#include "support/parse.h"
#include "support/temporary_folder.h"

namespace onnxpress::test {

inline void write_file(const std::filesystem::path& path, std::string_view contents) {
  std::ofstream(path, std::ios::binary).write(contents.data(), std::ssize(contents));
}

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A model that tests bend before it is read: x[2] + w[2] with opset 18.
inline onnx::ModelProto proto(
    std::string_view text =
        "g (float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }") {
  onnx::ModelProto model;
  model.ParseFromString(parse_to_bytes(text));
  return model;
}

inline Model read(const std::string& bytes, const ReadOptions& options = {}) {
  const auto owner = std::make_shared<const std::string>(bytes);
  return parse_model(std::as_bytes(std::span(*owner)), owner, options);
}
inline Model read(const onnx::ModelProto& model, const ReadOptions& options = {}) {
  return read(model.SerializeAsString(), options);
}

// The bytes that the writer makes of a model, without the way over a file and the disk.
inline std::string written(const Model& model, const WriteOptions& options = {}) {
  const io::ModelLayout layout =
      io::lay_out(model, options, "model.onnx", io::DataName::placeholder);
  std::string bytes;
  for (const auto& piece : layout.model.pieces()) bytes += io::text(piece.bytes());
  return bytes;
}

// EXPECT_THAT([&] { read(model); }, Fails("E0312", HasSubstr("8 bytes")));
template <class Message>
auto Fails(std::string_view code, Message message) {
  return ::testing::Throws<Error>(
      ::testing::AllOf(::testing::Property("code", &Error::code, code),
                       ::testing::Property("what", &Error::what, message)));
}
inline auto Fails(std::string_view code) {
  return Fails(code, ::testing::Not(::testing::StrEq("")));
}

}  // namespace onnxpress::test
