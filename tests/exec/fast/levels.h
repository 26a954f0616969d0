// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "exec/fast/level/level.h"

namespace onnxpress::exec::fast::test {

// A test that runs once for every instruction-set level that this CPU has.
class EveryLevel : public testing::TestWithParam<InstructionSet> {
 protected:
  const Level& functions() const { return level(GetParam()); }

  std::vector<float> random(std::int64_t count, float low = -1, float high = 1) {
    std::uniform_real_distribution<float> distribution(low, high);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) value = distribution(engine_);
    return values;
  }
  template <class T>
  std::vector<T> random_integers(std::int64_t count, int low, int high) {
    std::uniform_int_distribution<int> distribution(low, high);
    std::vector<T> values(static_cast<std::size_t>(count));
    for (T& value : values) value = static_cast<T>(distribution(engine_));
    return values;
  }

 private:
  std::mt19937 engine_{7};
};

inline std::vector<InstructionSet> available_levels() {
  std::vector<InstructionSet> levels;
  for (const auto set : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512,
                         InstructionSet::avx512_vnni, InstructionSet::amx}) {
    if (level(set).instruction_set == set) levels.push_back(set);
  }
  return levels;
}

inline std::string level_name(const testing::TestParamInfo<InstructionSet>& info) {
  static constexpr const char* kNames[] = {"baseline", "avx2", "avx512", "avx512_vnni", "amx"};
  return kNames[static_cast<int>(info.param)];
}

}  // namespace onnxpress::exec::fast::test
