// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// Options of passes. A pass declares each once, as a row that ties a member of its options struct
// to a name and a line of help; the default is what the struct's own initialiser says. Parsing,
// help, documents and recipes are made from these rows.
//
//   struct RoundOptions { std::int64_t bits = 8; };
//   const OptionTable<RoundOptions> kTable{{"bits", &RoundOptions::bits, "2 to 8", {}, 2, 8}};
namespace onnxpress {

using OptionValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;
using OptionValues = std::map<std::string, OptionValue, std::less<>>;

struct OptionInfo {
  std::string name;
  std::string help;
  OptionValue default_value;
  std::vector<std::string> choices;  // of a text; empty: any
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
};

// "true or false", "integer", "number", "text", "list of texts", with choices and limits.
[[nodiscard]] std::string type_name(const OptionInfo& option);
// As in a recipe: true, 8, 0.5, "qdq", ["a", "b"].
[[nodiscard]] std::string to_toml(const OptionValue& value);

// Reads the text of a flag (`--set pass.key=value`) as the option's type: a list is separated by
// commas. Throws Error (bad_option).
[[nodiscard]] OptionValue parse_option(const OptionInfo& option, std::string_view text);
// The value as the option's own type (an integer where a number is wanted becomes one). Throws
// Error (bad_option) if the type is wrong, a number out of its limits or a text none of the
// choices.
[[nodiscard]] OptionValue check_option(const OptionInfo& option, const OptionValue& value);

// All options with their values, defaults included, in the order of `infos`. Throws Error
// (unknown_name, bad_option); `where` begins the message, e.g. "pass quantize_weights".
[[nodiscard]] std::vector<std::pair<std::string, OptionValue>> resolve_options(
    const std::vector<OptionInfo>& infos, const OptionValues& values, std::string_view where);

template <class Options>
struct OptionRow {
  // `member` is a bool, int64, double, string or list of strings of Options or a base of it.
  template <class Type, class Base>
  OptionRow(std::string_view row_name, Type Base::*member, std::string_view row_help,
            std::vector<std::string> row_choices = {},
            double row_minimum = -std::numeric_limits<double>::infinity(),
            double row_maximum = std::numeric_limits<double>::infinity())
      : name(row_name),
        help(row_help),
        choices(std::move(row_choices)),
        minimum(row_minimum),
        maximum(row_maximum),
        get([member](const Options& options) -> OptionValue { return options.*member; }),
        set([member](Options& options, const OptionValue& value) {
          options.*member = std::get<Type>(value);
        }) {}

  std::string_view name;
  std::string_view help;
  std::vector<std::string> choices;
  double minimum;
  double maximum;
  std::function<OptionValue(const Options&)> get;
  std::function<void(Options&, const OptionValue&)> set;
};

template <class Options>
using OptionTable = std::vector<OptionRow<Options>>;

template <class Options>
[[nodiscard]] std::vector<OptionInfo> describe(const OptionTable<Options>& table) {
  const Options defaults;
  std::vector<OptionInfo> infos;
  for (const auto& row : table) {
    infos.push_back({std::string(row.name), std::string(row.help), row.get(defaults), row.choices,
                     row.minimum, row.maximum});
  }
  return infos;
}

// The struct with these values. Throws as resolve_options does.
template <class Options>
[[nodiscard]] Options read_options(const OptionTable<Options>& table, const OptionValues& values,
                                   std::string_view where) {
  Options options;
  const auto resolved = resolve_options(describe(table), values, where);
  for (std::size_t i = 0; i < table.size(); ++i) table[i].set(options, resolved[i].second);
  return options;
}

}  // namespace onnxpress
