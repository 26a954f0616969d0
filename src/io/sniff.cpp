// SPDX-License-Identifier: Apache-2.0
#include "io/sniff.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/error_codes.h"

namespace onnxpress::io {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  std::string_view format;
  std::string_view hint;
};

constexpr std::string_view kExport = "export it to ONNX first";
constexpr std::string_view kUnpack = "unpack it first";

constexpr std::array kSignatures{
    Signature{0, "version https://git-lfs"sv, "a Git LFS pointer", "run `git lfs pull`"},
    Signature{0, "version https://hawser"sv, "a Git LFS pointer", "run `git lfs pull`"},
    Signature{0, "PK\x03\x04"sv, "a zip archive (as .pt, .pth and .npz files are)", kExport},
    Signature{0, "PK\x05\x06"sv, "an empty zip archive", kExport},
    Signature{0, "GGUF"sv, "a GGUF file of llama.cpp", kExport},
    Signature{4, "TFL3"sv, "a TensorFlow Lite model", kExport},
    Signature{4, "ORTM"sv, "an ORT-format model", "give the ONNX model it was made from"},
    Signature{0, "\x1f\x8b"sv, "a gzip archive", kUnpack},
    Signature{0, "\x28\xb5\x2f\xfd"sv, "a zstd archive", kUnpack},
    Signature{0,
              "\xfd"
              "7zXZ"sv,
              "an xz archive", kUnpack},
    Signature{0, "BZh"sv, "a bzip2 archive", kUnpack},
    Signature{257, "ustar"sv, "a tar archive", kUnpack},
    Signature{0, "\x89HDF"sv, "an HDF5 file (as Keras .h5 files are)", kExport},
    Signature{0, "\x93NUMPY"sv, "a NumPy array", kExport},
    Signature{0,
              "\x7f"
              "ELF"sv,
              "an ELF binary", ""},
    Signature{0, "\x89PNG"sv, "a PNG image", ""},
    Signature{0, "%PDF"sv, "a PDF document", ""},
    Signature{0, "<ir_version"sv, "ONNX text", "serialize it with onnx.save"},
    Signature{0, "\x80\x02"sv, "a Python pickle (as older .pt files are)", kExport},
    Signature{0, "\x80\x03"sv, "a Python pickle (as older .pt files are)", kExport},
    Signature{0, "\x80\x04"sv, "a Python pickle (as older .pt files are)", kExport},
    Signature{0, "\x80\x05"sv, "a Python pickle (as older .pt files are)", kExport},
};

[[noreturn]] void refuse(std::string_view format, std::string_view hint) {
  throw Error(codes::not_onnx, fmt::format("the file is not an ONNX model but {}", format),
              std::string(hint));
}

bool is_safetensors(std::string_view text) {
  std::uint64_t header = 0;
  if (text.size() < 10) return false;
  std::memcpy(&header, text.data(), sizeof(header));
  return header <= text.size() - 8 && text[8] == '{';
}

bool is_printable(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || c == '\n' || c == '\r' || c == '\t';
}

void refuse_text(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const auto start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos) refuse("blank text", "was the download complete?");
  switch (text[start]) {
    case '<':
      refuse("HTML or XML (a failed download?)", "download the model again");
    case '{':
    case '[':
      refuse("JSON", "give the .onnx file");
    default:
      refuse("text", "give the .onnx file");
  }
}

}  // namespace

void refuse_other_formats(std::span<const std::byte> bytes) {
  if (bytes.empty()) throw Error(codes::empty_file, "the file is empty");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const Signature& s : kSignatures) {
    if (text.size() >= s.offset && text.substr(s.offset).starts_with(s.bytes))
      refuse(s.format, s.hint);
  }
  if (is_safetensors(text)) refuse("a safetensors file", kExport);
  const std::string_view head = text.substr(0, 512);
  if (std::ranges::all_of(head, is_printable)) refuse_text(head);
}

}  // namespace onnxpress::io
