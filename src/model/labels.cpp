// SPDX-License-Identifier: Apache-2.0
#include "model/labels.h"

#include <algorithm>
#include <string_view>

namespace onnxpress {
namespace {

// "layer.query.weight" without ".weight" → "layer.query"; also where a quantizer or a cast has made
// a new tensor of it and said so ("layer.query.weight_q").
std::string without_suffix(std::string_view name, std::string_view suffix) {
  for (const std::string_view made : {"_quantized", "_half", "_q"}) {
    if (name.ends_with(made)) name.remove_suffix(made.size());
  }
  if (name.size() <= suffix.size() || !name.ends_with(suffix)) return {};
  return std::string(name.substr(0, name.size() - suffix.size()));
}

// "/encoder/query/MatMul" → "encoder/query"; empty where there is no path.
std::string path_of(std::string_view name) {
  const std::size_t last = name.rfind('/');
  if (last == std::string_view::npos || last == 0) return {};
  name = name.substr(0, last);
  if (name.front() == '/') name.remove_prefix(1);
  return std::string(name);
}

// "['', 'm', 'm.encoder', 'm.encoder.query', 'linear']" → "m.encoder.query".
std::string scope_of(const Node& node) {
  for (const auto& [key, text] : node.metadata) {
    if (!key.ends_with("name_scopes")) continue;
    const std::size_t last = text.rfind(", '");
    if (last == std::string::npos || last == 0) return {};
    const std::size_t before = text.rfind(", '", last - 1);
    if (before == std::string::npos || last < before + 4) return {};
    return text.substr(before + 3, last - before - 4);
  }
  return {};
}

std::string without_slash(std::string_view name) {
  if (name.starts_with('/')) name.remove_prefix(1);
  return std::string(name);
}

template <class... Strings>
std::string first_of(Strings... candidates) {
  for (std::string* candidate : {&candidates...}) {
    if (!candidate->empty()) return std::move(*candidate);
  }
  return "unnamed";
}

}  // namespace

std::string Labels::unique(std::string label) {
  if (taken_.insert(label).second) return label;
  for (int i = 2;; ++i) {
    std::string numbered = label + "_" + std::to_string(i);
    if (taken_.insert(numbered).second) return numbered;
  }
}

std::string Labels::of_product(const Node& node, ValueId weight, ValueId bias) {
  const auto name_of = [&](ValueId id) {
    return id == kNoValue ? std::string() : graph_.value(id).name;
  };
  const std::string output = node.outputs.empty() ? std::string() : name_of(node.outputs[0]);
  // A tied head reads a tensor that has the embedding's name.
  const bool tied =
      weight != kNoValue && std::ranges::any_of(graph_.value(weight).uses, [&](const Use& use) {
        return graph_.node(use.node).is("Gather");
      });
  return unique(first_of(path_of(node.name), tied ? scope_of(node) : std::string(),
                         without_suffix(name_of(weight), ".weight"),
                         without_suffix(name_of(bias), ".bias"), scope_of(node), node.name,
                         output));
}

std::string Labels::of_table(const Node& gather, ValueId table) {
  const std::string& name = graph_.value(table).name;
  return unique(first_of(without_suffix(name, ".weight"), path_of(gather.name), scope_of(gather),
                         name, gather.name));
}

std::string Labels::of_node(const Node& node) {
  return of_product(node, kNoValue, kNoValue);
}

std::string Labels::of_one_node(const Node& node) {
  return unique(first_of(without_slash(node.name), scope_of(node)));
}

}  // namespace onnxpress
