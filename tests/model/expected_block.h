// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/transformer_view.h"

namespace onnxpress::test {

// One block, found whole: `heads` of `size`, and the roles of all units in the order of the graph.
struct Expected {
  std::int64_t heads, kv_heads, size;
  QkvPacking packing;
  std::vector<UnitRole> roles;
};

inline void expect_block(const TransformerView& view, const Expected& want) {
  std::vector<std::string_view> found;
  std::vector<std::string_view> wanted;
  for (const LinearUnit& unit : view.units()) found.push_back(name(unit.role));
  for (const UnitRole role : want.roles) wanted.push_back(name(role));
  EXPECT_EQ(found, wanted);
  ASSERT_EQ(view.attentions().size(), 1U);
  const Attention& block = view.attentions()[0];
  EXPECT_EQ(block.heads, want.heads);
  EXPECT_EQ(block.kv_heads, want.kv_heads);
  EXPECT_EQ(block.head_dim, want.size);
  EXPECT_EQ(name(block.packing), name(want.packing));
  EXPECT_TRUE(block.output_unit);
}

inline constexpr auto q = UnitRole::attention_q, k = UnitRole::attention_k,
                      v = UnitRole::attention_v, qkv = UnitRole::attention_qkv,
                      kv = UnitRole::attention_kv, o = UnitRole::attention_output,
                      up = UnitRole::feed_forward_up, gate = UnitRole::feed_forward_gate,
                      gate_up = UnitRole::feed_forward_gate_up, down = UnitRole::feed_forward_down,
                      head = UnitRole::head, other = UnitRole::other;

}  // namespace onnxpress::test
