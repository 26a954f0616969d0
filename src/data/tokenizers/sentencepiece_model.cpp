// SPDX-License-Identifier: Apache-2.0
#include "data/tokenizers/sentencepiece_model.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

// A field of a protobuf message.
struct Field {
  std::uint64_t number = 0;
  std::uint64_t value = 0;  // of a varint, or the bits of a fixed-size number
  std::string_view bytes;   // of a length-delimited field
};

[[noreturn]] void malformed() {
  throw Error(codes::bad_tokenizer, "is not a SentencePiece model");
}

std::uint64_t read_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (bytes.empty()) malformed();
    const auto byte = static_cast<unsigned char>(bytes[0]);
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  malformed();
}

std::uint64_t read_fixed(std::string_view& bytes, std::size_t size) {
  if (bytes.size() < size) malformed();
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  bytes.remove_prefix(size);
  return value;
}

// Calls visit(Field) for each field of a message.
template <class Visit>
void for_each_field(std::string_view bytes, Visit visit) {
  while (!bytes.empty()) {
    const std::uint64_t tag = read_varint(bytes);
    Field field;
    field.number = tag >> 3U;
    switch (tag & 7U) {
      case 0:
        field.value = read_varint(bytes);
        break;
      case 1:
        field.value = read_fixed(bytes, 8);
        break;
      case 2: {
        const std::uint64_t size = read_varint(bytes);
        if (size > bytes.size()) malformed();
        field.bytes = bytes.substr(0, size);
        bytes.remove_prefix(size);
        break;
      }
      case 5:
        field.value = read_fixed(bytes, 4);
        break;
      default:
        malformed();
    }
    if (field.number == 0) malformed();
    visit(field);
  }
}

SentencePieceModel::Piece read_piece(std::string_view bytes) {
  SentencePieceModel::Piece piece;
  for_each_field(bytes, [&](const Field& field) {
    if (field.number == 1) piece.text = field.bytes;
    if (field.number == 2)
      piece.score = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
    if (field.number == 3) {
      if (field.value < 1 || field.value > 6) malformed();
      piece.type = static_cast<SentencePieceModel::PieceType>(field.value);
    }
  });
  if (piece.text.empty() || !std::isfinite(piece.score)) malformed();
  return piece;
}

void read_trainer(std::string_view bytes, SentencePieceModel& model) {
  for_each_field(bytes, [&](const Field& field) {
    const auto id = static_cast<std::int32_t>(field.value);
    if (field.number == 3) {
      if (field.value < 1 || field.value > 4) malformed();
      model.kind = static_cast<SentencePieceModel::Kind>(field.value);
    }
    if (field.number == 24) model.whitespace_as_suffix = field.value != 0;
    if (field.number == 35) model.byte_fallback = field.value != 0;
    if (field.number == 40) model.unknown_id = id;
    if (field.number == 41) model.bos_id = id;
    if (field.number == 42) model.eos_id = id;
    if (field.number == 43) model.pad_id = id;
  });
}

void read_normalizer(std::string_view bytes, SentencePieceModel& model) {
  for_each_field(bytes, [&](const Field& field) {
    if (field.number == 2) model.charsmap = field.bytes;
    if (field.number == 3) model.add_dummy_prefix = field.value != 0;
    if (field.number == 4) model.remove_extra_whitespaces = field.value != 0;
    if (field.number == 5) model.escape_whitespaces = field.value != 0;
  });
}

SentencePieceModel parse(std::string_view bytes) {
  SentencePieceModel model;
  for_each_field(bytes, [&](const Field& field) {
    if (field.number == 1) model.pieces.push_back(read_piece(field.bytes));
    if (field.number == 2) read_trainer(field.bytes, model);
    if (field.number == 3) read_normalizer(field.bytes, model);
  });
  if (model.pieces.empty()) malformed();
  const auto count = static_cast<std::int64_t>(model.pieces.size());
  if (model.unknown_id < 0 || model.unknown_id >= count || model.bos_id >= count ||
      model.eos_id >= count || model.pad_id >= count) {
    throw Error(codes::bad_tokenizer,
                fmt::format("names a special token beyond its {} pieces", count));
  }
  return model;
}

}  // namespace

SentencePieceModel parse_sentencepiece_model(std::string_view bytes, std::string_view source) {
  try {
    return parse(bytes);
  } catch (const Error& error) {
    throw Error(codes::bad_tokenizer, fmt::format("{}: {}", source, error.what()));
  }
}

}  // namespace onnxpress
