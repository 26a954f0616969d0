// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/request.h"
#include "base/error_codes.h"
#include "base/mapped_file.h"
#include "data/tokenizers/tokenizer.h"
#include "onnxpress/run.h"

namespace onnxpress {
namespace {

// The field "text" of a line of .jsonl.
std::string text_of(std::string_view line, const std::string& file, std::int64_t number) {
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("text") || !json["text"].is_string()) {
    throw Error(
        codes::bad_data,
        fmt::format("{}:{}: an object with a field \"text\" should stand here", file, number),
        "write one JSON object a line, or give a .txt file");
  }
  return json["text"].get<std::string>();
}

}  // namespace

Document tokenize(const TokenizeRequest& request,
                  const std::function<void(std::span<const std::int32_t>)>& line) {
  api::Recorder recorder("tokenize", {}, {});
  Document& document = recorder.document;
  TokenizerOptions options;
  if (request.cased) options.cased = true;
  const auto tokenizer = load_tokenizer(request.tokenizer, options);
  const auto file = MappedFile::open(request.input);
  document.inputs.push_back({request.input, {}, static_cast<std::int64_t>(file->bytes().size())});
  std::string_view rest(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  const bool is_jsonl = request.input.ends_with(".jsonl");
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (text.ends_with('\r')) text.remove_suffix(1);
    ++document.samples;
    if (is_jsonl && text.empty()) continue;
    const std::string sample =
        is_jsonl ? text_of(text, request.input, document.samples) : std::string(text);
    const Encoding encoding = tokenizer->encode(sample, request.max_length);
    document.tokens += static_cast<std::int64_t>(encoding.ids.size());
    line(encoding.ids);
  }
  return recorder.finish();
}

}  // namespace onnxpress
