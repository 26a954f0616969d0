// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/frame_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/error_codes.h"
#include "data/json.h"

namespace onnxpress {
namespace {

using nlohmann::json;
using Kind = FramePiece::Kind;

// A ["[SEP]", 102] as a piece.
FramePiece special(const json& token, std::uint8_t type_id) {
  return {Kind::special, {token.at(1).get<std::int32_t>()}, type_id};
}

Frame bert_frame(const json& description) {
  const json& cls = description.at("cls");
  const json& sep = description.at("sep");
  Frame frame;
  frame.single = {special(cls, 0), {Kind::first, {}, 0}, special(sep, 0)};
  frame.pair = {special(cls, 0),
                {Kind::first, {}, 0},
                special(sep, 0),
                {Kind::second, {}, 1},
                special(sep, 1)};
  return frame;
}

Frame roberta_frame(const json& description) {
  const json& cls = description.at("cls");
  const json& sep = description.at("sep");
  Frame frame;
  frame.single = {special(cls, 0), {Kind::first, {}, 0}, special(sep, 0)};
  frame.pair = {special(cls, 0), {Kind::first, {}, 0},  special(sep, 0),
                special(sep, 0), {Kind::second, {}, 0}, special(sep, 0)};
  return frame;
}

std::vector<FramePiece> template_pieces(const json& description, const char* name,
                                        const json& special_tokens) {
  std::vector<FramePiece> pieces;
  for (const json& item : list_member(description, name, codes::bad_tokenizer)) {
    if (item.contains("Sequence")) {
      const json& sequence = item["Sequence"];
      pieces.push_back({sequence.at("id") == "A" ? Kind::first : Kind::second,
                        {},
                        sequence.value("type_id", std::uint8_t{0})});
      continue;
    }
    const json& token = item.at("SpecialToken");
    const std::string special_name = token.at("id");
    if (!special_tokens.contains(special_name)) {
      throw Error(codes::bad_tokenizer,
                  fmt::format("the template's special token \"{}\" is not defined", special_name));
    }
    pieces.push_back({Kind::special,
                      special_tokens[special_name].at("ids").get<std::vector<std::int32_t>>(),
                      token.value("type_id", std::uint8_t{0})});
  }
  return pieces;
}

}  // namespace

Frame make_frame(const json& description) {
  const std::string type = description.at("type");
  if (type == "ByteLevel") return {};
  if (type == "BertProcessing") return bert_frame(description);
  if (type == "RobertaProcessing") return roberta_frame(description);
  if (type == "TemplateProcessing") {
    const json& tokens = object_member(description, "special_tokens", codes::bad_tokenizer);
    return {template_pieces(description, "single", tokens),
            template_pieces(description, "pair", tokens)};
  }
  if (type == "Sequence") {
    Frame frame;
    for (const json& processor : list_member(description, "processors", codes::bad_tokenizer)) {
      if (processor.at("type") != "ByteLevel") frame = make_frame(processor);
    }
    return frame;
  }
  throw Error(codes::bad_tokenizer, fmt::format("post-processor \"{}\" is not supported", type));
}

}  // namespace onnxpress
