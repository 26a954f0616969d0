// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "io/external_data.h"
#include "io/reader.h"
#include "io/wire.h"

namespace onnxpress::io {

// What one reading of a model has used of the limits in ReadOptions.
class Budget {
 public:
  explicit Budget(const ReadOptions& options) : options_(options) {}

  // Each throws Error (over_budget) once the total is beyond its limit.
  void take_node();
  void take_initializer();
  void take_heap(std::uint64_t bytes);

 private:
  const ReadOptions& options_;
  std::int64_t nodes_ = 0;
  std::int64_t initializers_ = 0;
  std::uint64_t heap_ = 0;
};

// What all parts of the reader share.
struct ReadContext {
  const ReadOptions& options;
  std::shared_ptr<const void> owner;  // keeps the model's bytes alive
  const MappedFile* file = nullptr;   // where the bytes are a file's
  ExternalFiles* external = nullptr;  // where external data are allowed
  Budget budget;
};

}  // namespace onnxpress::io
