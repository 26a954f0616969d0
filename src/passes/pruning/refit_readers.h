// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "passes/pass.h"
#include "passes/pruning/prunable_layers.h"

namespace onnxpress {

// A reader that lost rows.
struct CutReader {
  NodeId product{};
  std::vector<std::int64_t> rows;  // of its weight in the original that it still has
};

struct ReaderRefit {
  std::string why_not;  // "" where its weights were refitted
  // Of the output on held-out rows, ‖difference‖ / ‖XW‖, drift of the residual branch included.
  double error_before = 0, error = 0;
  bool measured = false;  // the two errors are known
};

// Brings the outputs of readers that lost rows back to those of the original model, layer by layer
// from the bottom: by least squares over the rows that are left, on what reaches them now, towards
// X·W + R - R̃, where R is the residual branch that is added to the reader's output. So what earlier
// cuts left is made up for, too. A reader whose held-out error does not fall stays as it is.
//
// The context's model is the cut one; `original` is what it was; there must be data. One entry for
// each reader. `done` is told the share that is done.
[[nodiscard]] std::vector<ReaderRefit> refit_readers(PassContext& context, const Model& original,
                                                     const std::vector<CutReader>& readers,
                                                     const std::function<void(double)>& done);

}  // namespace onnxpress
