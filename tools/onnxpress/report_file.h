// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "command.h"

namespace onnxpress::cli {

// The files that --json FILE and --report FILE name.
[[nodiscard]] std::vector<std::string> report_files(const OutputOptions& output);

// Refuses early what could not be written or would destroy something that is no report: throws
// Error (bad_option, output_exists, cannot_write).
void check_report_files(const OutputOptions& output);

// Writes the document in the format of the file's extension, replacing an older report only when
// the new one is complete. Throws Error (cannot_write).
void write_report(const std::string& path, const Document& document);

}  // namespace onnxpress::cli
