// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

TEST(Error, CarriesItsCodeAndHint) {
  const Error general(codes::output_exists, "a.onnx exists");
  EXPECT_EQ(general.code(), "E0204");
  EXPECT_EQ(general.kind(), ErrorKind::file_system);
  EXPECT_EQ(general.hint(), codes::output_exists.help);
  EXPECT_EQ(Error(codes::output_exists, "a.onnx exists", "choose b.onnx").hint(), "choose b.onnx");
}

TEST(Error, TakesContextWithoutLosingTheHint) {
  const Error inner(codes::tensor_size, "too short", "download again");
  const Error outer = inner.in("model.onnx");
  EXPECT_STREQ(outer.what(), "too short (model.onnx)");
  EXPECT_EQ(outer.hint(), "download again");
  EXPECT_EQ(outer.code(), "E0312");
}

TEST(ErrorCodes, AreUniqueOrderedAndComplete) {
  std::string previous;
  for (const ErrorCode* code : codes::all()) {
    EXPECT_TRUE(code->id.size() == 5 && code->id.starts_with("E0")) << code->id;
    EXPECT_LT(previous, code->id);
    EXPECT_FALSE(code->title.empty()) << code->id;
    EXPECT_FALSE(code->help.empty()) << code->id;
    previous = code->id;
  }
}

TEST(ErrorCodes, MapToTheExitCodesOfTheCommandLine) {
  EXPECT_EQ(exit_code(ErrorKind::usage), 2);
  EXPECT_EQ(exit_code(ErrorKind::bad_input), 3);
  EXPECT_EQ(exit_code(ErrorKind::unsupported), 4);
  EXPECT_EQ(exit_code(ErrorKind::file_system), 5);
  EXPECT_EQ(exit_code(ErrorKind::resource), 6);
  EXPECT_EQ(exit_code(ErrorKind::internal), 70);
}

}  // namespace
}  // namespace onnxpress
