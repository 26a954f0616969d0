// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "io/rope.h"
#include "ir/tensor.h"

namespace onnxpress::io {

// The data file that is being laid out: bytes of tensors, each once, large ones on page borders.
class DataFile {
 public:
  explicit DataFile(std::string name) : name_(std::move(name)) {}
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Rope& bytes() const { return bytes_; }
  [[nodiscard]] Rope& bytes() { return bytes_; }
  // Offset of the bytes in the file. They must stay valid as long as the file is used.
  std::int64_t place(Bytes bytes);

 private:
  std::string name_;
  Rope bytes_;
  std::map<std::pair<const std::byte*, std::size_t>, std::int64_t> placed_;
};

// The fields of a TensorProto; elements as raw data, or in `data` where one is given and the tensor
// is worth it. `extra`: see NamedTensor. The rope points to the tensor's bytes.
[[nodiscard]] Rope write_tensor(const Tensor& tensor, std::string_view name, std::string_view extra,
                                DataFile* data);

}  // namespace onnxpress::io
