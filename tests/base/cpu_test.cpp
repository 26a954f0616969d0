// SPDX-License-Identifier: Apache-2.0
#include "base/cpu.h"

#include <gtest/gtest.h>

namespace onnxpress {
namespace {

TEST(Cpu, ReadsTheNamesOfInstructionSets) {
  EXPECT_EQ(parse_instruction_set("avx2"), InstructionSet::avx2);
  EXPECT_EQ(parse_instruction_set("avx512_vnni"), InstructionSet::avx512_vnni);
  EXPECT_EQ(parse_instruction_set("mmx"), std::nullopt);
  EXPECT_EQ(name(InstructionSet::avx512_vnni), "AVX-512 VNNI");
}

TEST(Cpu, LevelsAreOrdered) {
  EXPECT_LT(InstructionSet::baseline, InstructionSet::avx2);
  EXPECT_LT(InstructionSet::avx512, InstructionSet::avx512_vnni);
  EXPECT_GE(detected_instruction_set(), InstructionSet::baseline);
}

}  // namespace
}  // namespace onnxpress
