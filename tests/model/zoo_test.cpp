// SPDX-License-Identifier: Apache-2.0
// The view of every model of the zoo, which holds the families and exporters that matter most: all
// numbers of zoo.json.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "io/reader.h"
#include "model/transformer_view.h"
#include "support/shared.h"

namespace onnxpress {
namespace {

struct Numbers {
  std::size_t linear_units, attention_blocks, feed_forward, norms;
  std::int64_t heads, kv_heads;
  bool head_tied_to_embedding;
  friend bool operator==(const Numbers&, const Numbers&) = default;
};

std::ostream& operator<<(std::ostream& os, const Numbers& n) {
  return os << "linear units " << n.linear_units << ", attention " << n.attention_blocks
            << ", feed-forward " << n.feed_forward << ", norms " << n.norms << ", heads " << n.heads
            << "/" << n.kv_heads << (n.head_tied_to_embedding ? ", tied" : ", not tied");
}

Numbers numbers_of(const TransformerView& view) {
  Numbers n{view.units().size(),
            view.attentions().size(),
            view.feed_forwards().size(),
            view.norms().size(),
            0,
            0,
            view.head_tied_to_embedding()};
  for (const Attention& block : view.attentions()) {
    if (&block == &view.attentions().front()) {
      n.heads = block.heads;
      n.kv_heads = block.kv_heads;
    }
    EXPECT_EQ(block.heads, n.heads);
    EXPECT_EQ(block.kv_heads, n.kv_heads);
    EXPECT_TRUE(block.q_unit && block.k_unit && block.v_unit && block.output_unit);
  }
  return n;
}

TEST(Zoo, HoldsWhatZooJsonSays) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const auto folder = shared / "models" / "zoo";
  const auto expected = nlohmann::json::parse(std::ifstream(folder / "zoo.json"));
  EXPECT_EQ(expected.size(), 27U);
  for (const auto& [name, want] : expected.items()) {
    SCOPED_TRACE(name);
    const Model model = read_model(folder / (name + ".onnx"));
    const auto view = TransformerView::of(model);
    const Numbers wanted{want["linear_units"],
                         want["attention_blocks"],
                         want["feed_forward"],
                         want["norms"],
                         want["heads"],
                         want["kv_heads"],
                         want["head_tied_to_embedding"]};
    EXPECT_EQ(numbers_of(view), wanted);
    for (const Attention& block : view.attentions()) EXPECT_EQ(block.head_dim, 12);
  }
}

struct RealModel {
  const char* path;
  Numbers numbers;
  std::int64_t head_dim, hidden, vocabulary;
  QkvPacking packing;
};

TEST(RealModels, AreSeenWhole) {
  ONNXPRESS_SHARED_OR_SKIP(shared);
  const std::vector<RealModel> models = {
      {"minilm-l6-sst2", {38, 6, 6, 13, 12, 12, false}, 32, 1536, 30522, QkvPacking::separate},
      {"stories260K", {36, 5, 5, 11, 8, 4, true}, 8, 172, 512, QkvPacking::separate},
      {"zh-poem", {36, 5, 5, 11, 6, 6, true}, 16, 256, 2048, QkvPacking::separate},
      {"bundle/sst2-minilm-l3", {20, 3, 3, 7, 12, 12, false}, 32, 1536, 6144, QkvPacking::separate},
      {"bundle/gpt-shakespeare", {17, 4, 4, 9, 6, 6, true}, 32, 768, 65, QkvPacking::packed},
      {"bundle/vit-digits", {25, 4, 4, 9, 6, 6, false}, 16, 384, 0, QkvPacking::separate},
  };
  for (const RealModel& want : models) {
    SCOPED_TRACE(want.path);
    const Model model = read_model(shared / "models" / want.path / "model.onnx");
    const auto view = TransformerView::of(model);
    EXPECT_EQ(numbers_of(view), want.numbers);
    for (const Attention& block : view.attentions()) {
      EXPECT_EQ(block.head_dim, want.head_dim);
      EXPECT_EQ(name(block.packing), name(want.packing));
      ASSERT_TRUE(block.scale);
      EXPECT_NEAR(*block.scale, 1 / std::sqrt(static_cast<double>(want.head_dim)), 1e-6);
    }
    for (const FeedForward& pair : view.feed_forwards()) EXPECT_EQ(pair.hidden, want.hidden);
    EXPECT_EQ(view.word_embedding() == nullptr ? 0 : view.word_embedding()->rows, want.vocabulary);
    std::size_t heads = 0;
    for (const LinearUnit& unit : view.units()) heads += unit.role == UnitRole::head ? 1U : 0U;
    EXPECT_EQ(heads, 1U);
  }
}

}  // namespace
}  // namespace onnxpress
