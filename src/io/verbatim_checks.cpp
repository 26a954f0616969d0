// SPDX-License-Identifier: Apache-2.0
#include "io/verbatim_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>
#include <utility>

#include "base/error_codes.h"
#include "io/sparse_reader.h"
#include "io/tensor_reader.h"

namespace onnxpress::io {
namespace {

constexpr int kMaxDepth = 32;
constexpr std::size_t kMaxFunctions = 10'000;
constexpr std::string_view kWhere = "a part that is kept verbatim";

using FunctionId = std::pair<std::string, std::string>;  // domain, name

std::string label(const FunctionId& id) {
  return id.first.empty() ? id.second : id.first + "::" + id.second;
}

class Walk {
 public:
  explicit Walk(ReadContext& context) : context_(context), external_(context.external) {
    context_.external = nullptr;
  }
  ~Walk() { context_.external = external_; }
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  void graph(Bytes message, int depth) {
    if (depth > kMaxDepth)
      throw Error(codes::graph_malformed, fmt::format("subgraph depth is over {}", kMaxDepth));
    FieldReader reader(message, "GraphProto");
    for (Field field; reader.next(field);) {
      if (field.number == 1) node(field.as_bytes(), depth);
      if (field.number == 5) (void)read_tensor(field.as_bytes(), kWhere, context_);
      if (field.number == 15) (void)read_sparse_tensor(field.as_bytes(), kWhere, context_);
    }
  }

  void node(Bytes message, int depth) {
    context_.budget.take_node();
    FunctionId called;
    FieldReader reader(message, "NodeProto");
    for (Field field; reader.next(field);) {
      if (field.number == 4) called.second = field.as_text();
      if (field.number == 7) called.first = field.as_text();
      if (field.number == 5) attribute(field.as_bytes(), depth);
    }
    called_.insert(std::move(called));
  }

  void attribute(Bytes message, int depth) {
    FieldReader reader(message, "AttributeProto");
    for (Field field; reader.next(field);) {
      if (field.number == 5 || field.number == 10)
        (void)read_tensor(field.as_bytes(), kWhere, context_);
      if (field.number == 22 || field.number == 23)
        (void)read_sparse_tensor(field.as_bytes(), kWhere, context_);
      if (field.number == 6 || field.number == 11) graph(field.as_bytes(), depth + 1);
    }
  }

  // Operators of the nodes since the last call.
  std::set<FunctionId> take_called() { return std::exchange(called_, {}); }

 private:
  ReadContext& context_;
  ExternalFiles* external_;
  std::set<FunctionId> called_;
};

// Depth first, with a stack of its own.
void refuse_recursion(const std::map<FunctionId, std::set<FunctionId>>& calls) {
  std::set<FunctionId> done;
  for (const auto& [start, unused] : calls) {
    std::vector<std::pair<FunctionId, std::vector<FunctionId>>> path;  // function, calls to follow
    std::set<FunctionId> on_path;
    const auto enter = [&](const FunctionId& id) {
      const auto at = calls.find(id);
      if (at == calls.end() || done.contains(id)) return;
      if (!on_path.insert(id).second) {
        std::vector<std::string> names;
        for (const auto& [function, rest] : path) names.push_back(label(function));
        names.push_back(label(id));
        throw Error(codes::graph_malformed,
                    fmt::format("functions call themselves: {}", fmt::join(names, " -> ")));
      }
      path.emplace_back(id, std::vector<FunctionId>(at->second.begin(), at->second.end()));
    };
    enter(start);
    while (!path.empty()) {
      if (path.back().second.empty()) {
        done.insert(path.back().first);
        on_path.erase(path.back().first);
        path.pop_back();
        continue;
      }
      const FunctionId next = path.back().second.back();
      path.back().second.pop_back();
      enter(next);
    }
  }
}

}  // namespace

void check_verbatim_graph(Bytes graph, ReadContext& context) {
  Walk(context).graph(graph, 0);
}

void check_verbatim_attribute(Bytes attribute, ReadContext& context) {
  Walk(context).attribute(attribute, 0);
}

void check_functions(const std::vector<std::string>& functions, ReadContext& context) {
  if (functions.size() > kMaxFunctions)
    throw Error(codes::graph_malformed, fmt::format("more than {} functions", kMaxFunctions));
  Walk walk(context);
  std::map<FunctionId, std::set<FunctionId>> calls;
  for (const std::string& function : functions) {
    FunctionId id;
    std::string overload;
    FieldReader reader(as_bytes(function), "FunctionProto");
    for (Field field; reader.next(field);) {
      if (field.number == 1) id.second = field.as_text();
      if (field.number == 10) id.first = field.as_text();
      if (field.number == 13) overload = field.as_text();
      if (field.number == 7) walk.node(field.as_bytes(), 0);
    }
    auto called = walk.take_called();
    if (!overload.empty()) continue;  // nodes say which one they mean; not followed here
    if (!calls.emplace(id, std::move(called)).second)
      throw Error(codes::graph_malformed, fmt::format("function {} is declared twice", label(id)));
  }
  refuse_recursion(calls);
}

}  // namespace onnxpress::io
