// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "io/read_context.h"

namespace onnxpress::io {

// Parts of a model that are kept as they stand are walked all the same: their tensors are checked
// like any other, and those in external data are refused, since they could not be written
// elsewhere.

// Throws Error (tensor_size, tensor_malformed, unsupported_model, …).
void check_verbatim_graph(Bytes graph, ReadContext& context);

// `attribute`: the fields of an AttributeProto.
void check_verbatim_attribute(Bytes attribute, ReadContext& context);

// FunctionProtos: the above for their nodes, and no function may be declared twice or call itself,
// not even through others. Throws Error (graph_malformed) that names the calls.
void check_functions(const std::vector<std::string>& functions, ReadContext& context);

}  // namespace onnxpress::io
