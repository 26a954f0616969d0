// SPDX-License-Identifier: Apache-2.0
#include "io/model_layout.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/error_codes.h"
#include "base/sha256.h"
#include "io/graph_writer.h"

namespace onnxpress::io {
namespace {

constexpr std::int64_t kMessageLimit = (std::int64_t{2} << 30) - (64 << 10);
// Versions before this one want every initializer among the inputs.
constexpr std::int64_t kPureInitializers = 4;

Rope write_model(const Model& model, bool keep_metadata, DataFile* data) {
  const bool old = model.ir_version < kPureInitializers && has_pure_initializers(model.graph);
  Rope out;
  out.put_int(1, old ? kPureInitializers : model.ir_version);
  if (!model.producer_name.empty()) out.put_text(2, model.producer_name);
  if (!model.producer_version.empty()) out.put_text(3, model.producer_version);
  if (!model.domain.empty()) out.put_text(4, model.domain);
  if (model.model_version != 0) out.put_int(5, model.model_version);
  if (!model.doc_string.empty()) out.put_text(6, model.doc_string);
  out.put_message(7, write_graph(model.graph, keep_metadata, data));
  for (const OpsetImport& import : model.opsets) {
    Rope opset;
    opset.put_text(1, import.domain);
    opset.put_int(2, import.version);
    out.put_message(8, std::move(opset));
  }
  for (const auto& [key, value] : model.metadata) {
    Rope entry;
    entry.put_text(1, key);
    entry.put_text(2, value);
    out.put_message(14, std::move(entry));
  }
  for (const std::string& function : model.functions) out.put_text(25, function);
  out.append(model.extra);
  return out;
}

std::string fingerprint(const Rope& bytes) {
  std::string digests;
  for (const Rope::Piece& piece : bytes.pieces()) digests += sha256(piece.bytes());
  return sha256(as_bytes(digests)).substr(0, 8);
}

ModelLayout with_data_file(const Model& model, bool keep_metadata, const std::string& name) {
  ModelLayout layout;
  layout.data.emplace(name);
  layout.model = write_model(model, keep_metadata, &*layout.data);
  return layout;
}

}  // namespace

ModelLayout lay_out(const Model& model, const WriteOptions& options,
                    const std::filesystem::path& destination, DataName naming) {
  if (options.external != ExternalData::always) {
    ModelLayout layout{write_model(model, options.keep_metadata, nullptr), {}};
    if (layout.model.size() <= kMessageLimit) return layout;
    if (options.external == ExternalData::never) {
      throw Error(codes::unsupported_model,
                  fmt::format("a model file can't have {} bytes; the limit is {}",
                              layout.model.size(), kMessageLimit),
                  "let the weights go into a data file beside the model");
    }
  }
  const std::string stem = destination.stem().string();
  ModelLayout layout =
      with_data_file(model, options.keep_metadata, fmt::format("{}.{:08}.onnx_data", stem, 0));
  if (layout.data->bytes().size() == 0) {  // nothing is large enough
    return {write_model(model, options.keep_metadata, nullptr), {}};
  }
  if (naming == DataName::placeholder) return layout;
  return with_data_file(model, options.keep_metadata,
                        fmt::format("{}.{}.onnx_data", stem, fingerprint(layout.data->bytes())));
}

}  // namespace onnxpress::io
