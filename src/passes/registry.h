// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "passes/options.h"
#include "passes/pass.h"

namespace onnxpress {

// One row of the table of passes.
struct PassInfo {
  std::string_view name;     // "quantize_weights"
  std::string_view summary;  // one line
  std::string_view details;  // a few sentences, for `onnxpress passes NAME`
  std::vector<OptionInfo> options;
  std::unique_ptr<Pass> (*make)(const OptionValues& values) = nullptr;
};

// All passes, in the order in which recipes usually use them.
[[nodiscard]] std::span<const PassInfo> all_passes();
// Throws Error (unknown_name) that names the nearest pass.
[[nodiscard]] const PassInfo& find_pass(std::string_view name);
[[nodiscard]] std::vector<std::string> pass_names();

// A pass with these options, the others at their defaults. Throws Error (unknown_name, bad_option).
[[nodiscard]] std::unique_ptr<Pass> make_pass(std::string_view name, const OptionValues& values);

// The table of a pass's options in Markdown, as docs/passes/NAME.md holds it.
[[nodiscard]] std::string option_table_markdown(const PassInfo& pass);

}  // namespace onnxpress
