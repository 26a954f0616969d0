// SPDX-License-Identifier: Apache-2.0
#include "passes/prune_vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "base/error_codes.h"
#include "model/transformer_view.h"

namespace onnxpress {
namespace {

struct Options {
  std::string corpus;
  std::string tokenizer;
  bool characters = true;
  bool cased = false;
};

const OptionTable<Options>& table() {
  static const OptionTable<Options> rows{
      {"corpus", &Options::corpus, "text file, a sample a line: its tokens stay"},
      {"tokenizer", &Options::tokenizer,
       "the model's vocab.txt; empty: what --tokenizer says, or what lies beside the model"},
      {"characters", &Options::characters,
       "single characters stay, too, so that every text can still be written"},
      {"cased", &Options::cased,
       "upper and lower case are different; false: what tokenizer_config.json beside it says"}};
  return rows;
}

VocabularyCutOptions cut_options(const Options& options) {
  if (options.corpus.empty()) {
    throw Error(codes::missing_data, "no corpus is given",
                "add prune_vocabulary.corpus = \"text.txt\"");
  }
  if (options.tokenizer.empty()) {
    throw Error(codes::missing_data, "the model's tokenizer is not known",
                "add --tokenizer vocab.txt");
  }
  VocabularyCutOptions result{options.corpus, options.tokenizer, options.characters, {}};
  if (options.cased) result.cased = true;
  return result;
}

// The places along an axis that stay.
Tensor sliced(const Tensor& tensor, std::size_t axis, std::span<const std::int32_t> kept) {
  const auto& dims = tensor.dims();
  std::int64_t outer = 1;
  for (std::size_t i = 0; i < axis; ++i) outer *= dims[i];
  std::int64_t inner = 1;
  for (std::size_t i = axis + 1; i < dims.size(); ++i) inner *= dims[i];
  const std::size_t piece = tensor.bytes().size() / static_cast<std::size_t>(outer * dims[axis]);
  std::vector<std::byte> bytes;
  bytes.reserve(static_cast<std::size_t>(outer) * kept.size() * piece);
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const std::int32_t id : kept) {
      const std::byte* from =
          tensor.bytes().data() + static_cast<std::size_t>(o * dims[axis] + id) * piece;
      bytes.insert(bytes.end(), from, from + piece);
    }
  }
  Dims smaller = dims;
  smaller[axis] = static_cast<std::int64_t>(kept.size());
  return Tensor::from_bytes(tensor.dtype(), std::move(smaller), std::move(bytes));
}

bool keeps_ids(const Node& node) {
  for (const char* type :
       {"Cast", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Transpose", "Slice"}) {
    if (node.is(type)) return true;
  }
  return false;
}

// Everything in the graph that has a place for each token.
struct Site {
  const Embedding* table = nullptr;
  std::vector<const LinearUnit*> heads;
};

class PruneVocabulary : public Pass {
 public:
  explicit PruneVocabulary(Options options) : options_(std::move(options)) {}

  [[nodiscard]] PassPlan plan(PassContext& context) const override {
    const VocabularyCut cut = cut_vocabulary(cut_options(options_));
    const Site site = find_site(context, cut);
    PassPlan plan;
    const auto share = [&](std::int64_t bytes) {
      return bytes / site.table->rows * static_cast<std::int64_t>(cut.kept.size());
    };
    const Decision decision = cut.kept.size() == static_cast<std::size_t>(site.table->rows)
                                  ? Decision::keep
                                  : Decision::change;
    const std::string reason =
        decision == Decision::keep
            ? "all tokens are needed"
            : fmt::format("{} of {} tokens stay", cut.kept.size(), site.table->rows);
    UnitPlan row{.label = site.table->label,
                 .kind = "embedding",
                 .decision = decision,
                 .reason = reason,
                 .bytes_before = site.table->bytes};
    row.bytes_after = decision == Decision::keep ? row.bytes_before : share(row.bytes_before);
    plan.units.push_back(std::move(row));
    for (const LinearUnit* head : site.heads) {
      UnitPlan unit{.label = head->label, .kind = "head", .decision = decision, .reason = reason};
      if (head->weight != site.table->table) unit.bytes_before = head->weight_bytes;
      if (const Tensor* bias = bias_of(context.graph(), *head)) {
        unit.bytes_before += static_cast<std::int64_t>(bias->bytes().size());
      }
      unit.bytes_after = decision == Decision::keep ? unit.bytes_before : share(unit.bytes_before);
      plan.units.push_back(std::move(unit));
    }
    return plan;
  }

  PassResult apply(const PassPlan& plan, PassContext& context) const override {
    PassResult result;
    if (plan.changes() == 0) return result;
    const VocabularyCut cut = cut_vocabulary(cut_options(options_));
    const Site site = find_site(context, cut);
    Graph& graph = context.graph();
    std::set<ValueId> done;
    cut_constant(graph, site.table->table, 0, cut.kept, done);
    for (const LinearUnit* head : site.heads) {
      cut_constant(graph, head->weight, head->layout == WeightLayout::in_out ? 1 : 0, cut.kept,
                   done);
      if (const Tensor* bias = bias_of(graph, *head)) {
        cut_constant(graph, *head->bias, bias->dims().size() - 1, cut.kept, done);
      }
      shrink_shapes(graph, head->output, head->out, static_cast<std::int64_t>(cut.kept.size()));
    }
    result.changed = plan.changes();
    context.edited();
    return result;
  }

 private:
  [[noreturn]] static void refuse(const std::string& why) {
    throw Error(codes::unsupported_model, why);
  }

  // Of one element for each token.
  static const Tensor* bias_of(const Graph& graph, const LinearUnit& head) {
    const Tensor* bias = head.bias ? graph.constant(*head.bias) : nullptr;
    return bias != nullptr && bias->size() == head.out ? bias : nullptr;
  }

  static Site find_site(PassContext& context, const VocabularyCut& cut) {
    const TransformerView& view = context.view();
    const Graph& graph = context.graph();
    Site site;
    site.table = view.word_embedding();
    if (site.table == nullptr) refuse("the model has no table of words");
    for (const Refusal& refusal : site.table->why_not) {
      if (refusal.kind == RefusalKind::tiny) continue;  // for scales; rows may go all the same
      refuse(fmt::format("the table {} can't be cut: {}", site.table->label, refusal.text));
    }
    const Tensor* stored = graph.constant(site.table->table);
    if (stored == nullptr || stored->rank() != 2 || !is_float(stored->dtype())) {
      refuse(fmt::format("the table {} is not a stored matrix of floats", site.table->label));
    }
    if (site.table->rows != cut.before) {
      throw Error(codes::tokenizer_mismatch,
                  fmt::format("the table {} has {} rows, the vocabulary {} "
                              "tokens",
                              site.table->label, site.table->rows, cut.before));
    }
    std::set<NodeId> readers(site.table->gathers.begin(), site.table->gathers.end());
    readers.insert(site.table->table_path.begin(), site.table->table_path.end());
    for (const LinearUnit& unit : view.units()) {
      const bool tied = unit.weight == site.table->table;
      if (unit.role == UnitRole::head && unit.out == site.table->rows) {
        require_own(graph, unit, tied);
        site.heads.push_back(&unit);
      } else if (tied) {
        refuse(fmt::format("{} multiplies by the table {}, too", unit.label, site.table->label));
      }
      if (!tied) continue;
      readers.insert(unit.product);
      readers.insert(unit.weight_path.begin(), unit.weight_path.end());
    }
    for (const Use& use : graph.value(site.table->table).uses) {
      if (!readers.contains(use.node)) refuse("something else reads the table of words");
    }
    for (const NodeId gather : site.table->gathers) require_plain_ids(graph, gather, *site.table);
    return site;
  }

  static void require_own(const Graph& graph, const LinearUnit& head, bool tied) {
    const Tensor* weight = graph.constant(head.weight);
    if (weight == nullptr || weight->rank() != 2 || !is_float(weight->dtype())) {
      refuse(
          fmt::format("the head {} is not a stored matrix of floats; cut the vocabulary before "
                      "quantizing",
                      head.label));
    }
    if (head.weight_shared && !tied) refuse(head.label + " shares its weight with another unit");
    if (!head.bias) return;
    const Value& bias = graph.value(*head.bias);
    if (bias.uses.size() != 1 || bias.producer) refuse(head.label + " has a bias that others read");
  }

  // Ids may be looked up in the table and nowhere else: what compares them with numbers, or looks
  // them up elsewhere, would mean other tokens.
  static void require_plain_ids(const Graph& graph, NodeId gather, const Embedding& table) {
    ValueId value = graph.node(gather).input(1);
    while (const Node* node = graph.producer(value)) {
      if (!keeps_ids(*node)) {
        refuse(fmt::format("the ids are computed by {} before they are looked up", node->op_type));
      }
      value = node->input(0);
    }
    std::vector<ValueId> left{value};
    std::set<ValueId> seen{value};
    while (!left.empty()) {
      const ValueId ids = left.back();
      left.pop_back();
      for (const Use& use : graph.value(ids).uses) {
        const Node& node = graph.node(use.node);
        const bool looked_up =
            std::ranges::find(table.gathers, use.node) != table.gathers.end() && use.input == 1;
        if (looked_up || node.is("Shape") || node.is("Size")) continue;
        if (!keeps_ids(node) || use.input != 0) {
          refuse(fmt::format("{} reads the ids of tokens as well ({}), and they would be others",
                             node.op_type, node.name));
        }
        for (const ValueId output : node.outputs) {
          if (seen.insert(output).second) left.push_back(output);
        }
      }
    }
  }

  static void cut_constant(Graph& graph, ValueId value, std::size_t axis,
                           std::span<const std::int32_t> kept, std::set<ValueId>& done) {
    if (!done.insert(value).second) return;
    Tensor smaller = sliced(*graph.constant(value), axis, kept);
    if (!graph.value(value).producer) {
      graph.set_constant(value, std::move(smaller));
      return;
    }
    graph.replace_all_uses(
        value, graph.add_constant(graph.value(value).name + "_kept", std::move(smaller)));
  }

  // What the file says of the shapes behind a head.
  static void shrink_shapes(Graph& graph, ValueId from, std::int64_t before, std::int64_t after) {
    std::set<ValueId> behind{from};
    for (const NodeId id : graph.nodes()) {
      const Node& node = graph.node(id);
      const bool reads =
          node.outputs.front() == from ||
          std::ranges::any_of(node.inputs, [&](ValueId input) { return behind.contains(input); });
      if (!reads) continue;
      for (const ValueId output : node.outputs) {
        if (output == kNoValue) continue;
        behind.insert(output);
        std::optional<Shape> shape = graph.value(output).shape;
        if (!shape || shape->empty() || shape->back().size != before) continue;
        shape->back().size = after;
        graph.set_type(output, graph.value(output).dtype, std::move(shape));
      }
    }
  }

  Options options_;
};

}  // namespace

VocabularyCutOptions vocabulary_cut_options(const OptionValues& values) {
  return cut_options(read_options(table(), values, "pass prune_vocabulary"));
}

PassInfo prune_vocabulary_info() {
  return {
      "prune_vocabulary", "tokens that a corpus does not need go, with their rows and logits",
      "Keeps the tokens that the model's WordPiece tokenizer makes of a corpus, special tokens "
      "and single characters; cuts the other rows out of the table of words and the other "
      "logits out of the output head; and writes the new vocab.txt beside the model. Texts of "
      "corpus tokens get the very outputs they got before. Data that later passes look at would "
      "have the old tokens' ids: run it alone, then compress the result with its vocab.txt.",
      describe(table()), [](const OptionValues& values) -> std::unique_ptr<Pass> {
        return std::make_unique<PruneVocabulary>(
            read_options(table(), values, "pass prune_vocabulary"));
      }};
}

}  // namespace onnxpress
