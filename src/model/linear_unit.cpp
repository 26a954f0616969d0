// SPDX-License-Identifier: Apache-2.0
#include "model/linear_unit.h"

namespace onnxpress {

std::string_view name(UnitRole role) {
  switch (role) {
    case UnitRole::attention_q:
      return "attention.q";
    case UnitRole::attention_k:
      return "attention.k";
    case UnitRole::attention_v:
      return "attention.v";
    case UnitRole::attention_qkv:
      return "attention.qkv";
    case UnitRole::attention_kv:
      return "attention.kv";
    case UnitRole::attention_output:
      return "attention.output";
    case UnitRole::feed_forward_up:
      return "feed_forward.up";
    case UnitRole::feed_forward_gate:
      return "feed_forward.gate";
    case UnitRole::feed_forward_gate_up:
      return "feed_forward.gate_up";
    case UnitRole::feed_forward_down:
      return "feed_forward.down";
    case UnitRole::head:
      return "head";
    case UnitRole::other:
      break;
  }
  return "other";
}

std::string_view name(RefusalKind kind) {
  switch (kind) {
    case RefusalKind::computed:
      return "computed";
    case RefusalKind::overridable:
      return "overridable";
    case RefusalKind::not_a_matrix:
      return "not_a_matrix";
    case RefusalKind::not_float:
      return "not_float";
    case RefusalKind::already_quantized:
      return "already_quantized";
    case RefusalKind::used_elsewhere:
      return "used_elsewhere";
    case RefusalKind::in_body:
      return "in_body";
    case RefusalKind::left_operand:
      return "left_operand";
    case RefusalKind::scaled:
      return "scaled";
    case RefusalKind::fused:
      return "fused";
    case RefusalKind::tiny:
      break;
  }
  return "tiny";
}

}  // namespace onnxpress
