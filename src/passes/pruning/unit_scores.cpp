// SPDX-License-Identifier: Apache-2.0
#include "passes/pruning/unit_scores.h"

#include <cmath>

#include "base/error_codes.h"
#include "passes/linear_units.h"

namespace onnxpress {
namespace {

// Squares of a stored weight's entries, summed by input (its rows) or by output (its columns).
std::vector<double> sums_of_squares(const Graph& graph, ValueId weight, WeightLayout layout,
                                    bool by_input) {
  const Tensor* tensor = graph.constant(weight);
  const auto w = tensor == nullptr ? std::nullopt : weight_ref(*tensor, matrix_layout(layout));
  if (!w) {
    throw Error(codes::unsupported_type, "weights of this type can't be scored",
                "convert the model to float32 first");
  }
  const bool rows_are_wanted = (layout == WeightLayout::in_out) == by_input;
  std::vector<double> sums(static_cast<std::size_t>(by_input ? w->in : w->out));
  std::vector<float> row(static_cast<std::size_t>(w->columns()));
  for (std::int64_t r = 0; r < w->rows(); ++r) {
    read_weights(*w, r * w->columns(), row);
    for (std::size_t c = 0; c < row.size(); ++c) {
      const double square = static_cast<double>(row[c]) * static_cast<double>(row[c]);
      sums[rows_are_wanted ? static_cast<std::size_t>(r) : c] += square;
    }
  }
  return sums;
}

}  // namespace

std::vector<double> norm_scores(const Graph& graph, const TransformerView& view,
                                const PrunableLayer& layer) {
  std::vector<double> scores(static_cast<std::size_t>(layer.units));
  for (const PrunableReader& reader : layer.readers) {
    const auto rows = sums_of_squares(graph, reader.weight, reader.layout, true);
    std::vector<double> columns;
    if (reader.up) {
      const LinearUnit& up = view.units()[*reader.up];
      columns = sums_of_squares(graph, up.weight, up.layout, false);
    }
    for (std::size_t unit = 0; unit < scores.size(); ++unit) {
      double sum = 0;
      for (std::int64_t i = 0; i < layer.rows_per_unit; ++i) {
        sum += rows[unit * static_cast<std::size_t>(layer.rows_per_unit) +
                    static_cast<std::size_t>(i)];
      }
      if (!columns.empty()) sum *= columns[unit];
      scores[unit] += std::sqrt(sum);
    }
  }
  return scores;
}

}  // namespace onnxpress
