// SPDX-License-Identifier: Apache-2.0
#include "io/reader.h"

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <utility>

#include "base/error_codes.h"
#include "io/graph_reader.h"
#include "io/sniff.h"
#include "io/verbatim_checks.h"

namespace onnxpress {
namespace io {

void Budget::take_node() {
  if (++nodes_ > options_.max_nodes)
    throw Error(codes::over_budget, fmt::format("more than {} nodes", options_.max_nodes));
}

void Budget::take_initializer() {
  if (++initializers_ > options_.max_initializers)
    throw Error(codes::over_budget,
                fmt::format("more than {} initializers", options_.max_initializers));
}

void Budget::take_heap(std::uint64_t bytes) {
  heap_ += bytes;
  if (heap_ > static_cast<std::uint64_t>(options_.max_heap_bytes)) {
    throw Error(codes::over_budget,
                fmt::format("the model needs more than {} bytes of memory besides its weights",
                            options_.max_heap_bytes));
  }
}

namespace {

constexpr std::size_t kMessageLimit = std::numeric_limits<std::int32_t>::max();

OpsetImport read_opset(Bytes message) {
  OpsetImport import;
  FieldReader reader(message, "OperatorSetIdProto");
  for (Field field; reader.next(field);) {
    if (field.number == 1) import.domain = field.as_text();
    if (field.number == 2) import.version = field.as_int();
  }
  return import;
}

// Bare graphs and tensors are protobuf files too; their first fields give them away.
void refuse_other_message(const Field& field) {
  const auto refuse = [](std::string_view what) {
    throw Error(codes::not_onnx, fmt::format("the file is not a model but {}", what),
                "give the model that it belongs to");
  };
  if (field.number == 1 && field.type == WireType::length) refuse("a bare GraphProto or NodeProto");
  if (field.number == 2 && field.type == WireType::varint) refuse("a TensorProto");
}

// TrainingInfoProto: two graphs, which are kept verbatim.
void check_training(Bytes message, ReadContext& context) {
  FieldReader reader(message, "TrainingInfoProto");
  for (Field field; reader.next(field);) {
    if (field.number <= 2) check_verbatim_graph(field.as_bytes(), context);
  }
}

std::string normalized(const std::string& domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

ModelRules rules_of(const Model& model) {
  ModelRules rules{model.ir_version, {}};
  for (const OpsetImport& import : model.opsets) {
    if (import.version < 1) {
      throw Error(codes::graph_malformed,
                  fmt::format("opset version {} of domain \"{}\"", import.version, import.domain));
    }
    if (!rules.domains.insert(normalized(import.domain)).second &&
        model.opset(normalized(import.domain)) != import.version) {
      throw Error(codes::graph_malformed,
                  fmt::format("domain \"{}\" is imported twice", import.domain));
    }
  }
  return rules;
}

Model read_message(Bytes message, ReadContext& context) {
  if (message.size() > kMessageLimit) {
    throw Error(
        codes::broken_wire,
        fmt::format("{} bytes are over protobuf's limit of {}", message.size(), kMessageLimit),
        "export the model with its weights in external data");
  }
  Model model;
  std::optional<Bytes> graph;
  FieldReader reader(message, "ModelProto");
  for (Field field; reader.next(field);) {
    refuse_other_message(field);
    switch (field.number) {
      case 1:
        model.ir_version = field.as_int();
        break;
      case 2:
        model.producer_name = field.as_text();
        break;
      case 3:
        model.producer_version = field.as_text();
        break;
      case 4:
        model.domain = field.as_text();
        break;
      case 5:
        model.model_version = field.as_int();
        break;
      case 6:
        model.doc_string = field.as_text();
        break;
      case 7:
        if (graph)
          throw Error(codes::broken_wire, "the model has two graphs (concatenated files?)");
        graph = field.as_bytes();
        break;
      case 8:
        model.opsets.push_back(read_opset(field.as_bytes()));
        context.budget.take_heap(sizeof(OpsetImport));
        break;
      case 14:
        context.budget.take_heap(2 * sizeof(std::string) + field.as_bytes().size());
        model.metadata.emplace_back(read_entry(field.as_bytes()));
        break;
      case 25:
        context.budget.take_heap(sizeof(std::string) + field.as_bytes().size());
        model.functions.emplace_back(field.as_text());
        break;
      case 20:
        check_training(field.as_bytes(), context);
        [[fallthrough]];
      default:
        model.extra.append(text(field.whole));
    }
  }
  if (!graph) throw Error(codes::no_graph, "the model has no graph");
  if (model.opsets.empty()) throw Error(codes::no_graph, "the model imports no operator set");
  if (model.ir_version < 1)
    throw Error(codes::no_graph, fmt::format("the model has IR version {}", model.ir_version));
  check_functions(model.functions, context);
  model.graph = read_graph(*graph, rules_of(model), context);
  return model;
}

}  // namespace
}  // namespace io

Model parse_model(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                  const ReadOptions& options) {
  io::refuse_other_formats(bytes);
  io::ReadContext context{options, std::move(owner), nullptr, nullptr, io::Budget(options)};
  return io::read_message(bytes, context);
}

Model read_model(const std::filesystem::path& path, const ReadOptions& options) {
  const auto file = MappedFile::open(path);
  try {
    io::refuse_other_formats(file->bytes());
    io::ExternalFiles external(path, options.allow_links);
    io::ReadContext context{options, file, file.get(), &external, io::Budget(options)};
    Model model = io::read_message(file->bytes(), context);
    external.check_overlaps();
    external.check_unchanged();
    file->check_unchanged();
    return model;
  } catch (const Error& error) {
    throw error.in(path.string());
  }
}

}  // namespace onnxpress
