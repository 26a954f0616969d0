// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error_codes.h"

namespace onnxpress::test {

// Expects that `action` throws an Error of this code whose message contains `part`.
template <class Action>
void expect_error(const ErrorCode& code, const std::string& part, Action action) {
  try {
    action();
    ADD_FAILURE() << "no error, but " << code.id << " was expected";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code.id) << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr(part));
  }
}

}  // namespace onnxpress::test
