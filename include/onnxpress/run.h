// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "onnxpress/document.h"
#include "onnxpress/options.h"

namespace onnxpress {

// Runs a model once on the arrays of an .npz file (inputs by name) and writes its outputs by name
// into another. Throws Error.
struct RunRequest {
  std::string model{};
  std::string data{};    // .npz
  std::string output{};  // .npz
  bool force = false;
  ReadingOptions reading{};
  EngineOptions engine{};
};
[[nodiscard]] Document run(const RunRequest& request, const Control& control = {});

// Tokenizes a text file line by line, or the field "text" of each line of a .jsonl.
struct TokenizeRequest {
  std::string tokenizer{};  // file or folder
  std::string input{};      // .txt or .jsonl
  bool cased = false;
  std::size_t max_length = 0;  // 0: no limit
};
// Calls `line` with the ids of each line, in order. document.samples and .tokens count them.
[[nodiscard]] Document tokenize(const TokenizeRequest& request,
                                const std::function<void(std::span<const std::int32_t>)>& line);

}  // namespace onnxpress
