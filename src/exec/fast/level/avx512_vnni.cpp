// SPDX-License-Identifier: Apache-2.0
#include "exec/fast/level/table.h"

namespace onnxpress::exec::fast {

const Level& avx512_vnni_level() {
  static constexpr Level kLevel = level_of(InstructionSet::avx512_vnni);
  return kLevel;
}

}  // namespace onnxpress::exec::fast
