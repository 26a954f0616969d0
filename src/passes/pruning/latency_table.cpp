// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/latency_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "base/error_codes.h"
#include "base/mapped_file.h"
#include "data/table.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kLargest = 1 << 20;

[[noreturn]] void refuse(const std::string& where, const std::string& why) {
  throw Error(codes::bad_data, fmt::format("{}: {}", where, why),
              "make it again: onnxpress sensitivity MODEL --latency-table FILE.tsv");
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// No tokens: the table of a model that takes none says so.
std::optional<InputSizes> sizes_in(std::string_view text) {
  const std::size_t cross = text.find('x');
  if (cross == std::string_view::npos) return std::nullopt;
  const auto batch = number_in<std::int64_t>(text.substr(0, cross));
  const auto sequence = number_in<std::int64_t>(text.substr(cross + 1));
  if (!batch || !sequence || *batch < 1 || *sequence < 0) return std::nullopt;
  if (*batch > kLargest || *sequence > kLargest) return std::nullopt;
  return InputSizes{*batch, *sequence};
}

// The model's time at some numbers of kept units, linear in between.
double time_at(const std::map<std::int64_t, double>& by_kept, std::int64_t kept) {
  const auto above = by_kept.lower_bound(kept);
  if (above == by_kept.begin() || above->first == kept) return above->second;
  const auto below = std::prev(above);
  const auto part =
      static_cast<double>(kept - below->first) / static_cast<double>(above->first - below->first);
  return below->second + part * (above->second - below->second);
}

}  // namespace

InputSizes parse_sizes(std::string_view text) {
  if (const auto sizes = sizes_in(text); sizes && sizes->sequence > 0) return *sizes;
  throw Error(codes::bad_option, fmt::format("latency_shape can't be \"{}\"", text),
              "give batch and tokens, at least 1 of each, e.g. 1x128");
}

std::string table_label(const PrunableLayer& layer) {
  std::string label = layer.label();
  std::ranges::replace_if(
      label, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return label;
}

std::string to_text(const InputSizes& sizes) {
  return fmt::format("{}x{}", sizes.batch, sizes.sequence);
}

CutSavings latency_savings(const LatencyTable& table,
                           std::span<const PrunableLayer* const> layers) {
  const std::string where = table.source.empty() ? "latency table" : table.source;
  CutSavings savings{table.model_ms, {}};
  for (const PrunableLayer* layer : layers) {
    const std::int64_t parts = layer->units * layer->parts_per_unit;
    std::map<std::int64_t, double> by_kept;
    for (const LatencyTable::Row& row : table.rows) {
      if (row.kind != layer->kind || row.block != table_label(*layer)) continue;
      if (row.kept >= parts) {
        refuse(where, fmt::format("{} has {} {}, but a row says that it keeps {}", layer->label(),
                                  parts, name(layer->kind), row.kept));
      }
      by_kept[row.kept] = row.ms;
    }
    if (by_kept.empty()) {
      refuse(where,
             fmt::format("there is no row for the {} of {}: it was measured on another model",
                         name(layer->kind), layer->label()));
    }
    by_kept[parts] = table.model_ms;
    std::vector<double>& saved = savings.layers.emplace_back();
    for (std::int64_t gone = 0; gone < layer->units; ++gone) {
      const std::int64_t kept = (layer->units - gone) * layer->parts_per_unit;
      saved.push_back(table.model_ms - time_at(by_kept, kept));
    }
  }
  return savings;
}

std::string to_text(const LatencyTable& table) {
  std::string text = "kind\tblock\tkept\tms\n";
  text += fmt::format("model\t{}\t\t{:.6g}\n", table.conditions, table.model_ms);
  for (const LatencyTable::Row& row : table.rows) {
    text += fmt::format("{}\t{}\t{}\t{:.6g}\n", name(row.kind), row.block, row.kept, row.ms);
  }
  return text;
}

LatencyTable read_latency_table(const std::filesystem::path& path) {
  const auto mapped = MappedFile::open(path);
  const auto bytes = mapped->bytes();
  const Table file =
      parse_tsv({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
  if (file.columns != std::vector<std::string>{"kind", "block", "kept", "ms"}) {
    refuse(path.string(), "the columns should be kind, block, kept and ms, parted by tabs");
  }
  constexpr std::size_t kind = 0, block = 1, kept = 2, ms = 3;
  LatencyTable table;
  table.source = path.string();
  std::map<std::tuple<std::string, std::string, std::int64_t>, std::int64_t> lines;
  for (const Table::Row& row : file.rows) {
    const std::string where = fmt::format("{}:{}", file.source, row.line);
    const auto time = number_in<double>(file.cell(row, ms));
    if (!time || !(*time > 0) || !std::isfinite(*time)) {
      refuse(where, fmt::format("\"{}\" is no time in milliseconds", file.cell(row, ms)));
    }
    const std::string& what = file.cell(row, kind);
    if ((what == "model") != (table.model_ms == 0)) {
      refuse(where, "the first row, and no other, should be the model's");
    }
    if (what == "model") {
      table.conditions = file.cell(row, block);
      const auto sizes = sizes_in(
          std::string_view(table.conditions).substr(0, table.conditions.find_first_of(", ")));
      if (!sizes) refuse(where, "the model's row should begin with batch and tokens, as in 1x128");
      table.sizes = *sizes;
      table.model_ms = *time;
      continue;
    }
    if (what != "heads" && what != "neurons") {
      refuse(where, fmt::format("\"{}\" should be heads or neurons", what));
    }
    const auto count = number_in<std::int64_t>(file.cell(row, kept));
    if (!count || *count < 1) {
      refuse(where, fmt::format("\"{}\" is no number of {} that stay", file.cell(row, kept), what));
    }
    const auto [same, added] =
        lines.emplace(std::tuple(what, file.cell(row, block), *count), row.line);
    if (!added) {
      refuse(where, fmt::format("line {} says already how long it takes with {} {} of {}",
                                same->second, *count, what, file.cell(row, block)));
    }
    table.rows.push_back({what == "heads" ? PrunableKind::heads : PrunableKind::neurons,
                          file.cell(row, block), *count, *time});
  }
  if (table.model_ms == 0) refuse(table.source, "it has no row of the model");
  return table;
}

}  // namespace onnxpress
