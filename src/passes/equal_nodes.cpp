// SPDX-License-Identifier: Apache-2.0
#include "passes/equal_nodes.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace onnxpress {
namespace {

constexpr std::array<std::string_view, 7> kRandom{
    "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike",
    "Multinomial",  "Bernoulli",     "Dropout"};

template <class T>
void append(std::string& key, const T& number) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &number, sizeof(T));
  key.append(bytes, sizeof(T));
}

void append(std::string& key, const std::string& text) {
  append(key, text.size());
  key += text;
}

void append(std::string& key, const Tensor& tensor) {
  append(key, tensor.dtype());
  append(key, to_string(tensor.dims()));
  const auto bytes = tensor.bytes();
  key.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

template <class T>
void append(std::string& key, const std::vector<T>& values) {
  append(key, values.size());
  for (const T& value : values) append(key, value);
}

// Large tensors in attributes are weights: other parts of the pass see to them.
constexpr std::size_t kMaxTensorBytes = 4096;

bool append_attribute(std::string& key, const Attribute& attribute) {
  append(key, attribute.name);
  append(key, attribute.value.index());
  append(key, attribute.extra);
  return std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Subgraph> || std::is_same_v<T, std::vector<Subgraph>> ||
                      std::is_same_v<T, std::vector<Tensor>> ||
                      std::is_same_v<T, OpaqueAttribute>) {
          return false;
        } else {
          if constexpr (std::is_same_v<T, Tensor>) {
            const bool large = value.bytes().size() > kMaxTensorBytes;
            if (large || value.dtype() == DType::string) return false;
          }
          append(key, value);
          return true;
        }
      },
      attribute.value);
}

// Everything that decides what a node computes; nothing where that can't be told.
std::optional<std::string> key_of(const Node& node) {
  if (!node.domain.empty() && node.domain != "com.microsoft") return std::nullopt;
  if (!node.captures.empty() || node.outputs.empty()) return std::nullopt;
  if (std::ranges::find(kRandom, std::string_view(node.op_type)) != kRandom.end()) {
    return std::nullopt;
  }
  std::string key;
  append(key, node.op_type);
  append(key, node.domain);
  append(key, node.extra);
  append(key, node.inputs);
  std::vector<bool> wanted;
  append(key, node.outputs.size());
  for (const ValueId output : node.outputs) append(key, output != kNoValue);
  std::vector<const Attribute*> attributes;
  for (const Attribute& attribute : node.attributes.all()) attributes.push_back(&attribute);
  std::ranges::sort(attributes, {}, [](const Attribute* a) { return a->name; });
  for (const Attribute* attribute : attributes) {
    if (!append_attribute(key, *attribute)) return std::nullopt;
  }
  return key;
}

}  // namespace

std::size_t merge_equal_nodes(Graph& graph) {
  std::map<std::string, NodeId> known;
  std::size_t merged = 0;
  const std::vector<NodeId> nodes(graph.nodes().begin(), graph.nodes().end());
  for (const NodeId id : nodes) {
    const auto key = key_of(graph.node(id));
    if (!key) continue;
    const auto [at, is_new] = known.try_emplace(*key, id);
    if (is_new) continue;
    const std::vector<ValueId> outputs = graph.node(id).outputs;
    const bool gives_output = std::ranges::any_of(outputs, [&](ValueId output) {
      return output != kNoValue && graph.value(output).is_output;
    });
    if (gives_output) continue;
    const std::vector<ValueId> originals = graph.node(at->second).outputs;
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (outputs[i] != kNoValue) graph.replace_all_uses(outputs[i], originals[i]);
    }
    graph.erase(id);
    ++merged;
  }
  return merged;
}

}  // namespace onnxpress
