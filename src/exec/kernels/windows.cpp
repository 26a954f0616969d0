// SPDX-License-Identifier: Apache-2.0
#include "exec/kernels/windows.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error_codes.h"

namespace onnxpress::exec {
namespace {

// A size beyond this can't be meant, and keeps the arithmetic below from overflowing.
constexpr std::int64_t kLargest = std::int64_t{1} << 30;

Extents setting(const KernelContext& c, std::string_view name, std::size_t count,
                std::int64_t fallback, std::int64_t smallest) {
  const auto given = c.ints(name);
  if (given.empty()) return Extents(count, fallback);
  const bool fits = given.size() == count && std::ranges::all_of(given, [&](std::int64_t v) {
                      return v >= smallest && v <= kLargest;
                    });
  if (!fits) {
    throw Error(codes::attribute_malformed,
                fmt::format("attribute \"{}\" has a value it can't have", name));
  }
  return Extents(given);
}

}  // namespace

Windows windows(const KernelContext& c, const Extents& input, const Extents& kernel) {
  const std::size_t rank = input.size();
  Windows w;
  w.input = input;
  w.kernel = kernel;
  if (kernel.size() != rank) {
    throw Error(codes::shape_mismatch,
                fmt::format("a window of shape {} over {}", to_string(kernel), to_string(input)));
  }
  w.strides = setting(c, "strides", rank, 1, 1);
  w.dilations = setting(c, "dilations", rank, 1, 1);
  const Extents pads = setting(c, "pads", 2 * rank, 0, 0);
  const std::string auto_pad = c.node().attributes.get_string("auto_pad", "NOTSET");
  const bool ceil = c.get_int("ceil_mode", 0) != 0;
  w.before = w.after = w.output = Extents(rank, 0);
  for (std::size_t d = 0; d < rank; ++d) {
    if (kernel[d] < 1 || kernel[d] > kLargest || input[d] > kLargest) {
      throw Error(codes::shape_mismatch,
                  fmt::format("a window of shape {} over {}", to_string(kernel), to_string(input)));
    }
    const std::int64_t reach = (kernel[d] - 1) * w.dilations[d] + 1, stride = w.strides[d];
    if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
      w.output[d] = (input[d] + stride - 1) / stride;
      const std::int64_t total =
          std::max<std::int64_t>(0, (w.output[d] - 1) * stride + reach - input[d]);
      w.before[d] = auto_pad == "SAME_UPPER" ? total / 2 : (total + 1) / 2;
      w.after[d] = total - w.before[d];
      continue;
    }
    if (auto_pad != "VALID") {
      w.before[d] = pads[d];
      w.after[d] = pads[d + rank];
    }
    const std::int64_t room = input[d] + w.before[d] + w.after[d] - reach;
    if (room < 0) {
      throw Error(codes::shape_mismatch, fmt::format("a window of shape {} does not fit into {}",
                                                     to_string(kernel), to_string(input)));
    }
    w.output[d] = (ceil ? (room + stride - 1) / stride : room / stride) + 1;
    // A window that would start in the padding at the end is left out.
    if (ceil && (w.output[d] - 1) * stride >= input[d] + w.before[d]) --w.output[d];
  }
  return w;
}

}  // namespace onnxpress::exec
