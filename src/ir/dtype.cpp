// SPDX-License-Identifier: Apache-2.0
#include "ir/dtype.h"

#include <fmt/format.h>

#include <array>

namespace onnxpress {
namespace {

struct Row {
  const char* name;
  int bits;
};

// Indexed by the number of the type.
constexpr std::array<Row, 27> kRows{{
    {"undefined", 0},      {"float", 32},       {"uint8", 8},          {"int8", 8},
    {"uint16", 16},        {"int16", 16},       {"int32", 32},         {"int64", 64},
    {"string", 0},         {"bool", 8},         {"float16", 16},       {"double", 64},
    {"uint32", 32},        {"uint64", 64},      {"complex64", 64},     {"complex128", 128},
    {"bfloat16", 16},      {"float8e4m3fn", 8}, {"float8e4m3fnuz", 8}, {"float8e5m2", 8},
    {"float8e5m2fnuz", 8}, {"uint4", 4},        {"int4", 4},           {"float4e2m1", 4},
    {"float8e8m0", 8},     {"uint2", 2},        {"int2", 2},
}};

const Row* row(DType type) {
  const auto index = static_cast<std::size_t>(static_cast<std::int32_t>(type));
  return static_cast<std::int32_t>(type) >= 0 && index < kRows.size() ? &kRows[index] : nullptr;
}

}  // namespace

int bits(DType type) {
  const Row* r = row(type);
  return r == nullptr ? 0 : r->bits;
}

std::string name(DType type) {
  const Row* r = row(type);
  return r == nullptr ? fmt::format("type{}", static_cast<std::int32_t>(type)) : r->name;
}

bool is_float(DType type) {
  switch (type) {
    case DType::float32:
    case DType::float16:
    case DType::float64:
    case DType::bfloat16:
    case DType::float8e4m3fn:
    case DType::float8e4m3fnuz:
    case DType::float8e5m2:
    case DType::float8e5m2fnuz:
    case DType::float4e2m1:
    case DType::float8e8m0:
      return true;
    default:
      return false;
  }
}

bool is_integer(DType type) {
  switch (type) {
    case DType::uint8:
    case DType::int8:
    case DType::uint16:
    case DType::int16:
    case DType::uint32:
    case DType::int32:
    case DType::uint64:
    case DType::int64:
    case DType::uint4:
    case DType::int4:
    case DType::uint2:
    case DType::int2:
      return true;
    default:
      return false;
  }
}

}  // namespace onnxpress
