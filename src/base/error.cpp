// SPDX-License-Identifier: Apache-2.0
#include "onnxpress/error.h"

#include <utility>

namespace onnxpress {

Error::Error(const ErrorCode& code, const std::string& message, std::string hint)
    : std::runtime_error(message), code_(code), hint_(std::move(hint)) {}

std::string Error::hint() const {
  return hint_.empty() ? std::string(code_.help) : hint_;
}

Error Error::in(std::string_view context) const {
  return {code_, std::string(what()) + " (" + std::string(context) + ")", hint_};
}

int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return 2;
    case ErrorKind::bad_input:
      return 3;
    case ErrorKind::unsupported:
      return 4;
    case ErrorKind::file_system:
      return 5;
    case ErrorKind::resource:
      return 6;
    case ErrorKind::internal:
      return 70;
  }
  return 70;
}

}  // namespace onnxpress
