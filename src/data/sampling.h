// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace onnxpress {

// `wanted` of the indices below `total` (all, if wanted is 0 or not less), chosen at random by
// `seed`, ascending. The same on every machine.
[[nodiscard]] std::vector<std::size_t> choose_samples(std::size_t total, std::size_t wanted,
                                                      std::uint64_t seed);

}  // namespace onnxpress
