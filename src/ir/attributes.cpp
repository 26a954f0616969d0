// SPDX-License-Identifier: Apache-2.0
#include "ir/attributes.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error_codes.h"
#include "ir/graph.h"

namespace onnxpress {

Subgraph::Subgraph(Graph graph) : graph_(std::make_unique<Graph>(std::move(graph))) {}
Subgraph::Subgraph(const Subgraph& other) : graph_(std::make_unique<Graph>(*other.graph_)) {}
Subgraph& Subgraph::operator=(const Subgraph& other) {
  if (this != &other) graph_ = std::make_unique<Graph>(*other.graph_);
  return *this;
}
Subgraph::~Subgraph() = default;

Attributes::Attributes(std::initializer_list<std::pair<std::string, AttributeValue>> values) {
  for (const auto& [name, value] : values) set(name, value);
}

const Attribute* Attributes::find(std::string_view name) const {
  const auto at = std::ranges::find(attributes_, name, &Attribute::name);
  return at == attributes_.end() ? nullptr : &*at;
}

template <class T>
const T* Attributes::typed(std::string_view name) const {
  const Attribute* attribute = find(name);
  if (attribute == nullptr) return nullptr;
  const T* value = std::get_if<T>(&attribute->value);
  if (value == nullptr) {
    throw Error(codes::attribute_malformed,
                fmt::format("attribute \"{}\" has the wrong type", name));
  }
  return value;
}

std::int64_t Attributes::get_int(std::string_view name, std::int64_t fallback) const {
  const auto* value = typed<std::int64_t>(name);
  return value == nullptr ? fallback : *value;
}

float Attributes::get_float(std::string_view name, float fallback) const {
  const auto* value = typed<float>(name);
  return value == nullptr ? fallback : *value;
}

std::string Attributes::get_string(std::string_view name, std::string_view fallback) const {
  const auto* value = typed<std::string>(name);
  return value == nullptr ? std::string(fallback) : *value;
}

std::vector<std::int64_t> Attributes::get_ints(std::string_view name,
                                               std::vector<std::int64_t> fallback) const {
  const auto* value = typed<std::vector<std::int64_t>>(name);
  if (value != nullptr) return *value;
  return fallback;
}

std::vector<float> Attributes::get_floats(std::string_view name,
                                          std::vector<float> fallback) const {
  const auto* value = typed<std::vector<float>>(name);
  if (value != nullptr) return *value;
  return fallback;
}

const Tensor* Attributes::get_tensor(std::string_view name) const {
  return typed<Tensor>(name);
}

std::int64_t Attributes::require_int(std::string_view name) const {
  if (!has(name))
    throw Error(codes::attribute_malformed, fmt::format("attribute \"{}\" is missing", name));
  return get_int(name, 0);
}

void Attributes::set(std::string_view name, AttributeValue value) {
  const auto at = std::ranges::find(attributes_, name, &Attribute::name);
  if (at != attributes_.end()) {
    at->value = std::move(value);
  } else {
    attributes_.push_back({std::string(name), std::move(value), {}});
  }
}

void Attributes::append(Attribute attribute) {
  if (has(attribute.name)) {
    throw Error(codes::attribute_malformed,
                fmt::format("attribute \"{}\" occurs twice", attribute.name));
  }
  attributes_.push_back(std::move(attribute));
}

void Attributes::erase(std::string_view name) {
  std::erase_if(attributes_, [&](const Attribute& a) { return a.name == name; });
}

}  // namespace onnxpress
