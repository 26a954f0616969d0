// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "onnxpress/error.h"
#include "pipeline/recipe.h"

namespace onnxpress {
namespace {

TEST(Presets, PrintAsRecipesThatReadBackToThemselves) {
  for (const std::string& name : preset_names()) {
    const Recipe recipe = preset_recipe(name);
    EXPECT_EQ(recipe.name, name);
    Recipe back = parse_recipe(to_toml(recipe), "r.toml");
    EXPECT_EQ(to_toml(back), to_toml(recipe)) << name;
    EXPECT_EQ(hash(back), hash(recipe)) << name;
  }
}

TEST(Presets, TheDefaultIsOneOfThemAndUnknownOnesNameTheNearest) {
  EXPECT_EQ(preset_recipe(kDefaultPreset).passes.size(), 4U);
  try {
    (void)preset_recipe("int8-dinamic");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.hint(), "did you mean \"int8-dynamic\"?");
    EXPECT_EQ(exit_code(error.kind()), 2);
  }
}

TEST(Presets, HaveHashesOfTheirOwn) {
  EXPECT_NE(hash(preset_recipe("int8-weights")), hash(preset_recipe("int8-dynamic")));
  EXPECT_EQ(hash(preset_recipe("fp16")).size(), 64U);
}

}  // namespace
}  // namespace onnxpress
