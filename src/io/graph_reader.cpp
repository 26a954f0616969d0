// SPDX-License-Identifier: Apache-2.0
#include "io/graph_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/error_codes.h"
#include "io/attribute_reader.h"
#include "io/node_order.h"
#include "io/sparse_reader.h"
#include "io/tensor_reader.h"
#include "io/value_info.h"

namespace onnxpress::io {
namespace {

constexpr int kMaxDepth = 32;

enum GraphField : std::uint32_t {
  kNode = 1,
  kName = 2,
  kInitializer = 5,
  kDocString = 10,
  kInput = 11,
  kOutput = 12,
  kValueInfo = 13,
  kSparseInitializer = 15,
};

[[noreturn]] void malformed(const std::string& what) {
  throw Error(codes::graph_malformed, what);
}

// A GraphProto that is being read. A body knows the scope around it, so that names it does not
// define are found there and become captures.
class Scope {
 public:
  Scope(Bytes message, const ModelRules& rules, ReadContext& context, Scope* parent)
      : message_(message), rules_(rules), context_(context), parent_(parent) {
    for (const Scope* s = parent; s != nullptr; s = s->parent_) ++depth_;
    if (depth_ > kMaxDepth) malformed(fmt::format("subgraph depth is over {}", kMaxDepth));
  }

  Graph read() {
    sort_fields();
    if (context_.options.fix_order) nodes_ = sorted_nodes(nodes_);
    // Before IR version 4 every initializer had to be listed as an input as well, without meaning
    // that callers may set it.
    if (initializers_are_inputs()) read_initializers();
    for (const Bytes input : inputs_) read_input(input);
    if (!initializers_are_inputs()) read_initializers();
    for (at_ = 0; at_ < nodes_.size(); ++at_) read_node(nodes_[at_]);
    for (const Bytes output : outputs_) read_output(output);
    for (const auto& info : infos_) {
      if (!info.used) graph_.extra.append(text(info.whole));
    }
    return std::move(graph_);
  }

  // Values of the scope around this one that the graph reads, in the order of Graph::captures().
  [[nodiscard]] const std::vector<ValueId>& captured() const { return captured_; }

 private:
  struct Info {
    ValueInfo info;
    Bytes whole;
    bool used = false;
  };

  [[nodiscard]] bool initializers_are_inputs() const { return rules_.ir_version < 4; }
  void sort_fields();
  void read_input(Bytes message);
  void read_initializers() {
    for (const Bytes message : initializers_)
      add_initializer(read_tensor(message, "an initializer", context_));
    for (const Bytes message : sparse_initializers_)
      add_initializer(read_sparse_tensor(message, "a sparse initializer", context_));
  }
  void add_initializer(NamedTensor tensor);
  void read_node(Bytes message);
  void read_attribute_of(const Field& field, Node& node);
  void read_output(Bytes message);
  void check_name(std::string_view name) const;
  ValueId define(std::string_view name, const std::string& by);
  std::optional<ValueId> resolve(std::string_view name);
  ValueId require(std::string_view name, const Node& reader);
  [[noreturn]] void fail_unresolved(std::string_view name, const std::string& reader) const;
  void apply_info(ValueId id);

  Bytes message_;
  const ModelRules& rules_;
  ReadContext& context_;
  Scope* parent_;
  int depth_ = 0;
  Graph graph_;
  std::vector<Bytes> nodes_, initializers_, sparse_initializers_, inputs_, outputs_;
  std::size_t at_ = 0;  // the node that is being read
  std::vector<Info> infos_;
  std::unordered_map<std::string, std::size_t> info_by_name_;
  std::vector<ValueId> captured_;
};

void Scope::check_name(std::string_view name) const {
  if (static_cast<std::int64_t>(name.size()) > context_.options.max_name_bytes)
    throw Error(codes::over_budget, fmt::format("a name has {} bytes", name.size()));
  if (name.find('\0') != std::string_view::npos) malformed("a name holds a NUL character");
}

void Scope::sort_fields() {
  FieldReader reader(message_, "GraphProto");
  for (Field field; reader.next(field);) {
    switch (field.number) {
      case kNode:
        context_.budget.take_node();
        nodes_.push_back(field.as_bytes());
        break;
      case kName:
        graph_.name = field.as_text();
        break;
      case kInitializer:
        context_.budget.take_initializer();
        initializers_.push_back(field.as_bytes());
        break;
      case kDocString:
        graph_.doc_string = field.as_text();
        break;
      case kInput:
        context_.budget.take_heap(sizeof(Value) + field.as_bytes().size());
        inputs_.push_back(field.as_bytes());
        break;
      case kOutput:
        context_.budget.take_heap(sizeof(Value) + field.as_bytes().size());
        outputs_.push_back(field.as_bytes());
        break;
      case kValueInfo: {
        context_.budget.take_heap(sizeof(Info) + 3 * field.as_bytes().size());
        infos_.push_back({read_value_info(field.as_bytes()), field.whole});
        info_by_name_.emplace(infos_.back().info.name, infos_.size() - 1);
        break;
      }
      case kSparseInitializer:
        context_.budget.take_initializer();
        sparse_initializers_.push_back(field.as_bytes());
        break;
      default:
        graph_.extra.append(text(field.whole));
    }
  }
}

ValueId Scope::define(std::string_view name, const std::string& by) {
  check_name(name);
  if (const auto id = graph_.find_value(name)) {
    malformed(
        graph_.value(*id).is_capture
            ? fmt::format("{} hides \"{}\" of the graph around it, which is read before", by, name)
            : fmt::format("\"{}\" is defined twice; the second time by {}", name, by));
  }
  context_.budget.take_heap(sizeof(Value) + 2 * name.size() + 64);
  return graph_.add_value(name);
}

void Scope::apply_info(ValueId id) {
  const auto at = info_by_name_.find(graph_.value(id).name);
  if (at == info_by_name_.end()) return;
  Info& info = infos_[at->second];
  info.used = true;
  Value& value = graph_.mutable_value(id);
  value.is_declared = true;
  value.dtype = info.info.dtype;
  value.shape = std::move(info.info.shape);
  value.value_info = std::move(info.info.rest);
}

void Scope::read_input(Bytes message) {
  ValueInfo info = read_value_info(message);
  check_name(info.name);
  if (info.name.empty()) malformed("a graph input has no name");
  if (initializers_are_inputs()) {
    const auto id = graph_.find_value(info.name);
    if (id && graph_.value(*id).constant) return;
  }
  const ValueId id = graph_.add_input(info.name, info.dtype, std::move(info.shape));
  graph_.mutable_value(id).value_info = std::move(info.rest);
}

void Scope::add_initializer(NamedTensor tensor) {
  if (tensor.name.empty()) malformed("an initializer has no name");
  auto id = graph_.find_value(tensor.name);
  if (!id) {
    id = define(tensor.name, "an initializer");
    apply_info(*id);
    graph_.set_constant(*id, std::move(tensor.tensor));
  } else {
    Value& value = graph_.mutable_value(*id);
    if (!value.is_input || value.constant)
      malformed(fmt::format("initializer \"{}\" occurs twice", tensor.name));
    if (value.dtype != DType::undefined && value.dtype != tensor.tensor.dtype()) {
      malformed(fmt::format("input \"{}\" is {}, but its initializer is {}", tensor.name,
                            name(value.dtype), name(tensor.tensor.dtype())));
    }
    value.dtype = tensor.tensor.dtype();
    value.constant = std::move(tensor.tensor);
  }
  graph_.mutable_value(*id).tensor_extra = std::move(tensor.extra);
}

std::optional<ValueId> Scope::resolve(std::string_view name) {
  if (const auto id = graph_.find_value(name)) return id;
  if (parent_ == nullptr) return std::nullopt;
  const auto outer = parent_->resolve(name);
  if (!outer) return std::nullopt;
  context_.budget.take_heap(sizeof(Value) + 2 * name.size() + 64);
  const Value& value = parent_->graph_.value(*outer);
  captured_.push_back(*outer);
  return graph_.add_capture(name, value.dtype, value.shape);
}

void Scope::fail_unresolved(std::string_view name, const std::string& reader) const {
  for (const Scope* s = this; s != nullptr; s = s->parent_)
    explain_order(s->nodes_, s->at_, name, reader);
  malformed(fmt::format("{} reads \"{}\", which nothing produces", reader, name));
}

ValueId Scope::require(std::string_view name, const Node& reader) {
  if (name.empty()) return kNoValue;
  check_name(name);
  const auto id = resolve(name);
  if (!id) fail_unresolved(name, fmt::format("node \"{}\" ({})", reader.name, reader.op_type));
  return *id;
}

void Scope::read_attribute_of(const Field& field, Node& node) {
  if (static_cast<std::int64_t>(node.attributes.all().size()) >= context_.options.max_attributes)
    throw Error(codes::over_budget,
                fmt::format("more than {} attributes", context_.options.max_attributes));
  node.attributes.append(read_attribute(field.as_bytes(), context_, [&](Bytes body) {
    Scope scope(body, rules_, context_, this);
    Graph graph = scope.read();
    node.captures.insert(node.captures.end(), scope.captured().begin(), scope.captured().end());
    return graph;
  }));
}

void Scope::read_node(Bytes message) {
  Node node;
  std::vector<std::string_view> inputs, outputs;
  std::vector<Field> attributes;
  FieldReader reader(message, "NodeProto");
  for (Field field; reader.next(field);) {
    switch (field.number) {
      case 1:
        context_.budget.take_heap(2 * sizeof(Use));
        inputs.push_back(field.as_text());
        break;
      case 2:
        outputs.push_back(field.as_text());
        break;
      case 3:
        node.name = field.as_text();
        break;
      case 4:
        node.op_type = field.as_text();
        break;
      case 5:
        attributes.push_back(field);
        break;
      case 6:
        node.doc_string = field.as_text();
        break;
      case 7:
        node.domain = field.as_text();
        break;
      case 9:
        context_.budget.take_heap(2 * sizeof(std::string));
        node.metadata.emplace_back(read_entry(field.as_bytes()));
        break;
      default:
        node.extra.append(text(field.whole));
    }
  }
  context_.budget.take_heap(sizeof(Node) + message.size());
  check_name(node.name);
  check_name(node.op_type);
  if (node.domain == "ai.onnx") {  // another spelling of "", kept for the writer
    put_text(node.extra, 7, node.domain);
    node.domain.clear();
  }
  const std::string label = fmt::format("node \"{}\" ({})", node.name, node.op_type);
  if (node.op_type.empty()) malformed(fmt::format("node \"{}\" has no operator", node.name));
  if (!rules_.domains.contains(node.domain)) {
    malformed(fmt::format("{} is of domain \"{}\", which the model does not import", label,
                          node.domain.empty() ? "ai.onnx" : node.domain));
  }
  for (const std::string_view name : inputs) node.inputs.push_back(require(name, node));
  try {
    for (const Field& attribute : attributes) read_attribute_of(attribute, node);
  } catch (const Error& error) {
    throw depth_ == 0 ? error.in(label) : error;
  }
  for (const std::string_view name : outputs) {
    const ValueId id = name.empty() ? kNoValue : define(name, label);
    node.outputs.push_back(id);
    if (id != kNoValue) apply_info(id);
  }
  graph_.add_node(std::move(node));
}

void Scope::read_output(Bytes message) {
  ValueInfo info = read_value_info(message);
  check_name(info.name);
  if (info.name.empty()) malformed("a graph output has no name");
  const auto id = resolve(info.name);
  if (!id) malformed(fmt::format("graph output \"{}\" is never produced", info.name));
  if (graph_.value(*id).is_output)
    malformed(fmt::format("graph output \"{}\" occurs twice", info.name));
  graph_.add_output(*id);
  Value& value = graph_.mutable_value(*id);
  if (value.is_input) return;  // the input says it already
  if (!value.constant && info.dtype != DType::undefined) {
    value.dtype = info.dtype;
    value.shape = std::move(info.shape);
  }
  if (!info.rest.empty()) value.value_info = std::move(info.rest);
}

}  // namespace

Graph read_graph(Bytes message, const ModelRules& rules, ReadContext& context) {
  return Scope(message, rules, context, nullptr).read();
}

}  // namespace onnxpress::io
