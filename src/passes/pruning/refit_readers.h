// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "passes/pass.h"
#include "passes/pruning/prunable_layers.h"

namespace onnxpress {

struct ReaderRefit {
  std::string why_not;  // "" where its weights were refitted
  // Of the output on held-out rows, ‖difference‖ / ‖XW‖, drift of the residual branch included.
  double error_before = 0, error = 0;
  bool measured = false;  // the two errors are known
};

struct RefitOfReaders {
  std::vector<ReaderRefit> readers;
  std::size_t others = 0;  // linear units that lost nothing and were refitted, too
};

// Brings the outputs of readers that lost rows back to those of the original model, layer by layer
// from the bottom: by least squares over the rows that are left, on what reaches them now, towards
// X·W + R - R̃, where R is the residual branch that is added to the reader's output. Linear units
// behind the first reader that lost nothing (but for heads, and those that `may_change` refuses by
// their label) are refitted in the same way to what reaches them. So what earlier cuts left is made
// up for, too. A unit whose held-out error does not fall stays as it is.
//
// The context's model is the cut one; `original` is what it was; there must be data. `readers` are
// their products; one entry for each. `done` is told the share that is done.
[[nodiscard]] RefitOfReaders refit_readers(
    PassContext& context, const Model& original, const std::vector<NodeId>& readers,
    const std::function<bool(const std::string&)>& may_change,
    const std::function<void(double)>& done);

}  // namespace onnxpress
