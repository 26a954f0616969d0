// SPDX-License-Identifier: Apache-2.0
#include "terminal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace onnxpress::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kBarInterval = std::chrono::milliseconds(100);
constexpr auto kPlainInterval = std::chrono::seconds(10);
constexpr int kBarWidth = 30;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_capable_terminal(int descriptor) {
  return isatty(descriptor) == 1 && environment("TERM") != "dumb" && environment("CI").empty();
}

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

void occupy_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) continue;
    // open() takes the lowest free descriptor, which is this one.
    const int mode = descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", mode) < 0) std::_Exit(5);
  }
}

bool print(std::string_view text) {
  if (write_all(STDOUT_FILENO, text)) return true;
  if (errno == EPIPE) return false;
  throw Error(find_error("E0206").value(),
              fmt::format("standard output can't be written: {}", std::strerror(errno)),
              "check where standard output goes");
}

void print_message(std::string_view text) {
  (void)write_all(STDERR_FILENO, text);
}

std::string error_lines(const ErrorInfo& error, bool color) {
  const std::string label = fmt::format("error[{}]", error.code);
  return fmt::format("{}: {}\nhelp: {}\n", color ? "\x1b[1;31m" + label + "\x1b[0m" : label,
                     escape_terminal(error.message), escape_terminal(error.hint));
}

bool wants_color(const OutputOptions& output, int descriptor) {
  if (output.color != "auto") return output.color == "always";
  return is_capable_terminal(descriptor) && environment("NO_COLOR").empty();
}

ProgressDisplay::ProgressDisplay(const OutputOptions& output) {
  if (output.quiet || output.progress == "none") return;
  const bool bar =
      output.progress == "bar" || (output.progress == "auto" && is_capable_terminal(STDERR_FILENO));
  style_ = bar ? Style::bar : Style::plain;
}

ProgressDisplay::~ProgressDisplay() {
  clear_bar();
}

void ProgressDisplay::clear_bar() {
  if (bar_visible_) print_message("\r\x1b[K");
  bar_visible_ = false;
}

void ProgressDisplay::show(const ProgressEvent& event) {
  if (style_ == Style::none) return;
  const std::string stage = escape_terminal(event.stage);
  if (event.finished) {
    clear_bar();
    print_message(fmt::format("  {:<20} {:<52} {:>6.1f} s\n", stage, escape_terminal(event.detail),
                              event.seconds));
    last_ = Clock::now();
    return;
  }
  const auto now = Clock::now();
  if (style_ == Style::plain) {
    if (event.stage != stage_) {
      stage_ = event.stage;
      last_ = now;
    } else if (now - last_ >= kPlainInterval) {
      last_ = now;
      print_message(fmt::format("  {:<20} {:.0f} %\n", stage, 100 * event.done));
    }
    return;
  }
  if (bar_visible_ && now - last_ < kBarInterval) return;
  last_ = now;
  const int filled = static_cast<int>(event.done * kBarWidth);
  print_message(fmt::format("\r\x1b[K  {:<20} [{:#<{}}{:.<{}}] {:3.0f} %", stage, "", filled, "",
                            kBarWidth - filled, 100 * event.done));
  bar_visible_ = true;
}

}  // namespace onnxpress::cli
