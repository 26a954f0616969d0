// SPDX-License-Identifier: Apache-2.0
#include "exec/fusion/fusion.h"

#include "exec/fusion/rewrite.h"

namespace onnxpress::exec {

void fuse(Graph& graph, std::int64_t opset) {
  drop_casts(graph);
  expand_block_products(graph);
  fuse_embeddings(graph);
  fuse_norms(graph);
  fuse_activations(graph);
  fuse_attention(graph, opset);
  fuse_integer_products(graph);
  fuse_products(graph);
  fuse_epilogues(graph);
  fuse_residual_norms(graph);
}

}  // namespace onnxpress::exec
