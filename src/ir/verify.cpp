// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/error_codes.h"
#include "ir/graph.h"

namespace onnxpress {
namespace {

void require(bool holds, const std::string& rule) {
  if (!holds) throw Error(codes::graph_malformed, rule);
}

}  // namespace

void Graph::verify() const {
  std::vector<bool> available(values_.size(), false);
  std::set<std::string_view> names;
  for (const ValueId id : values()) {
    const Value& v = value(id);
    require(names.insert(v.name).second, fmt::format("value name \"{}\" occurs twice", v.name));
    require(names_.contains(v.name) && names_.at(v.name) == id,
            fmt::format("value \"{}\" is not found under its name", v.name));
    const bool given = v.is_input || v.is_capture || (v.constant && !v.producer);
    require(!(given && v.producer), fmt::format("value \"{}\" is given and computed", v.name));
    require(given || v.producer,
            fmt::format("value \"{}\" is read but nothing produces it", v.name));
    require(!v.constant || v.constant->dtype() == v.dtype,
            fmt::format("constant \"{}\" is {} but declared {}", v.name,
                        onnxpress::name(v.constant ? v.constant->dtype() : v.dtype),
                        onnxpress::name(v.dtype)));
    available[static_cast<std::size_t>(id)] = given;
    for (const Use& use : v.uses) {
      require(live_[static_cast<std::size_t>(use.node)],
              fmt::format("value \"{}\" is used by an erased node", v.name));
      const auto read = reads(node(use.node));
      require(use.input < read.size() && read[use.input] == id,
              fmt::format("value \"{}\": its uses disagree with node \"{}\"", v.name,
                          node(use.node).name));
    }
  }
  for (const NodeId id : order_) {
    const Node& n = node(id);
    const auto read = reads(n);
    for (std::size_t i = 0; i < read.size(); ++i) {
      if (read[i] == kNoValue) continue;
      const Value& v = value(read[i]);
      require(available[static_cast<std::size_t>(read[i])],
              fmt::format("node \"{}\" ({}) reads \"{}\" before it is produced", n.name, n.op_type,
                          v.name));
      require(std::ranges::find(v.uses, Use{id, i}) != v.uses.end(),
              fmt::format("node \"{}\" is not among the uses of \"{}\"", n.name, v.name));
    }
    for (const ValueId output : n.outputs) {
      if (output == kNoValue) continue;
      require(value(output).producer == id,
              fmt::format("value \"{}\" has another producer than node \"{}\"", value(output).name,
                          n.name));
      available[static_cast<std::size_t>(output)] = true;
    }
  }
  for (const ValueId id : outputs_) {
    require(available[static_cast<std::size_t>(id)],
            fmt::format("graph output \"{}\" is never produced", value(id).name));
  }
}

}  // namespace onnxpress
