// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <utility>

#include "base/error_codes.h"
#include "base/mapped_file.h"
#include "data/dataset.h"
#include "data/gather.h"
#include "data/npy.h"
#include "data/npz.h"
#include "data/sampling.h"
#include "data/table.h"
#include "data/token_inputs.h"
#include "data/tokenizers/tokenizer.h"

namespace onnxpress {
namespace {

namespace fs = std::filesystem;

double parse_label(std::string_view text, std::string_view where) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    throw Error(codes::bad_label, fmt::format("{}: the label \"{}\" is not a number", where, text),
                "labels are the numbers of classes, from 0, or values to predict");
  }
  return value;
}

std::unique_ptr<Tokenizer> open_tokenizer(const DataSpec& spec) {
  if (spec.tokenizer.empty()) {
    throw Error(codes::missing_data, fmt::format("{}: text needs a tokenizer", spec.path.string()),
                "add --tokenizer with the model's tokenizer.json, vocab.txt or .model");
  }
  return load_tokenizer(spec.tokenizer, {.cased = spec.cased ? std::optional(true) : std::nullopt});
}

std::size_t length_limit(const DataSpec& spec, const Tokenizer& tokenizer,
                         std::span<const InputSpec> inputs) {
  std::size_t limit = spec.max_length;
  if (limit == 0) limit = tokenizer.max_length().value_or(0);
  const auto fixed = fixed_length(inputs);
  if (fixed && (limit == 0 || *fixed < limit)) limit = *fixed;
  return limit;
}

Dataset load_samples(const DataSpec& spec, const Table& table, const Tokenizer& tokenizer,
                     std::size_t limit) {
  const TableColumns columns = choose_columns(table, spec.text, spec.label);
  std::vector<TextSample> samples;
  std::vector<double> labels;
  std::vector<std::size_t> lines;
  for (const std::size_t index : choose_samples(table.rows.size(), spec.samples, spec.seed)) {
    const Table::Row& row = table.rows[index];
    const std::string where = fmt::format("{}:{}", table.source, row.line);
    const std::string& first = table.cell(row, columns.text[0]);
    Encoding encoding;
    try {
      encoding = columns.text.size() == 1
                     ? tokenizer.encode(first, limit)
                     : tokenizer.encode(first, table.cell(row, columns.text[1]), limit);
    } catch (const Error& error) {
      throw error.in(where);
    }
    if (columns.label) labels.push_back(parse_label(table.cell(row, *columns.label), where));
    if (columns.text.size() == 1) encoding.type_ids.clear();
    samples.push_back({std::move(encoding.ids), std::move(encoding.type_ids), -1});
    lines.push_back(row.line);
  }
  return Dataset::of_texts(std::move(samples), std::move(labels), tokenizer.pad_id(), table.source)
      .with_lines(std::move(lines));
}

// All text of the file, as one string.
std::string whole_text(const DataSpec& spec) {
  if (spec.path.extension() == ".txt") {
    const auto file = MappedFile::open(spec.path);
    return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
  }
  const Table table = read_table(spec.path);
  const TableColumns columns = choose_columns(table, spec.text, spec.label);
  std::string text;
  for (const Table::Row& row : table.rows) {
    text += table.cell(row, columns.text[0]);
    text += '\n';
  }
  return text;
}

Dataset load_windows(const DataSpec& spec, const Tokenizer& tokenizer,
                     std::span<const InputSpec> inputs) {
  const std::string source = spec.path.string();
  if (const auto fixed = fixed_length(inputs); fixed && *fixed < spec.window) {
    throw Error(
        codes::bad_option,
        fmt::format("windows of {} tokens do not fit a model that takes {}", spec.window, *fixed));
  }
  std::vector<std::int32_t> tokens;
  try {
    tokens = tokenizer.tokenize(whole_text(spec));
  } catch (const Error& error) {
    throw error.in(source);
  }
  if (tokens.size() < 2) {
    throw Error(codes::empty_data,
                fmt::format("{}: {} tokens are too few for a prediction", source, tokens.size()));
  }
  // Each token but the first is a target once: windows do not overlap in what they predict.
  const std::size_t targets = tokens.size() - 1;
  const std::size_t windows = (targets + spec.window - 1) / spec.window;
  std::vector<TextSample> samples;
  for (const std::size_t index : choose_samples(windows, spec.samples, spec.seed)) {
    const auto begin = static_cast<std::ptrdiff_t>(index * spec.window);
    const auto end = static_cast<std::ptrdiff_t>(std::min((index + 1) * spec.window, targets));
    samples.push_back({{tokens.begin() + begin, tokens.begin() + end},
                       {},
                       tokens[static_cast<std::size_t>(end)]});
  }
  return Dataset::of_texts(std::move(samples), {}, tokenizer.pad_id(), source);
}

// Takes the labels out of the arrays: those called `name`, or as usual.
std::vector<double> take_labels(std::vector<NamedTensor>& arrays, const std::string& name,
                                const std::string& source) {
  const auto is_list = [](const Tensor& t) {
    return t.rank() == 1 || (t.rank() == 2 && t.dims()[1] == 1);
  };
  std::vector<std::string> names = {"labels", "label", "y"};
  if (!name.empty()) names = {name};
  for (const std::string& candidate : names) {
    const auto found = std::ranges::find(arrays, candidate, &NamedTensor::name);
    if (found == arrays.end() || (name.empty() && !is_list(found->tensor))) continue;
    if (!is_list(found->tensor)) {
      throw Error(codes::bad_label,
                  fmt::format("{}: the labels \"{}\" have shape {}, not [samples]", source,
                              candidate, to_string(found->tensor.dims())));
    }
    std::vector<double> labels = found->tensor.to_doubles();
    const auto odd = std::ranges::find_if_not(labels, [](double v) { return std::isfinite(v); });
    if (odd != labels.end()) {
      throw Error(codes::bad_label,
                  fmt::format("{}: label {} is {}", source, odd - labels.begin(), *odd));
    }
    arrays.erase(found);
    return labels;
  }
  if (name.empty()) return {};
  throw Error(codes::bad_data, fmt::format("{}: there is no array \"{}\"; the arrays are {}",
                                           source, name, fmt::join(names_of(arrays), ", ")));
}

Dataset load_arrays(const DataSpec& spec, std::span<const InputSpec> inputs) {
  const std::string source = spec.path.string();
  std::vector<NamedTensor> arrays;
  if (spec.path.extension() == ".npy") {
    const auto file = MappedFile::open(spec.path);
    try {
      arrays.push_back({spec.path.stem().string(), parse_npy(file->bytes(), file)});
    } catch (const Error& error) {
      throw Error(codes::bad_data, fmt::format("{}: {}", source, error.what()));
    }
  } else {
    arrays = read_npz(spec.path);
  }
  std::vector<double> labels = take_labels(arrays, spec.label, source);
  // Arrays that no input asks for may have any size, unless one of them is to be the only input.
  const auto wanted = [&](const NamedTensor& array) {
    return std::ranges::any_of(inputs, [&](const InputSpec& i) { return i.name == array.name; });
  };
  if (std::ranges::any_of(arrays, wanted)) {
    std::erase_if(arrays, [&](const NamedTensor& array) { return !wanted(array); });
  }
  if (arrays.empty()) {
    throw Error(codes::empty_data, fmt::format("{}: there are no arrays", source));
  }
  Dataset data = Dataset::of_arrays(std::move(arrays), std::move(labels), source);
  if (data.size() == 0) {
    throw Error(codes::empty_data, fmt::format("{}: there are no samples", source));
  }
  const auto chosen = choose_samples(data.size(), spec.samples, spec.seed);
  if (chosen.size() == data.size()) return data;
  std::vector<NamedTensor> fewer;
  for (const NamedTensor& array : data.arrays()) {
    fewer.push_back({array.name, gather_rows(array.tensor, chosen)});
  }
  std::vector<double> fewer_labels;
  if (data.has_labels()) {
    for (const std::size_t index : chosen) fewer_labels.push_back(data.labels()[index]);
  }
  return Dataset::of_arrays(std::move(fewer), std::move(fewer_labels), source).with_lines(chosen);
}

}  // namespace

Dataset load_dataset(const DataSpec& spec, std::span<const InputSpec> inputs) {
  const fs::path extension = spec.path.extension();
  if (extension == ".npz" || extension == ".npy") return load_arrays(spec, inputs);
  if (spec.window > 0) return load_windows(spec, *open_tokenizer(spec), inputs);
  const Table table = read_table(spec.path);
  const auto tokenizer = open_tokenizer(spec);
  return load_samples(spec, table, *tokenizer, length_limit(spec, *tokenizer, inputs));
}

}  // namespace onnxpress
