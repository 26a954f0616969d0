// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "model/transformer_view.h"
#include "numerics/quantize_table.h"
#include "pack/gather_block_quantized.h"

// Embedding tables as codes, and what looks rows up in them.
namespace onnxpress {

// How a table is stored in blocks.
struct BlockForm {
  TableOptions rounding;
  DType scales = DType::float32;
  // Rows whose rounding errors are stored, too, in a second table of the same grid.
  std::vector<std::int64_t> refined;
};
// All bytes of that form. `shared`: with units that multiply by the table.
[[nodiscard]] std::int64_t stored_bytes(const BlockForm& form, const Embedding& table, bool shared);

// Rewrites the lookups of tables. Both ways return the table's signal to noise ratio in dB.
class TableLookups {
 public:
  TableLookups(Model& model, ThreadPool& pool) : model_(model), graph_(model.graph), pool_(pool) {}

  // One scale a row:  Cast(Gather(codes, ids)) · Unsqueeze(Gather(scales, ids)),  or one for the
  // whole table, where the grid is per tensor:  Cast(Gather(codes, ids)) · scale.  Whatever else
  // reads the table reads the codes through DequantizeLinear. Scales of float16 stand behind a
  // Cast, which runtimes compute at load; then nothing else may read the table.
  double store_rows(const Embedding& embedding, const Grid& grid, DType scale_type);

  // GatherBlockQuantized(codes, ids, scales). Units that multiply by the table read the same codes
  // in MatMulNBits; nothing else may read it. With refined rows:
  //
  //   GatherBlockQuantized(codes, ids) + GatherBlockQuantized(errors, Gather(places, ids))
  //
  // where row 0 of the errors is zero, and the place of a row that is not refined.
  double store_blocks(const Embedding& embedding, const BlockForm& form,
                      std::span<const LinearUnit* const> units);

 private:
  struct Lookup;
  [[nodiscard]] Lookup take(NodeId gather, DType table_type);
  [[nodiscard]] ValueId new_output(const Lookup& lookup, const std::string& suffix);
  void look_up(const BlockTable& table, ValueId rows, const Lookup& lookup, const std::string& name,
               ValueId output);
  [[nodiscard]] DType gathered_type(const Node& gather, DType table_type) const;
  [[nodiscard]] ValueId scales_of_rows(ValueId scales, ValueId ids, const std::string& lookup);
  void add_node(std::string_view op_type, std::vector<ValueId> inputs, Attributes attributes,
                ValueId output, const std::string& name);
  void drop_dead(const Embedding& embedding);

  Model& model_;
  Graph& graph_;
  ThreadPool& pool_;
  ValueId last_axis_ = kNoValue;
};

}  // namespace onnxpress
