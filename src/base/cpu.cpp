// SPDX-License-Identifier: Apache-2.0
#include "base/cpu.h"

#include <array>
#include <fstream>
#include <utility>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace onnxpress {
namespace {

constexpr std::array<std::pair<InstructionSet, std::array<std::string_view, 2>>, 5> kLevels{{
    {InstructionSet::baseline, {"baseline", "baseline"}},
    {InstructionSet::avx2, {"AVX2", "avx2"}},
    {InstructionSet::avx512, {"AVX-512", "avx512"}},
    {InstructionSet::avx512_vnni, {"AVX-512 VNNI", "avx512_vnni"}},
    {InstructionSet::amx, {"AVX-512 VNNI AMX", "amx"}},
}};

#if defined(__x86_64__)
// __builtin_cpu_supports of GCC 12 does not know AMX: CPUID leaf 7, EDX bits 24 (tile) and 25
// (int8).
bool has_amx() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  return (edx >> 24 & 1U) != 0 && (edx >> 25 & 1U) != 0;
}
#endif

}  // namespace

InstructionSet detected_instruction_set() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return InstructionSet::baseline;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq")) {
    return InstructionSet::avx2;
  }
  if (!__builtin_cpu_supports("avx512vnni")) return InstructionSet::avx512;
  return has_amx() ? InstructionSet::amx : InstructionSet::avx512_vnni;
#else
  return InstructionSet::baseline;
#endif
}

std::string_view name(InstructionSet level) {
  return kLevels[static_cast<std::size_t>(level)].second[0];
}

std::optional<InstructionSet> parse_instruction_set(std::string_view text) {
  for (const auto& [level, names] : kLevels) {
    if (names[1] == text) return level;
  }
  return std::nullopt;
}

std::string cpu_model_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      const auto start = line.find(": ");
      return start == std::string::npos ? "unknown" : line.substr(start + 2);
    }
  }
  return "unknown";
}

}  // namespace onnxpress
