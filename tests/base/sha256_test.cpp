// SPDX-License-Identifier: Apache-2.0
#include "base/sha256.h"

#include <gtest/gtest.h>

#include <string_view>

namespace onnxpress {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// FIPS 180-2, appendix B.
TEST(Sha256, OfTheStandardsExamples) {
  constexpr std::string_view kLong = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  constexpr std::string_view kLongHash =
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1";
  EXPECT_EQ(sha256(bytes("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(bytes(kLong)), kLongHash);
  Sha256 pieces;
  pieces.add(bytes(kLong.substr(0, 7)));
  pieces.add(bytes(""));
  pieces.add(bytes(kLong.substr(7)));
  EXPECT_EQ(std::move(pieces).hex(), kLongHash);
}

}  // namespace
}  // namespace onnxpress
