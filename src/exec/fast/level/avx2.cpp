// SPDX-License-Identifier: Apache-2.0
#include "exec/fast/level/table.h"

namespace onnxpress::exec::fast {

const Level& avx2_level() {
  static constexpr Level kLevel = level_of(InstructionSet::avx2);
  return kLevel;
}

}  // namespace onnxpress::exec::fast
