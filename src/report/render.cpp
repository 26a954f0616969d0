// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "onnxpress/document.h"
#include "report/csv.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/json.h"
#include "report/table.h"

namespace onnxpress {
namespace {

// The lines below the tables; the most important one is the last.
std::vector<std::string> closing_lines(const Document& document) {
  std::vector<std::string> lines;
  if (document.verb == "bench" && !document.models.empty() && document.models.front().latency) {
    lines.push_back("latency at " + format_conditions(*document.models.front().latency));
  }
  for (const GateResult& gate : document.gates) {
    lines.push_back(fmt::format("gate {}: {} (measured {:.6g})", gate.failed ? "FAILED" : "held",
                                gate.expression, gate.value));
  }
  if (document.output && document.published) {
    lines.push_back(fmt::format("wrote {}", document.output->path));
  } else if (document.verb == "compress" && !document.dry_run && !document.error) {
    lines.push_back(document.output
                        ? fmt::format("not published; kept as {}", document.output->path)
                        : std::string("not published: a gate failed"));
  }
  return lines;
}

std::string with_color(std::string text, bool bad) {
  return fmt::format("\x1b[{}m{}\x1b[0m", bad ? "31" : "32", text);
}

std::string to_human(const Document& document, const RenderOptions& options) {
  std::string text;
  for (const FigureTable& table : tables_of(document, options.verbose)) {
    if (!text.empty()) text += "\n";
    text += to_text(table);
  }
  for (const std::string& line : closing_lines(document)) {
    const bool bad = line.starts_with("gate FAILED") || line.starts_with("not published");
    const std::string escaped = escape_terminal(line);
    text += "  " + (options.color ? with_color(escaped, bad) : escaped) + "\n";
  }
  return text;
}

std::string to_markdown_page(const Document& document, const RenderOptions& options) {
  std::string text;
  for (const FigureTable& table : tables_of(document, options.verbose)) {
    text += to_markdown(table) + "\n";
  }
  for (const std::string& line : closing_lines(document)) text += escape_markdown(line) + "  \n";
  return text;
}

}  // namespace

std::string render(const Document& document, Format format, const RenderOptions& options) {
  switch (format) {
    case Format::human:
      return to_human(document, options);
    case Format::json:
      return to_json(document);
    case Format::markdown:
      return to_markdown_page(document, options);
    case Format::csv:
      return to_csv(document);
  }
  return {};
}

}  // namespace onnxpress
