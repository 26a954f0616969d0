// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/error_codes.h"
#include "base/mapped_file.h"
#include "onnxpress/nearest.h"
#include "passes/registry.h"
#include "pipeline/recipe.h"

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

namespace onnxpress {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;  // of a recipe file

class Reader {
 public:
  explicit Reader(std::string_view file_name) : file_name_(file_name) {}

  Recipe read(std::string_view text) {
    toml::table root;
    try {
      root = toml::parse(text, file_name_);
    } catch (const toml::parse_error& error) {
      fail(error.source(), std::string(error.description()));
    }
    check_keys(root, {"schema", "data", "pass", "gate"}, "a recipe");
    read_schema(root);
    if (const auto* data = table(root, "data")) read_data(*data);
    if (const toml::node* passes = root.get("pass")) read_passes(*passes);
    if (recipe_.passes.empty()) {
      throw Error(codes::bad_recipe, fmt::format("{}: the recipe has no [[pass]]", file_name_));
    }
    if (const auto* gate = table(root, "gate")) {
      check_keys(*gate, {"fail_if"}, "[gate]");
      if (const toml::node* rules = gate->get("fail_if")) {
        recipe_.fail_if = texts(*rules, "fail_if");
      }
    }
    return std::move(recipe_);
  }

 private:
  [[noreturn]] void fail(const toml::source_region& place, const std::string& what,
                         const std::string& hint = "") const {
    throw Error(codes::bad_recipe,
                fmt::format("{}:{}:{}: {}", file_name_, place.begin.line, place.begin.column, what),
                hint);
  }

  void check_keys(const toml::table& table, const std::vector<std::string>& known,
                  std::string_view where) const {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (std::ranges::find(known, name) != known.end()) continue;
      fail(key.source(), fmt::format("{} has no key \"{}\"", where, name),
           did_you_mean(name, known));
    }
  }

  const toml::table* table(const toml::table& root, std::string_view key) const {
    const toml::node* node = root.get(key);
    if (node == nullptr) return nullptr;
    if (!node->is_table()) fail(node->source(), fmt::format("{} should be a table", key));
    return node->as_table();
  }

  void read_schema(const toml::table& root) const {
    const toml::node* schema = root.get("schema");
    if (schema == nullptr) {
      throw Error(codes::bad_recipe,
                  fmt::format("{}: the recipe does not say its schema", file_name_),
                  "begin it with: schema = 1");
    }
    const auto version = schema->value_exact<std::int64_t>();
    if (version != 1) {
      fail(schema->source(), "schema should be 1",
           "a newer schema needs a newer version of onnxpress");
    }
  }

  [[nodiscard]] std::string text(const toml::node& node, std::string_view key) const {
    const auto value = node.value_exact<std::string>();
    if (!value) fail(node.source(), fmt::format("{} should be a text", key));
    return *value;
  }

  [[nodiscard]] std::vector<std::string> texts(const toml::node& node, std::string_view key) const {
    std::vector<std::string> result;
    if (!node.is_array()) fail(node.source(), fmt::format("{} should be a list of texts", key));
    for (const toml::node& item : *node.as_array()) result.push_back(text(item, key));
    return result;
  }

  // Texts and numbers of layers, which are written without quotes.
  [[nodiscard]] std::vector<std::string> words(const toml::node& node, std::string_view key) const {
    std::vector<std::string> result;
    for (const toml::node& item : *node.as_array()) {
      const auto number = item.value_exact<std::int64_t>();
      result.push_back(number ? fmt::format("{}", *number) : text(item, key));
    }
    return result;
  }

  [[nodiscard]] std::int64_t integer(const toml::node& node, std::string_view key,
                                     std::int64_t minimum) const {
    const auto value = node.value_exact<std::int64_t>();
    if (!value || *value < minimum) {
      fail(node.source(), fmt::format("{} should be an integer of at least {}", key, minimum));
    }
    return *value;
  }

  void read_data(const toml::table& data) {
    check_keys(data,
               {"path", "tokenizer", "calibration", "text", "label", "samples", "seed",
                "max_length", "batch"},
               "[data]");
    RecipeData& d = recipe_.data;
    for (const auto& [key, node] : data) {
      const std::string_view name = key.str();
      if (name == "path") d.path = text(node, name);
      if (name == "tokenizer") d.tokenizer = text(node, name);
      if (name == "calibration") d.calibration = text(node, name);
      if (name == "text") {
        d.text = node.is_string() ? std::vector{text(node, name)} : texts(node, name);
      }
      if (name == "label") d.label = text(node, name);
      if (name == "samples") d.samples = integer(node, name, 1);
      if (name == "seed") d.seed = integer(node, name, 0);
      if (name == "max_length") d.max_length = integer(node, name, 1);
      if (name == "batch") d.batch = integer(node, name, 1);
    }
    if (d.text.size() > 2) {
      fail(data.get("text")->source(), "text should name one or two columns");
    }
  }

  void read_passes(const toml::node& node) {
    const toml::array* passes = node.as_array();
    if (passes == nullptr || !passes->is_homogeneous(toml::node_type::table)) {
      fail(node.source(), "passes are written as [[pass]]");
    }
    for (const toml::node& pass : *passes) read_pass(*pass.as_table());
  }

  void read_pass(const toml::table& table) {
    const toml::node* name = table.get("name");
    if (name == nullptr) fail(table.source(), "the pass has no name");
    RecipePass pass{text(*name, "name"), {}};
    const std::vector<std::string> names = pass_names();
    if (std::ranges::find(names, pass.name) == names.end()) {
      fail(name->source(), fmt::format("there is no pass \"{}\"", pass.name),
           did_you_mean(pass.name, names));
    }
    const PassInfo& info = find_pass(pass.name);
    std::vector<std::string> known{"name"};
    for (const OptionInfo& option : info.options) known.push_back(option.name);
    check_keys(table, known, "pass " + pass.name);
    for (const OptionInfo& option : info.options) {
      const toml::node* given = table.get(option.name);
      if (given == nullptr) continue;
      try {
        pass.options[option.name] = check_option(option, value(*given, option));
      } catch (const Error& error) {
        if (error.code() == codes::bad_recipe.id) throw;
        fail(given->source(), error.what(), error.hint());
      }
    }
    recipe_.passes.push_back(std::move(pass));
  }

  [[nodiscard]] OptionValue value(const toml::node& node, const OptionInfo& option) const {
    if (const auto v = node.value_exact<bool>()) return *v;
    if (const auto v = node.value_exact<std::int64_t>()) return *v;
    if (const auto v = node.value_exact<double>()) return *v;
    if (const auto v = node.value_exact<std::string>()) return *v;
    if (node.is_array()) return words(node, option.name);
    fail(node.source(), fmt::format("{} should be: {}", option.name, type_name(option)));
  }

  std::string file_name_;
  Recipe recipe_;
};

}  // namespace

Recipe parse_recipe(std::string_view text, std::string_view file_name) {
  if (text.size() > kMaxBytes) {
    throw Error(codes::bad_recipe, fmt::format("{}: a recipe of {} bytes", file_name, text.size()),
                "a recipe is a short text; is this the right file?");
  }
  return Reader(file_name).read(text);
}

Recipe load_recipe(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  Recipe recipe =
      parse_recipe({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string());
  recipe.name = path.stem().string();
  return recipe;
}

}  // namespace onnxpress
