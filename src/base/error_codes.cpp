// SPDX-License-Identifier: Apache-2.0
#include "base/error_codes.h"

namespace onnxpress::codes {

std::span<const ErrorCode* const> all() {
  static constexpr const ErrorCode* kAll[] = {
      &usage_error,
      &unknown_name,
      &bad_option,
      &bad_recipe,
      &output_is_input,
      &missing_data,
      &file_missing,
      &not_a_file,
      &cannot_read,
      &output_exists,
      &input_changed,
      &cannot_write,
      &empty_file,
      &not_onnx,
      &broken_wire,
      &no_graph,
      &tensor_size,
      &tensor_malformed,
      &external_data,
      &graph_malformed,
      &attribute_malformed,
      &shape_mismatch,
      &unsupported_operator,
      &unsupported_type,
      &unsupported_model,
      &already_quantized,
      &bad_data,
      &empty_data,
      &bad_label,
      &bad_tokenizer,
      &tokenizer_mismatch,
      &missing_input,
      &bad_calibration,
      &calibration_mismatch,
      &out_of_memory,
      &over_budget,
      &cancelled,
      &internal_error,
  };
  return kAll;
}

}  // namespace onnxpress::codes
