// SPDX-License-Identifier: Apache-2.0
#include "numerics/grid.h"

#include <fmt/format.h>

#include "base/error_codes.h"

namespace onnxpress {

void check(const Grid& grid) {
  if (grid.bits < 2 || grid.bits > 8) {
    throw Error(codes::bad_option, fmt::format("a grid has 2 to 8 bits, not {}", grid.bits));
  }
  if (grid.group < 0) {
    throw Error(codes::bad_option,
                fmt::format("a group has at least one weight, not {}", grid.group),
                "0 means one scale for a whole output channel");
  }
  if (grid.symmetric && grid.float_zeros) {
    throw Error(codes::bad_option, "a symmetric grid has no zero points");
  }
  if (grid.per_tensor && (grid.group != 0 || !grid.symmetric)) {
    throw Error(codes::bad_option,
                "one scale for a whole tensor goes with group = 0 and symmetric = true");
  }
}

std::string to_string(const Grid& grid) {
  const std::string type = fmt::format("{}{}", grid.symmetric ? "INT" : "UINT", grid.bits);
  const std::string name = grid.per_tensor   ? type + " per tensor"
                           : grid.group == 0 ? type + " per channel"
                                             : fmt::format("{} group {}", type, grid.group);
  return grid.float_zeros ? name + ", float zero points" : name;
}

}  // namespace onnxpress
