// SPDX-License-Identifier: Apache-2.0
#include "io/value_info.h"

#include <fmt/format.h>

#include "base/error_codes.h"

namespace onnxpress::io {
namespace {

constexpr std::size_t kMaxRank = 64;

// Reads a Dimension; false if it holds more than Dim can.
bool read_dim(Bytes message, Dim& dim) {
  bool plain = true;
  FieldReader reader(message, "Dimension");
  for (Field field; reader.next(field);) {
    if (field.number == 1) {
      dim = {field.as_int(), {}};
      plain = plain && dim.size >= 0;
      if (dim.size < 0) dim.size = -1;
    } else if (field.number == 2) {
      dim = {-1, std::string(field.as_text())};
    } else {
      plain = false;
    }
  }
  return plain;
}

bool read_shape(Bytes message, Shape& shape) {
  bool plain = true;
  FieldReader reader(message, "TensorShapeProto");
  for (Field field; reader.next(field);) {
    if (field.number != 1) {
      plain = false;
      continue;
    }
    if (shape.size() == kMaxRank)
      throw Error(codes::graph_malformed, fmt::format("more than {} dimensions", kMaxRank));
    plain = read_dim(field.as_bytes(), shape.emplace_back()) && plain;
  }
  return plain;
}

bool read_tensor_type(Bytes message, ValueInfo& info) {
  bool plain = true;
  FieldReader reader(message, "TypeProto.Tensor");
  for (Field field; reader.next(field);) {
    if (field.number == 1) {
      info.dtype = DType{field.as_int32()};
    } else if (field.number == 2) {
      plain = plain && !info.shape;
      plain = read_shape(field.as_bytes(), info.shape.emplace()) && plain;
    } else {
      plain = false;
    }
  }
  return plain && info.dtype != DType::undefined;
}

// Reads a TypeProto into `info`; false if the type has to be kept verbatim.
bool read_type(Bytes message, ValueInfo& info) {
  bool plain = true;
  int kinds = 0;
  FieldReader reader(message, "TypeProto");
  for (Field field; reader.next(field);) {
    ++kinds;
    plain = field.number == 1 && read_tensor_type(field.as_bytes(), info) && plain;
  }
  return plain && kinds == 1;
}

}  // namespace

ValueInfo read_value_info(Bytes message) {
  ValueInfo info;
  bool typed = false;
  FieldReader reader(message, "ValueInfoProto");
  for (Field field; reader.next(field);) {
    if (field.number == 1) {
      info.name = field.as_text();
    } else if (field.number == 2) {
      if (typed)
        throw Error(codes::graph_malformed, fmt::format("value \"{}\" has two types", info.name));
      typed = true;
      if (!read_type(field.as_bytes(), info)) info.rest.append(text(field.whole));
    } else {
      info.rest.append(text(field.whole));
    }
  }
  return info;
}

std::string write_value_info(const ValueInfo& info) {
  std::string out;
  put_text(out, 1, info.name);
  bool typed = info.dtype == DType::undefined;
  FieldReader reader(as_bytes(info.rest), "ValueInfoProto");
  for (Field field; reader.next(field);) typed = typed || field.number == 2;
  if (!typed) {
    std::string tensor_type;
    put_int(tensor_type, 1, static_cast<std::int32_t>(info.dtype));
    if (info.shape) {
      std::string shape;
      for (const Dim& dim : *info.shape) {
        std::string wire;
        if (dim.known()) {
          put_int(wire, 1, dim.size);
        } else if (!dim.symbol.empty()) {
          put_text(wire, 2, dim.symbol);
        }
        put_text(shape, 1, wire);
      }
      put_text(tensor_type, 2, shape);
    }
    std::string type;
    put_text(type, 1, tensor_type);
    put_text(out, 2, type);
  }
  return out + info.rest;
}

}  // namespace onnxpress::io
