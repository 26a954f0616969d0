// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "command.h"

namespace onnxpress::cli {

// A descriptor that is closed at the start would be taken by the next file that is opened, and what
// is printed would land in it. Puts something harmless there: nothing can be written to a standard
// output that was closed.
void occupy_standard_descriptors();

// Writes all of it to standard output. False if the reader has gone (a closed pipe); throws Error
// (cannot_write) for anything else.
[[nodiscard]] bool print(std::string_view text);
// Writes to standard error, as far as that works.
void print_message(std::string_view text);

// error[E0312]: what, where
// help: what to do
[[nodiscard]] std::string error_lines(const ErrorInfo& error, bool color);

[[nodiscard]] bool wants_color(const OutputOptions& output, int descriptor);

// Shows where a request stands, on standard error: a bar on a terminal, at most ten times a second,
// otherwise a line for each stage that is done, and every 10 seconds.
class ProgressDisplay {
 public:
  explicit ProgressDisplay(const OutputOptions& output);
  ~ProgressDisplay();
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  void show(const ProgressEvent& event);

 private:
  enum class Style { none, plain, bar };
  void clear_bar();
  Style style_ = Style::none;
  bool bar_visible_ = false;
  std::chrono::steady_clock::time_point last_{};
  std::string stage_;
};

}  // namespace onnxpress::cli
