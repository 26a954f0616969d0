// SPDX-License-Identifier: Apache-2.0
#include "passes/table_lookups.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "numerics/output_error.h"
#include "numerics/quantize_rtn.h"
#include "pack/block_codes.h"
#include "pack/codes.h"
#include "pack/gather_block_quantized.h"
#include "passes/linear_units.h"
#include "passes/n_bits_units.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kShapeBytes = 3 * sizeof(std::int64_t);  // of codes in MatMulNBits

// The places of refined rows among the errors: 1, 2, …; 0 for all other rows.
bool fit_16_bits(const std::vector<std::int64_t>& refined) {
  return refined.size() <= std::numeric_limits<std::uint16_t>::max();
}

template <class Place>
Tensor places_of(const std::vector<std::int64_t>& refined, std::int64_t rows) {
  std::vector<Place> places(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < refined.size(); ++i) {
    places[static_cast<std::size_t>(refined[i])] = static_cast<Place>(i + 1);
  }
  return Tensor::of<Place>({rows}, std::move(places));
}

// What is left of those rows after rounding, behind a row of zeros.
std::vector<float> errors_of(const WeightRef& table, const QuantizedMatrix& q,
                             const std::vector<std::int64_t>& rows) {
  const auto width = static_cast<std::size_t>(table.in);
  std::vector<float> errors((rows.size() + 1) * width);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::span<float> row(errors.data() + (i + 1) * width, width);
    read_weights(table, rows[i] * table.in, row);
    for (std::size_t j = 0; j < width; ++j) {
      const auto column = static_cast<std::int64_t>(j);
      const std::size_t s = q.scale_index(rows[i], column);
      const int zero = q.grid.symmetric ? q.grid.offset() : q.zero_points[s];
      const int code = q.codes[static_cast<std::size_t>(rows[i]) * width + j] - zero;
      row[j] -= static_cast<float>(code) * q.scales[s];
    }
  }
  return errors;
}

}  // namespace

std::int64_t stored_bytes(const BlockForm& form, const Embedding& table, bool shared) {
  const Grid& grid = form.rounding.grid;
  std::int64_t bytes = block_table_bytes(grid, table.width, table.rows, form.scales);
  if (shared) bytes += kShapeBytes;
  if (form.refined.empty()) return bytes;
  const auto errors = static_cast<std::int64_t>(form.refined.size()) + 1;
  return bytes + block_table_bytes(grid, table.width, errors, form.scales) +
         table.rows * (fit_16_bits(form.refined) ? 2 : 4);
}

namespace {

// Scales that a float16 holds, a part of the table after the other.
QuantizedMatrix quantize_rows_with_half_scales(const WeightRef& table, const Grid& grid,
                                               ThreadPool& pool) {
  constexpr std::int64_t kRows = 4096;
  QuantizedMatrix q{grid, table.in, table.out, MatrixLayout::out_in, {}, {}, {}};
  for (std::int64_t first = 0; first < table.out; first += kRows) {
    const std::int64_t rows = std::min(kRows, table.out - first);
    std::vector<float> values(static_cast<std::size_t>(rows * table.in));
    read_weights(table, first * table.in, values);
    const QuantizedMatrix part =
        quantize_table(weight_ref(values, table.in, rows, MatrixLayout::out_in),
                       {.grid = grid, .half_scales = true}, pool);
    q.codes.insert(q.codes.end(), part.codes.begin(), part.codes.end());
    q.scales.insert(q.scales.end(), part.scales.begin(), part.scales.end());
  }
  return q;
}

}  // namespace

// A lookup that was taken out of the graph.
struct TableLookups::Lookup {
  ValueId ids, output;
  std::string name;
  DType type;  // of the output
  std::optional<Shape> shape;
};

double TableLookups::store_rows(const Embedding& embedding, const Grid& grid, DType scale_type) {
  const Tensor table = *graph_.constant(embedding.table);
  const WeightRef w = *weight_ref(table, MatrixLayout::out_in);
  const std::string table_name = graph_.value(embedding.table).name;
  const bool half = scale_type == DType::float16;
  QuantizedMatrix q =
      half ? quantize_rows_with_half_scales(w, grid, pool_) : quantize_rtn(w, grid, pool_);
  const double sqnr = sqnr_db(w, q, pool_);
  const Dims dims{q.out, q.in};
  const ValueId codes =
      graph_.add_constant(table_name + "_q", codes_tensor(grid, dims, std::move(q.codes)));
  Tensor stored_scales = grid.per_tensor ? Tensor::scalar(q.scales.at(0))
                                         : Tensor::of<float>({q.out}, std::move(q.scales));
  if (half) stored_scales = in_halves(stored_scales);
  ValueId scales = graph_.add_constant(table_name + "_scale", std::move(stored_scales));
  scales = cast(graph_, scales, scale_type, DType::float32, table_name + "_scale_float");
  for (const NodeId gather : embedding.gathers) {
    const auto [ids, output, name, type, shape] = take(gather, table.dtype());
    const ValueId rows =
        graph_.add("Gather", {codes, ids}, {}, name + "_q", "", DType::int8, shape);
    const ValueId numbers = cast(graph_, rows, DType::int8, DType::float32, name + "_codes");
    const ValueId scale = grid.per_tensor ? scales : scales_of_rows(scales, ids, name);
    if (type == DType::float32) {
      add_node("Mul", {numbers, scale}, {}, output, name + "_dequantize");
      continue;
    }
    const ValueId product =
        graph_.add("Mul", {numbers, scale}, {}, name + "_dequantize", "", DType::float32, shape);
    add_node("Cast", {product}, {{"to", static_cast<std::int64_t>(type)}}, output, name + "_cast");
  }
  drop_dead(embedding);
  if (graph_.value(embedding.table).uses.empty()) return sqnr;
  Attributes axis;
  if (!grid.per_tensor) axis.set("axis", std::int64_t{0});
  ValueId value = graph_.add("DequantizeLinear", {codes, scales}, std::move(axis),
                             table_name + "_dequantized", "", DType::float32, to_shape(dims));
  value = cast(graph_, value, DType::float32, table.dtype(), table_name + "_cast");
  graph_.replace_all_uses(embedding.table, value);
  return sqnr;
}

double TableLookups::store_blocks(const Embedding& embedding, const BlockForm& form,
                                  std::span<const LinearUnit* const> units) {
  import_contrib_operators(model_);
  const Tensor table = *graph_.constant(embedding.table);
  const WeightRef w = *weight_ref(table, MatrixLayout::out_in);
  const std::string table_name = graph_.value(embedding.table).name;
  const QuantizedMatrix q = quantize_table(w, form.rounding, pool_);
  const BlockTable blocks = pack_block_table(graph_, q, table_name, form.scales);
  BlockTable errors;
  ValueId places = kNoValue;
  if (!form.refined.empty()) {
    const auto left = errors_of(w, q, form.refined);
    const auto rows = static_cast<std::int64_t>(form.refined.size()) + 1;
    const WeightRef errors_ref = weight_ref(left, w.in, rows, MatrixLayout::out_in);
    errors = pack_block_table(graph_, quantize_table(errors_ref, form.rounding, pool_),
                              table_name + "_error", form.scales);
    places = graph_.add_constant(table_name + "_error_place",
                                 fit_16_bits(form.refined)
                                     ? places_of<std::uint16_t>(form.refined, w.out)
                                     : places_of<std::int32_t>(form.refined, w.out));
  }
  for (const NodeId gather : embedding.gathers) {
    const Lookup lookup = take(gather, table.dtype());
    if (form.refined.empty()) {
      look_up(blocks, lookup.ids, lookup, lookup.name, lookup.output);
      continue;
    }
    const ValueId rounded = new_output(lookup, "_rounded");
    const ValueId error = new_output(lookup, "_error");
    look_up(blocks, lookup.ids, lookup, lookup.name + "_rounded", rounded);
    const DType place_type = fit_16_bits(form.refined) ? DType::uint16 : DType::int32;
    const ValueId place =
        graph_.add("Gather", {places, lookup.ids}, {}, lookup.name + "_place", "", place_type);
    const ValueId row = cast(graph_, place, place_type, DType::int64, lookup.name + "_error_row");
    look_up(errors, row, lookup, lookup.name + "_error", error);
    add_node("Add", {rounded, error}, {}, lookup.output, lookup.name);
  }
  if (!units.empty()) {
    const Dims dims{q.out, q.grid.groups(q.in), blocks.group * blocks.bits / 8};
    const ValueId shape = graph_.add_constant(
        table_name + "_blocks", Tensor::of<std::int64_t>({3}, {dims.begin(), dims.end()}));
    const ValueId codes = graph_.add("Reshape", {blocks.codes, shape}, {},
                                     table_name + "_in_blocks", "", DType::uint8, to_shape(dims));
    const NBitsWeight weight{.codes = codes,
                             .scales = blocks.scales,
                             .zeros = blocks.zeros,
                             .in = q.in,
                             .out = q.out,
                             .group = blocks.group,
                             .bits = blocks.bits};
    for (const LinearUnit* unit : units) replace_product(graph_, *unit, weight, 0);
  }
  drop_dead(embedding);
  return sqnr_db(w, q, pool_);
}

// A value of the type and shape of what is looked up.
ValueId TableLookups::new_output(const Lookup& lookup, const std::string& suffix) {
  return graph_.add_value(lookup.name + suffix, lookup.type, lookup.shape);
}

// output = those rows of the table, in the type of the lookup.
void TableLookups::look_up(const BlockTable& table, ValueId rows, const Lookup& lookup,
                           const std::string& name, ValueId output) {
  if (table.type == lookup.type) {
    gather_rows(graph_, table, rows, output, name);
    return;
  }
  const ValueId gathered = graph_.add_value(name + "_rows", table.type, lookup.shape);
  gather_rows(graph_, table, rows, gathered, name);
  add_node("Cast", {gathered}, {{"to", static_cast<std::int64_t>(lookup.type)}}, output,
           name + "_cast");
}

TableLookups::Lookup TableLookups::take(NodeId id, DType table_type) {
  const Node gather = graph_.node(id);
  const ValueId output = gather.outputs[0];
  Lookup lookup{gather.inputs[1], output, graph_.value(output).name,
                gathered_type(gather, table_type), graph_.value(output).shape};
  graph_.erase(id);
  return lookup;
}

DType TableLookups::gathered_type(const Node& gather, DType table_type) const {
  const Node* above = graph_.producer(gather.inputs[0]);
  while (above != nullptr && !above->is("Cast")) above = graph_.producer(above->input(0));
  return above == nullptr ? table_type : static_cast<DType>(above->attributes.require_int("to"));
}

// A scale for each looked up row: Unsqueeze(Gather(scales, ids)).
ValueId TableLookups::scales_of_rows(ValueId scales, ValueId ids, const std::string& lookup) {
  const ValueId value =
      graph_.add("Gather", {scales, ids}, {}, lookup + "_row_scale", "", DType::float32);
  const std::string name = lookup + "_scale";
  if (model_.opset() < 13) {
    return graph_.add("Unsqueeze", {value}, {{"axes", std::vector<std::int64_t>{-1}}}, name, "",
                      DType::float32);
  }
  if (last_axis_ == kNoValue) {
    last_axis_ = graph_.add_constant("last_axis", Tensor::of<std::int64_t>({1}, {-1}));
  }
  return graph_.add("Unsqueeze", {value, last_axis_}, {}, name, "", DType::float32);
}

void TableLookups::add_node(std::string_view op_type, std::vector<ValueId> inputs,
                            Attributes attributes, ValueId output, const std::string& name) {
  graph_.add_node({.name = name,
                   .op_type = std::string(op_type),
                   .domain = "",
                   .inputs = std::move(inputs),
                   .outputs = {output},
                   .attributes = std::move(attributes)});
}

// Nodes between the table and its lookups that nothing reads any more.
void TableLookups::drop_dead(const Embedding& embedding) {
  std::set<NodeId> left(embedding.table_path.begin(), embedding.table_path.end());
  for (bool changed = true; changed;) {
    changed = false;
    for (const NodeId id : embedding.table_path) {
      if (!left.contains(id)) continue;
      const Value& value = graph_.value(graph_.node(id).outputs[0]);
      if (!value.uses.empty() || value.is_output) continue;
      graph_.erase(id);
      left.erase(id);
      changed = true;
    }
  }
}

}  // namespace onnxpress
