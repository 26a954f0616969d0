// SPDX-License-Identifier: Apache-2.0
#include "exec/fast/level/table.h"

namespace onnxpress::exec::fast {

const Level& amx_level() {
  static constexpr Level kLevel = level_of(InstructionSet::amx);
  return kLevel;
}

}  // namespace onnxpress::exec::fast
