// SPDX-License-Identifier: Apache-2.0
#include "io/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include "io/schema_checks.h"
#include "io/wire.h"

namespace onnxpress {
namespace {

// Opset versions of ai.onnx and the IR version of the ONNX release they came with.
constexpr std::array<std::pair<std::int64_t, std::int64_t>, 11> kReleases{{{1, 3},
                                                                           {9, 4},
                                                                           {10, 5},
                                                                           {11, 6},
                                                                           {12, 7},
                                                                           {15, 8},
                                                                           {19, 9},
                                                                           {21, 10},
                                                                           {23, 11},
                                                                           {24, 12},
                                                                           {25, 13}}};

class ModelCheck {
 public:
  explicit ModelCheck(const Model& model) : model_(model) {
    for (const std::string& function : model.functions) read_function(function);
  }

  std::vector<Finding> run() {
    check_versions();
    check_graph(model_.graph, 0);
    for (const auto& [domain, count] : unchecked_) {
      add(Severity::info, "",
          fmt::format("{} node(s) of domain \"{}\" were not checked: its operators are not ONNX's",
                      count, domain));
    }
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string where, std::string message) {
    findings_.push_back({severity, std::move(where), std::move(message)});
  }

  void read_function(const std::string& wire) {
    std::pair<std::string, std::string> id;  // domain, name
    io::FieldReader reader(io::as_bytes(wire), "FunctionProto");
    for (io::Field field; reader.next(field);) {
      if (field.number == 1) id.second = field.as_text();
      if (field.number == 10) id.first = field.as_text();
    }
    functions_.insert(std::move(id));
  }

  void check_versions() {
    const std::int64_t opset = model_.opset();
    const std::int64_t newest = io::newest_known_opset("");
    if (opset > newest) {
      add(Severity::info, "",
          fmt::format("opset {} is newer than the definitions at hand ({}): what differs from them "
                      "is reported, but may be right",
                      opset, newest));
    }
    std::int64_t ir = 0;
    for (const auto& [first_opset, version] : kReleases) {
      if (opset >= first_opset) ir = version;
    }
    if (model_.ir_version < ir) {
      add(Severity::warning, "",
          fmt::format("opset {} came with IR version {}, but the model has IR version {}", opset,
                      ir, model_.ir_version));
    }
    if (model_.ir_version > kReleases.back().second) {
      add(Severity::info, "",
          fmt::format("IR version {} is newer than any known here ({})", model_.ir_version,
                      kReleases.back().second));
    }
  }

  void check_graph(const Graph& graph, int depth) {
    for (const ValueId id : graph.values()) check_value(graph.value(id));
    for (const NodeId id : graph.nodes()) {
      const Node& node = graph.node(id);
      check_node(node);
      if (depth > 32) continue;  // the reader refuses such models
      for (const Attribute& attribute : node.attributes.all()) {
        if (const auto* body = std::get_if<Subgraph>(&attribute.value))
          check_graph(body->graph(), depth + 1);
        if (const auto* bodies = std::get_if<std::vector<Subgraph>>(&attribute.value)) {
          for (const Subgraph& body : *bodies) check_graph(body.graph(), depth + 1);
        }
      }
    }
  }

  void check_value(const Value& value) {
    const std::string where = fmt::format("value \"{}\"", value.name);
    if (value.constant && value.is_input) {
      add(Severity::info, where,
          "is an initializer that callers may override, so it is not compressed");
    }
    const bool flags = value.constant && value.constant->dtype() == DType::boolean;
    if (flags && std::ranges::any_of(value.constant->bytes(),
                                     [](std::byte b) { return std::to_integer<int>(b) > 1; })) {
      add(Severity::warning, where, "is bool but has elements other than 0 and 1");
    }
    if (value.is_input && value.dtype == DType::undefined && value.value_info.empty())
      add(Severity::error, where, "is a graph input without a type");
  }

  void check_node(const Node& node) {
    if (functions_.contains({node.domain, node.op_type})) return;
    const std::int64_t opset = model_.opset(node.domain);
    if (opset == 0) {
      add(Severity::error, io::label(node),
          fmt::format("is of domain \"{}\", which the model does not import",
                      node.domain.empty() ? "ai.onnx" : node.domain));
      return;
    }
    if (io::newest_known_opset(node.domain) == 0) {
      ++unchecked_[node.domain];
      return;
    }
    try {
      auto found = io::check_node(node, opset);
      findings_.insert(findings_.end(), std::make_move_iterator(found.begin()),
                       std::make_move_iterator(found.end()));
    } catch (const std::exception& error) {  // a definition that can't be looked up
      add(Severity::info, io::label(node), fmt::format("was not checked: {}", error.what()));
    }
  }

  const Model& model_;
  std::set<std::pair<std::string, std::string>> functions_;
  std::map<std::string, int> unchecked_;  // nodes by domain
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> check_model(const Model& model) {
  return ModelCheck(model).run();
}

}  // namespace onnxpress
