// SPDX-License-Identifier: Apache-2.0
#include "io/tensor_writer.h"

namespace onnxpress::io {
namespace {

// Tensors below this stay in the model: runtimes read them while they load the graph.
constexpr std::size_t kExternalFrom = 1024;
constexpr std::size_t kPageAlignFrom = 64 << 10;
constexpr std::int64_t kPage = 4096;
constexpr std::int64_t kSmallAlignment = 64;

void put_external_entry(Rope& tensor, std::string_view key, std::string_view value) {
  Rope entry;
  entry.put_text(1, key);
  entry.put_text(2, value);
  tensor.put_message(13, std::move(entry));
}

}  // namespace

std::int64_t DataFile::place(Bytes bytes) {
  const auto [at, is_new] = placed_.try_emplace({bytes.data(), bytes.size()}, 0);
  if (!is_new) return at->second;
  const std::int64_t alignment = bytes.size() >= kPageAlignFrom ? kPage : kSmallAlignment;
  const std::int64_t padding = (alignment - bytes_.size() % alignment) % alignment;
  bytes_.append(std::string(static_cast<std::size_t>(padding), '\0'));
  at->second = bytes_.size();
  bytes_.borrow(bytes);
  return at->second;
}

Rope write_tensor(const Tensor& tensor, std::string_view name, std::string_view extra,
                  DataFile* data) {
  Rope out;
  for (const std::int64_t size : tensor.dims()) out.put_int(1, size);
  out.put_int(2, static_cast<std::int32_t>(tensor.dtype()));
  if (tensor.dtype() == DType::string) {
    for (const std::string& value : tensor.as_strings()) out.put_text(6, value);
  }
  if (!name.empty()) out.put_text(8, name);
  const Bytes bytes = tensor.bytes();
  if (data != nullptr && bytes.size() >= kExternalFrom) {
    put_external_entry(out, "location", data->name());
    put_external_entry(out, "offset", std::to_string(data->place(bytes)));
    put_external_entry(out, "length", std::to_string(bytes.size()));
    out.put_int(14, 1);
  } else if (!bytes.empty()) {
    out.put_borrowed(9, bytes);
  }
  out.append(extra);
  return out;
}

}  // namespace onnxpress::io
