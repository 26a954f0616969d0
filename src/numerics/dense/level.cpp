// SPDX-License-Identifier: Apache-2.0
#include "numerics/dense/level.h"

#include <algorithm>

namespace onnxpress::dense {

const Level& level([[maybe_unused]] InstructionSet limit) {
#if defined(__x86_64__)
  static const InstructionSet detected = detected_instruction_set();
  const InstructionSet best = std::min(limit, detected);
  if (best >= InstructionSet::avx512) return avx512_level();
  if (best >= InstructionSet::avx2) return avx2_level();
#endif
  return baseline_level();
}

const Level& level() {
  static const Level& best = level(InstructionSet::amx);
  return best;
}

}  // namespace onnxpress::dense
