// SPDX-License-Identifier: Apache-2.0
#include "passes/registry.h"

#include <fmt/format.h>

#include "base/error_codes.h"
#include "onnxpress/nearest.h"
#include "passes/cast_fp16.h"
#include "passes/deduplicate.h"
#include "passes/drop_layers.h"
#include "passes/fit_head.h"
#include "passes/fit_norms.h"
#include "passes/fold_constants.h"
#include "passes/low_rank.h"
#include "passes/prune_heads.h"
#include "passes/prune_neurons.h"
#include "passes/prune_vocabulary.h"
#include "passes/prune_weights.h"
#include "passes/quantize_dynamic.h"
#include "passes/quantize_embeddings.h"
#include "passes/quantize_static.h"
#include "passes/quantize_weights.h"
#include "passes/smooth.h"
#include "passes/upgrade_opset.h"

namespace onnxpress {

std::span<const PassInfo> all_passes() {
  static const std::vector<PassInfo> table{
      upgrade_opset_info(),    fold_constants_info(),   deduplicate_info(),
      drop_layers_info(),      prune_vocabulary_info(), prune_heads_info(),
      prune_neurons_info(),    prune_weights_info(),    low_rank_info(),
      smooth_info(),           cast_fp16_info(),        quantize_embeddings_info(),
      quantize_weights_info(), quantize_dynamic_info(), quantize_static_info(),
      fit_norms_info(),        fit_head_info(),
  };
  return table;
}

std::vector<std::string> pass_names() {
  std::vector<std::string> names;
  for (const PassInfo& pass : all_passes()) names.emplace_back(pass.name);
  return names;
}

const PassInfo& find_pass(std::string_view name) {
  for (const PassInfo& pass : all_passes()) {
    if (pass.name == name) return pass;
  }
  throw Error(codes::unknown_name, fmt::format("there is no pass \"{}\"", name),
              did_you_mean(name, pass_names()));
}

std::unique_ptr<Pass> make_pass(std::string_view name, const OptionValues& values) {
  return find_pass(name).make(values);
}

std::string option_table_markdown(const PassInfo& pass) {
  if (pass.options.empty()) return "This pass has no options.\n";
  std::string text = "| option | value | default | meaning |\n|---|---|---|---|\n";
  for (const OptionInfo& option : pass.options) {
    std::string type = type_name(option);
    for (std::size_t at = 0; (at = type.find('|', at)) != std::string::npos; at += 2) {
      type.insert(at, 1, '\\');
    }
    text += fmt::format("| `{}` | {} | `{}` | {} |\n", option.name, type,
                        to_toml(option.default_value), option.help);
  }
  return text;
}

}  // namespace onnxpress
