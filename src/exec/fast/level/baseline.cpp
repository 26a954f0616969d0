// SPDX-License-Identifier: Apache-2.0
#include "exec/fast/level/table.h"

namespace onnxpress::exec::fast {

const Level& baseline_level() {
  static constexpr Level kLevel = level_of(InstructionSet::baseline);
  return kLevel;
}

}  // namespace onnxpress::exec::fast
