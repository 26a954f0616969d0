// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace onnxpress {

// Instruction-set levels that kernels are written for, each including those before it.
enum class InstructionSet { baseline, avx2, avx512, avx512_vnni, amx };

// The highest level this CPU has (and the operating system enables).
[[nodiscard]] InstructionSet detected_instruction_set();

// "AVX2", "AVX-512 VNNI", …; as printed beside every timing.
[[nodiscard]] std::string_view name(InstructionSet level);

// The level of that name in lower case ("baseline", "avx2", "avx512", "avx512_vnni", "amx"), if it
// is one.
[[nodiscard]] std::optional<InstructionSet> parse_instruction_set(std::string_view text);

// The processor's marketing name, or "unknown".
[[nodiscard]] std::string cpu_model_name();

}  // namespace onnxpress
