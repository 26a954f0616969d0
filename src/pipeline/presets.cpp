// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "base/error_codes.h"
#include "onnxpress/nearest.h"
#include "pipeline/recipe.h"

namespace onnxpress {
namespace {

// What all presets begin with.
constexpr std::string_view kBeginning = R"(schema = 1
[[pass]]
name = "fold_constants"
[[pass]]
name = "deduplicate"
)";

constexpr std::array kPresets{
    Preset{"lossless", "fold constants, store equal tensors once; outputs bit-identical", false,
           ""},
    Preset{"fp16", "half precision, float32 where numbers would not fit", false,
           R"([[pass]]
name = "cast_fp16"
)"},
    Preset{"int8-weights", "INT8 weights and embeddings, float compute", false,
           R"([[pass]]
name = "quantize_embeddings"
[[pass]]
name = "quantize_weights"
method = "rtn"
symmetric = false
)"},
    Preset{"int8-dynamic", "INT8 weights, embeddings and products, ranges at run time", false,
           R"([[pass]]
name = "smooth"
insert_mul = true
[[pass]]
name = "quantize_embeddings"
scales = "float32"
[[pass]]
name = "quantize_dynamic"
gated = "float"
)"},
    Preset{"int8", "INT8 weights, embeddings and products, ranges from data", true,
           R"([[pass]]
name = "smooth"
[[pass]]
name = "quantize_embeddings"
[[pass]]
name = "quantize_static"
)"},
    Preset{
        "prune",
        "a fifth of the heads and a quarter of the feed-forward neurons cut out, the rest refitted",
        true,
        R"([[pass]]
name = "prune_heads"
ratio = 0.2
[[pass]]
name = "prune_neurons"
ratio = 0.25
[[pass]]
name = "fit_head"
)"},
    Preset{"tiny", "as prune, then INT4 weights and embeddings in groups of 32", true,
           R"([[pass]]
name = "prune_heads"
ratio = 0.2
[[pass]]
name = "prune_neurons"
ratio = 0.25
[[pass]]
name = "fit_head"
[[pass]]
name = "quantize_embeddings"
bits = 4
group = 32
symmetric = false
[[pass]]
name = "quantize_weights"
bits = 4
group = 32
symmetric = false
)"},
    Preset{"lowrank",
           "weights as two thin factors where that pays, then INT8 weights and embeddings", true,
           R"([[pass]]
name = "low_rank"
[[pass]]
name = "quantize_embeddings"
[[pass]]
name = "quantize_weights"
method = "rtn"
symmetric = false
)"},
    Preset{"int4",
           "INT4 weights in groups of 32, INT8 embeddings; GPTQ where there are data, else HQQ",
           false,
           R"([[pass]]
name = "quantize_embeddings"
[[pass]]
name = "quantize_weights"
bits = 4
group = 32
symmetric = false
)"},
    Preset{"int4-gptq", "INT4 weights by GPTQ in groups of 32, INT8 embeddings", true,
           R"([[pass]]
name = "quantize_embeddings"
[[pass]]
name = "quantize_weights"
method = "gptq"
bits = 4
group = 32
symmetric = false
)"},
    Preset{"int4-awq", "INT4 weights by AWQ where scales fold exactly, else GPTQ; INT8 embeddings",
           true,
           R"([[pass]]
name = "smooth"
method = "awq"
symmetric = false
[[pass]]
name = "quantize_embeddings"
[[pass]]
name = "quantize_weights"
method = "awq"
bits = 4
group = 32
symmetric = false
)"},
};

}  // namespace

std::span<const Preset> all_presets() {
  return kPresets;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) names.emplace_back(preset.name);
  return names;
}

Recipe preset_recipe(std::string_view name) {
  for (const Preset& preset : kPresets) {
    if (preset.name != name) continue;
    Recipe recipe = parse_recipe(fmt::format("{}{}", kBeginning, preset.passes),
                                 fmt::format("preset {}", name));
    recipe.name = preset.name;
    return recipe;
  }
  throw Error(codes::unknown_name, fmt::format("there is no preset \"{}\"", name),
              did_you_mean(name, preset_names()));
}

}  // namespace onnxpress
