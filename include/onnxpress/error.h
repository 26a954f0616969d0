// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace onnxpress {

// Who is at fault, and so which exit code the command line uses (docs/errors.md).
enum class ErrorKind { usage, bad_input, unsupported, file_system, resource, internal };

// One row of the table of errors: a stable id such as "E0312", its kind, and what it means in
// general.
struct ErrorCode {
  std::string_view id;
  ErrorKind kind;
  std::string_view title;
  std::string_view help;  // what to do in general; an Error may carry a better hint of its own
};

// Everything that the user, the model or the machine can be blamed for. `what()` is one line that
// says where, what should hold and what was received; `hint()` says what to do.
//
//   throw Error(codes::tensor_size, fmt::format("tensor \"{}\" needs {} bytes but has {}", …));
class Error : public std::runtime_error {
 public:
  Error(const ErrorCode& code, const std::string& message, std::string hint = {});

  [[nodiscard]] ErrorKind kind() const { return code_.kind; }
  [[nodiscard]] std::string_view code() const { return code_.id; }
  [[nodiscard]] std::string hint() const;
  // The same error with "(context)" added to its message, e.g. the file it was found in.
  [[nodiscard]] Error in(std::string_view context) const;

 private:
  ErrorCode code_;
  std::string hint_;
};

// The exit code of a kind of error: 2 usage, 3 bad input, 4 unsupported, 5 file system, 6 resource,
// 70 internal.
[[nodiscard]] int exit_code(ErrorKind kind);

}  // namespace onnxpress
