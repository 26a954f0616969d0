// SPDX-License-Identifier: Apache-2.0
#include "io/attribute_reader.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/error_codes.h"
#include "io/tensor_reader.h"
#include "io/verbatim_checks.h"

namespace onnxpress::io {
namespace {

constexpr std::array<std::uint32_t, 15> kValueFields{0, 2,  3,  4,  5,  6,  7, 8,
                                                     9, 10, 11, 22, 23, 14, 15};
enum AttributeField : std::uint32_t { kName = 1, kType = 20, kReference = 21 };

bool holds_value(std::uint32_t field) {
  for (const std::uint32_t f : kValueFields) {
    if (f == field && f != 0) return true;
  }
  return false;
}

// What a first look at an attribute tells.
struct Outline {
  std::string name, extra;
  std::int32_t type = 0;
  bool reference = false;
  std::uint32_t value = 0;  // number of the field that holds the value; 0: none
  bool mixed = false;       // several fields hold values
  std::size_t count = 0;    // occurrences of the value's field
};

Outline outline(Bytes message) {
  Outline found;
  FieldReader reader(message, "AttributeProto");
  for (Field field; reader.next(field);) {
    if (field.number == kName) {
      found.name = field.as_text();
    } else if (field.number == kType) {
      found.type = field.as_int32();
    } else if (field.number == kReference) {
      found.reference = !field.as_text().empty();
    } else if (holds_value(field.number)) {
      found.mixed = found.mixed || (found.value != 0 && found.value != field.number);
      found.value = field.number;
      ++found.count;
    } else {
      found.extra.append(text(field.whole));
    }
  }
  return found;
}

AttributeType type_of(const Outline& found) {
  const auto fail = [&](const std::string& what) {
    throw Error(codes::attribute_malformed, fmt::format("attribute \"{}\" {}", found.name, what));
  };
  if (found.name.empty()) fail("has no name");
  if (found.mixed) fail("has values of several types");
  auto type = AttributeType{found.type};
  if (type == AttributeType::undefined) {  // files from before the type was recorded
    for (std::size_t i = 1; i < kValueFields.size(); ++i) {
      if (kValueFields[i] == found.value) type = AttributeType{static_cast<std::int32_t>(i)};
    }
  }
  const std::uint32_t expected = value_field(type);
  if (expected == 0) fail(fmt::format("has the unknown type {}", found.type));
  if (found.value != 0 && found.value != expected)
    fail(fmt::format("is declared type {} but its value is in field {}", found.type, found.value));
  const bool message = type == AttributeType::tensor || type == AttributeType::graph;
  if (message && found.count != 1)
    fail(fmt::format("should have one value but has {}", found.count));
  return type;
}

// Everything but the name, which Attribute has.
OpaqueAttribute verbatim(Bytes message) {
  OpaqueAttribute opaque;
  FieldReader reader(message, "AttributeProto");
  for (Field field; reader.next(field);) {
    if (field.number != kName) opaque.wire.append(text(field.whole));
  }
  return opaque;
}

class ValueReader {
 public:
  ValueReader(Bytes message, const Outline& found, ReadContext& context)
      : message_(message), found_(found), context_(context) {}

  template <class Body>
  void each(Body body) {
    FieldReader reader(message_, "AttributeProto");
    for (Field field; reader.next(field);) {
      if (field.number == found_.value) body(field);
    }
  }

  template <class T>
  std::vector<T> numbers() {
    std::size_t size = 0;
    each([&](const Field& f) { size += f.type == WireType::length ? f.payload.size() : 1; });
    context_.budget.take_heap(size * sizeof(T));
    std::vector<T> values;
    each([&](const Field& f) {
      if constexpr (std::is_same_v<T, float>) {
        for_each_fixed<float>(f, [&](float v) { values.push_back(v); });
      } else {
        for_each_varint(f, [&](std::uint64_t v) { values.push_back(static_cast<T>(v)); });
      }
    });
    return values;
  }

  std::vector<std::string> strings() {
    std::vector<std::string> values;
    each([&](const Field& f) {
      context_.budget.take_heap(sizeof(std::string) + f.as_bytes().size());
      values.emplace_back(f.as_text());
    });
    return values;
  }

  std::vector<Tensor> tensors(std::string& extra) {
    std::vector<Tensor> values;
    each([&](const Field& f) {
      context_.budget.take_heap(sizeof(Tensor));
      NamedTensor t =
          read_tensor(f.as_bytes(), fmt::format("attribute \"{}\"", found_.name), context_);
      std::string rest;
      if (!t.name.empty()) put_text(rest, 8, t.name);
      rest += t.extra;
      // Lists need a place for each, so that they can be told apart.
      if (!rest.empty() || found_.value == value_field(AttributeType::tensors))
        put_text(extra, found_.value, rest);
      values.push_back(std::move(t.tensor));
    });
    return values;
  }

  std::vector<Subgraph> bodies(const std::function<Graph(Bytes)>& read_body) {
    std::vector<Subgraph> values;
    each([&](const Field& f) { values.emplace_back(read_body(f.as_bytes())); });
    return values;
  }

 private:
  Bytes message_;
  const Outline& found_;
  ReadContext& context_;
};

template <class T>
T last_or(std::vector<T> values, T fallback) {
  return values.empty() ? std::move(fallback) : std::move(values.back());
}

}  // namespace

std::uint32_t value_field(AttributeType type) {
  const auto index = static_cast<std::int32_t>(type);
  return index >= 0 && static_cast<std::size_t>(index) < kValueFields.size()
             ? kValueFields[static_cast<std::size_t>(index)]
             : 0;
}

Attribute read_attribute(Bytes message, ReadContext& context,
                         const std::function<Graph(Bytes)>& read_body) {
  Outline found = outline(message);
  if (found.reference) {
    check_verbatim_attribute(message, context);
    context.budget.take_heap(message.size());
    return {found.name, verbatim(message), {}};
  }
  const AttributeType type = type_of(found);
  ValueReader reader(message, found, context);
  Attribute attribute{found.name, {}, std::move(found.extra)};
  context.budget.take_heap(sizeof(Attribute) + attribute.name.size() + attribute.extra.size());
  switch (type) {
    case AttributeType::float_value:
      attribute.value = last_or(reader.numbers<float>(), 0.0F);
      break;
    case AttributeType::int_value:
      attribute.value = last_or(reader.numbers<std::int64_t>(), std::int64_t{0});
      break;
    case AttributeType::string_value:
      attribute.value = last_or(reader.strings(), std::string());
      break;
    case AttributeType::tensor:
      attribute.value = reader.tensors(attribute.extra).front();
      break;
    case AttributeType::graph:
      attribute.value = reader.bodies(read_body).front();
      break;
    case AttributeType::floats:
      attribute.value = reader.numbers<float>();
      break;
    case AttributeType::ints:
      attribute.value = reader.numbers<std::int64_t>();
      break;
    case AttributeType::strings:
      attribute.value = reader.strings();
      break;
    case AttributeType::tensors:
      attribute.value = reader.tensors(attribute.extra);
      break;
    case AttributeType::graphs:
      attribute.value = reader.bodies(read_body);
      break;
    default:
      check_verbatim_attribute(message, context);
      context.budget.take_heap(message.size());
      return {found.name, verbatim(message), {}};
  }
  return attribute;
}

}  // namespace onnxpress::io
