// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "report/format.h"
#include "report/table.h"
#include "report/tables.h"

namespace onnxpress {
namespace {

const Metric* find(const std::vector<Metric>& metrics, std::string_view name) {
  const auto found = std::ranges::find(metrics, name, &Metric::name);
  return found == metrics.end() ? nullptr : &*found;
}

std::string title(std::string_view name) {
  std::string text(name);
  std::ranges::replace(text, '_', ' ');
  return text;
}

std::string interval_points(const Metric& drop) {
  if (!drop.interval) return {};
  return fmt::format(" (95 % interval {:+.1f} … {:+.1f})", -100 * drop.interval->high,
                     -100 * drop.interval->low);
}

// What a metric's change is worth saying in words.
std::string remark(const Document& document, const Metric& before, const Metric& after) {
  if (before.name == "accuracy") {
    const Metric* drop = find(document.changes, "accuracy_drop");
    return format_points(after.value - before.value) + (drop ? interval_points(*drop) : "");
  }
  if (before.name == "perplexity") {
    const Metric* increase = find(document.changes, "perplexity_increase");
    std::string text = fmt::format("{:+.2f} %", 100 * (after.value / before.value - 1));
    if (increase != nullptr && increase->interval) {
      text += fmt::format(" (95 % interval {:+.3g} … {:+.3g})", increase->interval->low,
                          increase->interval->high);
    }
    return text;
  }
  if (before.unit == "share") return format_points(after.value - before.value);
  return fmt::format("{:+.4g}", after.value - before.value);
}

std::string times(double ratio, std::string_view more, std::string_view less) {
  if (ratio >= 0.995 && ratio < 1.005) return "the same";
  return ratio >= 1 ? fmt::format("{:.2f}x {}", ratio, more)
                    : fmt::format("{:.2f}x {}", 1 / ratio, less);
}

void add_agreement(const Document& document, FigureTable& table) {
  for (const OutputAgreement& output : document.agreement) {
    const Metric* agreement = find(output.metrics, "agreement");
    if (agreement == nullptr) continue;
    const Metric* kl = find(output.metrics, "kl_mean");
    const std::string name =
        document.agreement.size() > 1 ? "agreement of " + output.output : "agreement";
    table.rows.push_back({name, "", format_percent(agreement->value),
                          kl == nullptr ? "" : "mean KL " + format_metric(*kl)});
  }
}

FigureTable before_and_after(const Document& document) {
  const ModelFigures& before = document.models.front();
  const ModelFigures& after = document.models.back();
  FigureTable table{"", {"", "before", "after", ""}, {}, true};
  if (document.verb == "compare") table.header = {"", "reference", "candidate", ""};
  table.rows.push_back({"size", format_bytes(before.bytes), format_bytes(after.bytes),
                        times(static_cast<double>(before.bytes) /
                                  static_cast<double>(std::max<std::int64_t>(after.bytes, 1)),
                              "smaller", "larger") +
                            (document.dry_run ? " (predicted)" : "")});
  for (const Metric& metric : before.metrics) {
    const Metric* changed = find(after.metrics, metric.name);
    if (changed == nullptr) continue;
    table.rows.push_back({title(metric.name), format_metric(metric), format_metric(*changed),
                          remark(document, metric, *changed)});
  }
  add_agreement(document, table);
  if (before.latency && after.latency) {
    table.rows.push_back(
        {"latency", format_milliseconds(before.latency->p50_ms),
         format_milliseconds(after.latency->p50_ms),
         times(before.latency->p50_ms / after.latency->p50_ms, "faster", "slower") + "   (" +
             format_conditions(*after.latency) + ")"});
  }
  return table;
}

FigureTable agreement_in_detail(const Document& document) {
  FigureTable table{"agreement with the reference, by output", {"output"}, {}, false};
  const std::vector<std::string> names = {"agreement",   "kl_mean", "kl_median",
                                          "kl_p99",      "kl_max",  "cosine_min",
                                          "cosine_mean", "max_abs", "sqnr"};
  table.header.emplace_back("rows");
  for (const std::string& name : names) table.header.push_back(title(name));
  for (const OutputAgreement& output : document.agreement) {
    std::vector<std::string> row = {output.output, format_count(output.rows)};
    for (const std::string& name : names) {
      const Metric* metric = find(output.metrics, name);
      row.push_back(metric == nullptr ? "" : format_metric(*metric));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

FigureTable one_row_a_model(const Document& document) {
  FigureTable table{"", {"model", "size", "p50", "p95", "min", "peak memory"}, {}, false};
  std::vector<std::string> metrics;
  bool throughput = false;
  for (const ModelFigures& model : document.models) {
    for (const Metric& metric : model.metrics) {
      if (std::ranges::find(metrics, metric.name) == metrics.end()) metrics.push_back(metric.name);
    }
    throughput = throughput || model.samples_per_second.has_value();
  }
  for (const std::string& name : metrics) table.header.push_back(title(name));
  if (throughput) table.header.emplace_back("samples/s");
  for (const ModelFigures& model : document.models) {
    std::vector<std::string> row = {model.path, format_bytes(model.bytes)};
    row.push_back(model.latency ? format_milliseconds(model.latency->p50_ms) : "");
    row.push_back(model.latency ? format_milliseconds(model.latency->p95_ms) : "");
    row.push_back(model.latency ? format_milliseconds(model.latency->min_ms) : "");
    row.push_back(model.peak_memory_bytes ? format_bytes(*model.peak_memory_bytes) : "");
    for (const std::string& name : metrics) {
      const Metric* metric = find(model.metrics, name);
      row.push_back(metric == nullptr ? "" : format_metric(*metric));
    }
    if (throughput) {
      row.push_back(model.samples_per_second ? fmt::format("{:.0f}", *model.samples_per_second)
                                             : "");
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

FigureTable units_of(const PassRecord& pass) {
  FigureTable table{pass.pass + ": " + pass.summary, {"unit", "before", "after", ""}, {}, true};
  for (const UnitRecord& unit : pass.units) {
    table.rows.push_back({unit.unit, format_bytes(unit.bytes_before),
                          format_bytes(unit.bytes_after),
                          unit.decision + (unit.reason.empty() ? "" : ": " + unit.reason)});
  }
  return table;
}

std::optional<double> figure(const UnitRecord& unit, std::string_view name) {
  const auto at = std::ranges::find(unit.figures, name, &std::pair<std::string, double>::first);
  return at == unit.figures.end() ? std::nullopt : std::optional(at->second);
}

// A line for each head or group of neurons.
FigureTable scores_of(const std::vector<const UnitRecord*>& parts) {
  FigureTable table{
      "heads and neurons, removed one at a time", {"block", "part", "saves"}, {}, false};
  const std::vector<std::pair<std::string, std::string>> columns = {{"norm", "norm"},
                                                                    {"activation", "activation"},
                                                                    {"obs", "OBS"},
                                                                    {"kl", "KL"},
                                                                    {"model_error", "model error"}};
  std::vector<std::string> shown;
  for (const auto& [name, heading] : columns) {
    const auto has = [&, key = name](const UnitRecord* part) {
      return figure(*part, key).has_value();
    };
    if (!std::ranges::any_of(parts, has)) continue;
    shown.push_back(name);
    table.header.push_back(heading);
  }
  for (const UnitRecord* part : parts) {
    const std::string name = part->decision.substr(0, part->decision.rfind(" removed"));
    std::vector<std::string> row{part->unit, name,
                                 format_bytes(part->bytes_before - part->bytes_after)};
    for (const std::string& column : shown) {
      const auto value = figure(*part, column);
      row.push_back(value ? fmt::format("{:.3g}", *value) : "");
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

FigureTable times_of(const PassRecord& pass) {
  FigureTable table{pass.pass + ": " + pass.summary, {"block", "", "latency", ""}, {}, true};
  // Blocks with the same times, as layers of one shape have, stand there once.
  std::vector<std::pair<std::string, std::vector<std::vector<std::string>>>> blocks;
  for (const UnitRecord& unit : pass.units) {
    if (blocks.empty() || blocks.back().first != unit.unit) blocks.push_back({unit.unit, {}});
    blocks.back().second.push_back(
        {unit.decision, format_milliseconds(figure(unit, "ms").value_or(0)), unit.reason});
  }
  for (auto block = blocks.begin(); block != blocks.end(); ++block) {
    const auto same = [&](const auto& other) { return other.second == block->second; };
    if (std::any_of(blocks.begin(), block, same)) continue;
    const auto alike = std::count_if(std::next(block), blocks.end(), same);
    const std::string label =
        alike == 0 ? block->first : fmt::format("{} and {} alike", block->first, alike);
    for (const auto& row : block->second) table.rows.push_back({label, row[0], row[1], row[2]});
  }
  return table;
}

void add_sensitivity(const Document& document, std::vector<FigureTable>& tables) {
  for (const PassRecord& pass : document.passes) {
    if (pass.pass == "latency") {
      tables.push_back(times_of(pass));
      continue;
    }
    PassRecord changes = pass;
    std::vector<const UnitRecord*> parts;
    for (const UnitRecord& unit : pass.units) {
      if (figure(unit, "norm")) parts.push_back(&unit);
    }
    std::erase_if(changes.units,
                  [](const UnitRecord& unit) { return figure(unit, "norm").has_value(); });
    if (!changes.units.empty()) tables.push_back(units_of(changes));
    if (!parts.empty()) tables.push_back(scores_of(parts));
  }
}

// The units of all passes whose output is farthest from the original's, or, where no data said how
// far it is, whose weights lost most.
void add_worst_units(const Document& document, std::vector<FigureTable>& tables) {
  constexpr std::size_t kShown = 10;
  struct Row {
    const PassRecord* pass;
    const UnitRecord* unit;
    std::optional<double> error, sqnr;
  };
  std::vector<Row> rows;
  for (const PassRecord& pass : document.passes) {
    for (const UnitRecord& unit : pass.units) {
      const Row row{&pass, &unit, figure(unit, "output_error"), figure(unit, "sqnr_db")};
      if (row.sqnr) rows.push_back(row);
    }
  }
  std::ranges::stable_sort(rows, [](const Row& a, const Row& b) {
    if (a.error.has_value() != b.error.has_value()) return a.error.has_value();
    return a.error ? *a.error > *b.error : *a.sqnr < *b.sqnr;
  });
  if (rows.size() > kShown) rows.resize(kShown);
  if (rows.empty()) return;
  FigureTable table{
      "units that lost most", {"unit", "pass", "SQNR", "output error before", "after"}, {}, false};
  const auto percent = [](std::optional<double> share) {
    return share ? fmt::format("{:.2f} %", 100 * *share) : std::string();
  };
  for (const Row& row : rows) {
    table.rows.push_back({row.unit->unit, row.pass->pass, fmt::format("{:.1f} dB", *row.sqnr),
                          percent(figure(*row.unit, "before.output_error")), percent(row.error)});
  }
  tables.push_back(std::move(table));
}

}  // namespace

void add_measured_tables(const Document& document, bool verbose, std::vector<FigureTable>& tables) {
  if (document.verb == "sensitivity") {
    add_sensitivity(document, tables);
  } else if (document.dry_run || verbose) {
    for (const PassRecord& pass : document.passes) {
      if (!pass.units.empty()) tables.push_back(units_of(pass));
    }
  }
  if (verbose) add_worst_units(document, tables);
  if (document.models.empty()) return;
  if (document.verb == "bench") {
    tables.push_back(one_row_a_model(document));
    return;
  }
  if (document.models.size() > 1) tables.push_back(before_and_after(document));
  if ((document.verb == "compare" || verbose) && !document.agreement.empty()) {
    tables.push_back(agreement_in_detail(document));
  }
}

}  // namespace onnxpress
