// SPDX-License-Identifier: Apache-2.0
#include "calib/all_rows.h"

namespace onnxpress {

PairGram all_rows(const StageMoments& moments) {
  PairGram all{moments.train.edited, moments.train.original.sums(), moments.train.cross};
  all.edited += moments.held_out.edited;
  all.original += moments.held_out.original.sums();
  all.cross += moments.held_out.cross;
  return all;
}

}  // namespace onnxpress
