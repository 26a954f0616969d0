// SPDX-License-Identifier: Apache-2.0
#include "exec/fast/level/level.h"

#include <algorithm>

#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace onnxpress::exec::fast {
namespace {

#if defined(__x86_64__)
// Linux gives a process the tile registers only when it asks for them.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  static const bool permitted = ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return permitted;
#else
  return false;
#endif
}
#endif

}  // namespace

const Level& level([[maybe_unused]] InstructionSet limit) {
#if defined(__x86_64__)
  static const InstructionSet detected = detected_instruction_set();
  switch (std::min(limit, detected)) {
    case InstructionSet::amx:
      if (may_use_tiles()) return amx_level();
      [[fallthrough]];
    case InstructionSet::avx512_vnni:
      return avx512_vnni_level();
    case InstructionSet::avx512:
      return avx512_level();
    case InstructionSet::avx2:
      return avx2_level();
    case InstructionSet::baseline:
      break;
  }
#endif
  return baseline_level();
}

}  // namespace onnxpress::exec::fast
