// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

namespace onnxpress::cli {

// SIGINT, SIGTERM and SIGHUP set cancelled(), so that the work unwinds and cleans up; if that takes
// more than a few seconds, or on a second signal, temporary files are removed and the process ends
// at once. SIGPIPE and SIGXFSZ are ignored: their writes fail instead. SIGBUS (an input was cut
// short while mapped) ends with exit code 5.
void install_signal_handlers();

[[nodiscard]] const std::atomic<bool>& cancelled();

// If a signal asked for the end: removes temporary files and ends by that signal. Otherwise
// returns.
void end_by_signal_if_any();

}  // namespace onnxpress::cli
