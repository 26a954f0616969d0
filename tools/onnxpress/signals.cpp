// SPDX-License-Identifier: Apache-2.0
#include "signals.h"

#include <unistd.h>

#include <csignal>
#include <cstring>

#include "onnxpress/compress.h"

namespace onnxpress::cli {
namespace {

constexpr unsigned kPatienceSeconds = 3;
constexpr int kFileSystemExit = 5;

std::atomic<bool> stop{false};
std::atomic<int> first_signal{0};
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

// Only async-signal-safe calls from here on.
void end_by(int signal) {
  remove_temporary_files();
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  kill(getpid(), signal);
  _exit(128 + signal);
}

void on_request_to_end(int signal) {
  int none = 0;
  if (!first_signal.compare_exchange_strong(none, signal)) end_by(signal);
  stop = true;
  alarm(kPatienceSeconds);
}

void on_alarm(int) {
  end_by(first_signal != 0 ? first_signal.load() : SIGALRM);
}

void on_bus_error(int) {
  static constexpr char kText[] =
      "error[E0205]: an input changed while it was being read\n"
      "help: try again when nothing else writes to it\n";
  remove_temporary_files();
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kText, sizeof kText - 1);
  _exit(kFileSystemExit);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

}  // namespace

void install_signal_handlers() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) handle(signal, on_request_to_end);  // nohup stays nohup
  }
  handle(SIGALRM, on_alarm);
  handle(SIGBUS, on_bus_error);
  handle(SIGPIPE, SIG_IGN);
  handle(SIGXFSZ, SIG_IGN);
}

const std::atomic<bool>& cancelled() {
  return stop;
}

void end_by_signal_if_any() {
  if (first_signal != 0) end_by(first_signal);
}

}  // namespace onnxpress::cli
