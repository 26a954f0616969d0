// SPDX-License-Identifier: Apache-2.0
#include "passes/quantize_embeddings.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/error_codes.h"
#include "model/row_shift.h"
#include "numerics/quantize_table.h"
#include "pack/gather_block_quantized.h"
#include "pack/storage.h"
#include "passes/linear_units.h"
#include "passes/n_bits_units.h"
#include "passes/odd_weights.h"
#include "passes/refined_rows.h"
#include "passes/selection.h"
#include "passes/table_lookups.h"
#include "passes/weight_bytes.h"

namespace onnxpress {
namespace {

struct Options : UnitOptions {
  std::int64_t bits = 8;
  std::int64_t group = 0;
  bool symmetric = true;
  std::string storage = "auto";
  std::string scales = "auto";
  bool per_row = true;
  bool clip = true;
  bool remove_mean = true;
  double refined_rows = 0.1;
  double int8_below = 0.02;
};

constexpr Grid kInt8{8, 0, true};
constexpr int kClipSteps = 40;

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"bits", &Options::bits, "bits of an element", {}, 2, 8},
      {"group", &Options::group, "elements of a row that share a scale; 0: the whole row", {}, 0},
      {"symmetric", &Options::symmetric, "no zero points"},
      {"storage",
       &Options::storage,
       "how tables stand in the file; auto: qdq for symmetric 8 bits per row, else "
       "gather_block_quantized",
       {"auto", "qdq", "gather_block_quantized"}},
      {"scales",
       &Options::scales,
       "type of the scales; auto: float16 where it does as well and only lookups read the table",
       {"auto", "float16", "float32"}},
      {"per_row", &Options::per_row,
       "storage qdq: a scale for each row; false: one for the whole table, smaller and less "
       "accurate"},
      {"clip", &Options::clip, "search the range of each group, below 8 bits"},
      {"remove_mean", &Options::remove_mean,
       "below 8 bits: leave out a row's mean where a norm does so anyway and that lowers the "
       "error"},
      {"refined_rows",
       &Options::refined_rows,
       "below 8 bits: share of a table's rows that get twice the bits: those that the data look "
       "up, "
       "then those of the lowest numbers",
       {},
       0,
       1},
      {"int8_below",
       &Options::int8_below,
       "below 8 bits: tables of a smaller share of all weights are INT8 per row",
       {},
       0,
       1},
      {"include", &Options::include, "globs over embeddings: only these"},
      {"exclude", &Options::exclude, "globs over embeddings: not these"},
      {"min_saving",
       &Options::min_saving,
       "tables that would save a smaller share of all weights stay in float",
       {},
       0,
       1}};
  return rows;
}

// Units that multiply by the table.
std::vector<const LinearUnit*> readers_of(const Embedding& embedding, const TransformerView& view) {
  std::vector<const LinearUnit*> units;
  for (const LinearUnit& unit : view.units()) {
    if (unit.weight == embedding.table) units.push_back(&unit);
  }
  return units;
}

// What reads the table, or a step on the way to its lookups, besides lookups and those units; "" if
// nothing does.
std::string other_reader(const Embedding& embedding, const std::vector<const LinearUnit*>& units,
                         const Graph& graph) {
  std::vector<NodeId> known = embedding.gathers;
  known.insert(known.end(), embedding.table_path.begin(), embedding.table_path.end());
  for (const LinearUnit* unit : units) {
    known.push_back(unit->product);
    known.insert(known.end(), unit->weight_path.begin(), unit->weight_path.end());
  }
  std::vector<ValueId> values{embedding.table};
  for (const NodeId id : embedding.table_path) values.push_back(graph.node(id).outputs[0]);
  for (const ValueId value : values) {
    for (const Use& use : graph.value(value).uses) {
      if (std::ranges::find(known, use.node) == known.end()) return graph.node(use.node).op_type;
    }
  }
  return "";
}

class QuantizeEmbeddings : public Pass {
 public:
  explicit QuantizeEmbeddings(Options options)
      : options_(std::move(options)),
        grid_{static_cast<int>(options_.bits), options_.group, options_.symmetric},
        storage_(options_.storage == "auto"
                     ? (grid_ == kInt8 ? Storage::qdq : Storage::gather_block_quantized)
                     : *parse_storage(options_.storage)) {
    if (!options_.per_row && in_blocks_of_8_bits()) {
      throw Error(codes::bad_option,
                  "pass quantize_embeddings: per_row = false wants storage qdq, without groups");
    }
  }

  [[nodiscard]] bool uses_data() const override {
    return grid_.bits < 8 && options_.refined_rows > 0;
  }

  [[nodiscard]] std::int64_t needed_opset(PassContext& context) const override {
    const double all = static_cast<double>(weight_bytes(context.graph()));
    const auto embeddings = context.view().embeddings();
    const bool shared = std::ranges::any_of(embeddings, [&](const Embedding& embedding) {
      return embedding.compressible() && !in_blocks(embedding, all) &&
             !readers_of(embedding, context.view()).empty();
    });
    return shared && options_.per_row ? 13 : 0;
  }

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    const auto embeddings = context.view().embeddings();
    std::vector<std::string> labels;
    for (const Embedding& embedding : embeddings) labels.push_back(embedding.label);
    const Selection selection(options_.include, options_.exclude);
    const double all = static_cast<double>(weight_bytes(context.graph()));
    const double threshold = std::max(options_.min_saving * all, 1.0);
    PassPlan plan;
    plan.unmatched_globs = selection.unmatched(labels);
    bool has_axis = false;
    for (std::size_t i = 0; i < embeddings.size(); ++i) {
      const Embedding& embedding = embeddings[i];
      UnitPlan row{.label = embedding.label,
                   .kind = "embedding",
                   .bytes_before = embedding.bytes,
                   .bytes_after = embedding.bytes,
                   .target = static_cast<std::int64_t>(i)};
      row.reason = selection.why_not(embedding.label);
      if (row.reason.empty()) row.reason = refusal(embedding, context, plan);
      if (!row.reason.empty()) {
        plan.units.push_back(std::move(row));
        continue;
      }
      const bool shared = !readers_of(embedding, context.view()).empty();
      const std::optional<BlockForm> form = form_of(embedding, all, context);
      // The numbers say how scales are stored; they need no look where that can't matter.
      const std::int64_t least =
          form ? stored_bytes(*form, embedding, shared) : row_bytes(embedding, DType::float16);
      if (static_cast<double>(embedding.bytes - least) < threshold) {
        row.reason = fmt::format("would save at most {} bytes", embedding.bytes - least);
        plan.units.push_back(std::move(row));
        continue;
      }
      const std::int64_t after = form ? stored_bytes(*form, embedding, shared)
                                      : row_bytes(embedding, row_scales(embedding, context));
      if (static_cast<double>(embedding.bytes - after) < threshold) {
        row.reason = fmt::format("would save only {} bytes", embedding.bytes - after);
      } else {
        row.reason = refuse_odd_weight(
            *weight_ref(*context.graph().constant(embedding.table), MatrixLayout::out_in),
            embedding.label, "row", context.pool(), plan);
      }
      if (row.reason.empty()) {
        row.decision = Decision::change;
        row.reason =
            describe_form(form, form ? form->scales : row_scales(embedding, context), shared);
        row.bytes_after = after;
        // The axis that scales are unsqueezed along, once for all tables.
        if (!form && options_.per_row && !std::exchange(has_axis, true) &&
            context.model().opset() >= 13) {
          row.bytes_after += 8;
        }
      }
      plan.units.push_back(std::move(row));
    }
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    const auto& view = context.view();
    // Of the model as it was planned for: shares are of its weights, and lookups are still there.
    const double all = static_cast<double>(weight_bytes(context.graph()));
    std::vector<std::optional<BlockForm>> forms(plan.units.size());
    std::vector<DType> row_types(plan.units.size(), DType::float32);
    for (std::size_t i = 0; i < plan.units.size(); ++i) {
      if (plan.units[i].decision != Decision::change) continue;
      const Embedding& embedding = embedding_of(plan.units[i], view);
      forms[i] = form_of(embedding, all, context);
      if (!forms[i]) row_types[i] = row_scales(embedding, context);
    }
    TableLookups lookups(context.model(), context.pool());
    PassResult result;
    for (std::size_t i = 0; i < plan.units.size(); ++i) {
      context.step(static_cast<double>(i) / static_cast<double>(plan.units.size()));
      if (plan.units[i].decision != Decision::change) continue;
      const Embedding& embedding = embedding_of(plan.units[i], view);
      const double sqnr =
          forms[i] ? lookups.store_blocks(embedding, *forms[i], readers_of(embedding, view))
                   : lookups.store_rows(embedding, row_grid(), row_types[i]);
      result.figures[i] = {{"sqnr_db", sqnr}};
      ++result.changed;
    }
    context.edited();
    return result;
  }

 private:
  static const Embedding& embedding_of(const UnitPlan& row, const TransformerView& view) {
    return view.embeddings()[static_cast<std::size_t>(row.target)];
  }

  [[nodiscard]] bool in_blocks_of_8_bits() const {
    return storage_ == Storage::gather_block_quantized && grid_.bits == 8;
  }

  // Of a table that is stored row by row.
  [[nodiscard]] Grid row_grid() const {
    Grid grid = storage_ == Storage::qdq ? grid_ : kInt8;
    grid.per_tensor = !options_.per_row;
    return grid;
  }

  // The type of the scales of a table that is stored row by row.
  [[nodiscard]] DType row_scales(const Embedding& embedding, PassContext& context) const {
    const auto units = readers_of(embedding, context.view());
    const bool only_lookups =
        units.empty() && other_reader(embedding, units, context.graph()).empty();
    const WeightRef w =
        *weight_ref(*context.graph().constant(embedding.table), MatrixLayout::out_in);
    const bool half = options_.per_row && options_.scales != "float32" && only_lookups &&
                      suits_half_scales(w, row_grid());
    return half ? DType::float16 : DType::float32;
  }

  [[nodiscard]] std::int64_t row_bytes(const Embedding& embedding, DType scales) const {
    const auto whole = stored_bytes(Storage::qdq, row_grid(), embedding.width, embedding.rows);
    return scales == DType::float16 ? whole - 2 * embedding.rows : whole;
  }

  [[nodiscard]] bool in_blocks(const Embedding& embedding, double all) const {
    if (storage_ != Storage::gather_block_quantized) return false;
    return grid_.bits == 8 || static_cast<double>(embedding.bytes) >= options_.int8_below * all;
  }

  // How the table is stored in blocks; nothing if it is stored row by row.
  [[nodiscard]] std::optional<BlockForm> form_of(const Embedding& embedding, double all,
                                                 PassContext& context) const {
    if (!in_blocks(embedding, all)) return std::nullopt;
    const Graph& graph = context.graph();
    const bool shared = !readers_of(embedding, context.view()).empty();
    BlockForm form;
    form.rounding = {.grid = grid_, .clip_steps = options_.clip && grid_.bits < 8 ? kClipSteps : 0};
    const WeightRef w = *weight_ref(*graph.constant(embedding.table), MatrixLayout::out_in);
    // Products want the scales in their own type.
    if (!shared && options_.scales != "float32" && suits_half_scales(w, grid_)) {
      form.scales = DType::float16;
      form.rounding.half_scales = true;
    }
    if (shared || grid_.bits == 8) return form;
    form.rounding.ignores_mean =
        options_.remove_mean && std::ranges::all_of(embedding.gathers, [&](NodeId id) {
          return ignores_row_shift(context.view(), graph, graph.node(id).outputs[0]);
        });
    const auto count =
        static_cast<std::int64_t>(options_.refined_rows * static_cast<double>(embedding.rows));
    form.refined = rows_to_refine(embedding, graph, context.calibration(), count);
    return form;
  }

  [[nodiscard]] std::string describe_form(const std::optional<BlockForm>& form, DType scales,
                                          bool shared) const {
    Grid grid = form ? form->rounding.grid : row_grid();
    std::string text = to_string(grid);
    if (grid.group == 0)
      text = fmt::format("{}INT{} per {}", grid.symmetric ? "" : "U", grid.bits,
                         grid.per_tensor ? "table" : "row");
    if (scales == DType::float16) text += ", float16 scales";
    if (form && form->rounding.ignores_mean) text += ", means left out";
    if (form && !form->refined.empty()) {
      text += fmt::format(", {} rows refined", form->refined.size());
    }
    if (shared) text += ", stored once for the output head as well";
    return text;
  }

  // Why tables can't be stored so, whatever they hold.
  [[nodiscard]] std::string why_not_rows() const {
    if (grid_.group != 0) return "storage qdq has one scale for a whole row";
    if (!grid_.symmetric) return "storage qdq has no zero points";
    if (grid_.bits <= 4) return "storage qdq looks up codes of 5 to 8 bits";
    return "";
  }

  [[nodiscard]] std::string refusal(const Embedding& embedding, PassContext& context,
                                    PassPlan& plan) const {
    const Graph& graph = context.graph();
    if (!embedding.compressible()) {
      for (const Refusal& why : embedding.why_not) {
        if (why.kind == RefusalKind::already_quantized) plan.already_quantized = true;
      }
      return embedding.why_not.front().text;
    }
    const Tensor* tensor = graph.constant(embedding.table);
    const auto w = tensor == nullptr ? std::nullopt : weight_ref(*tensor, MatrixLayout::out_in);
    if (!w) return "the table is not a matrix of floats";
    if (graph.value(embedding.table).is_output) return "the table is a graph output";
    for (const NodeId id : embedding.gathers) {
      if (graph.node(id).attributes.get_int("axis", 0) != 0) return "looks up columns, not rows";
    }
    const auto units = readers_of(embedding, context.view());
    if (in_blocks(embedding, static_cast<double>(weight_bytes(graph)))) {
      if (auto why = why_not_block_table(grid_, embedding.width)) return *why;
      if (std::string why = why_not_shared(embedding, units, graph); !why.empty()) return why;
    } else {
      if (storage_ == Storage::qdq) {
        if (std::string why = why_not_rows(); !why.empty()) return why;
      }
      if (context.model().opset() < 13 && !units.empty() && options_.per_row) {
        return fmt::format(
            "shared with a product: a scale per channel needs opset 13, the model has {}",
            context.model().opset());
      }
    }
    return "";
  }

  // Why lookups and products can't read the same blocks.
  [[nodiscard]] std::string why_not_shared(const Embedding& embedding,
                                           const std::vector<const LinearUnit*>& units,
                                           const Graph& graph) const {
    if (std::string reader = other_reader(embedding, units, graph); !reader.empty()) {
      return fmt::format("shared with a {}, which can't read blocks", reader);
    }
    for (const LinearUnit* unit : units) {
      if (unit->layout != WeightLayout::out_in) return "shared with a product along its columns";
      if (std::string why = why_not_one_operator(*unit, graph); !why.empty()) {
        return "shared with a product, which MatMulNBits can't compute: " + why;
      }
    }
    const std::int64_t block = table_block(grid_, embedding.width);
    if (!units.empty() && embedding.width % block != 0) {
      return fmt::format("shared with a product, which needs rows of whole blocks of {}", block);
    }
    return "";
  }

  Options options_;
  Grid grid_;
  Storage storage_;
};

}  // namespace

PassInfo quantize_embeddings_info() {
  return {
      "quantize_embeddings", "INT8 or INT4 embedding tables, a scale for each row or group",
      "Rounds embedding tables to a grid with one scale per row or group. INT8 per row: lookups "
      "gather codes and scales and multiply them (a table that the output head multiplies with, "
      "too, is stored once; that needs opset 13). Fewer bits or groups: GatherBlockQuantized of "
      "com.microsoft, at any opset; an output head reads the same codes in MatMulNBits. Rows that "
      "are looked up often keep twice the bits.",
      describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
        return std::make_unique<QuantizeEmbeddings>(
            read_options(table(), values, "pass quantize_embeddings"));
      }};
}

}  // namespace onnxpress
