// SPDX-License-Identifier: Apache-2.0
#include "eval/evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error_codes.h"
#include "eval/agreement.h"
#include "eval/rows.h"

namespace onnxpress {
namespace {

using Clock = std::chrono::steady_clock;

TensorMap run_timed(const Session& session, const TensorMap& inputs, double& seconds) {
  const Clock::time_point start = Clock::now();
  TensorMap outputs = session.run(inputs);
  seconds += std::chrono::duration<double>(Clock::now() - start).count();
  return outputs;
}

const Tensor& output_named(const TensorMap& outputs, const std::string& name) {
  const auto found = outputs.find(name);
  if (found == outputs.end()) {
    throw Error(codes::shape_mismatch, fmt::format("the model has no output \"{}\"", name),
                "compare models with the same outputs");
  }
  return found->second;
}

double log_loss(std::span<const float> logits, std::int64_t target) {
  double largest = -std::numeric_limits<double>::infinity();
  for (const float x : logits) largest = std::max(largest, static_cast<double>(x));
  double sum = 0;
  for (const float x : logits) sum += std::exp(x - largest);
  return largest + std::log(sum) - logits[static_cast<std::size_t>(target)];
}

// Takes a batch's outputs of one model into its answers.
class AnswerSheet {
 public:
  AnswerSheet(TaskChoice task, std::size_t samples) : task_(std::move(task)) {
    switch (task_.task) {
      case Task::classification:
        answers_.classes.assign(samples, -1);
        break;
      case Task::regression:
        answers_.values.assign(samples, 0);
        break;
      case Task::language_model:
        answers_.losses.assign(samples, 0);
        answers_.targets.assign(samples, 0);
        answers_.correct_tokens.assign(samples, 0);
        break;
      case Task::none:
        break;
    }
  }

  void take(const TensorMap& outputs, const Batch& batch, const BatchTokens& tokens) {
    if (task_.task == Task::none) return;
    const Tensor& output = output_named(outputs, task_.output);
    const Floats floats(output);
    const Dims& dims = output.dims();
    const auto width = static_cast<std::size_t>(dims.size() < 2 ? 1 : dims.back());
    for (std::size_t row = 0; row < batch.samples.size(); ++row) {
      const std::size_t sample = batch.samples[row];
      if (task_.task == Task::language_model) {
        take_tokens(floats.values(), dims, row, sample, tokens);
        continue;
      }
      const std::span<const float> values = floats.values().subspan(row * width, width);
      if (task_.task == Task::classification) {
        answers_.classes[sample] = top1(values);
      } else {
        answers_.values[sample] = values[0];
      }
    }
  }

  [[nodiscard]] const Answers& answers() const { return answers_; }

 private:
  void take_tokens(std::span<const float> logits, const Dims& dims, std::size_t row,
                   std::size_t sample, const BatchTokens& tokens) {
    const auto length = static_cast<std::size_t>(dims[1]);
    const auto vocabulary = static_cast<std::size_t>(dims[2]);
    for (std::size_t position = 0; position < length; ++position) {
      const std::optional<std::int64_t> target = tokens.next(row, position);
      if (!target || *target < 0 || static_cast<std::size_t>(*target) >= vocabulary) continue;
      const auto values = logits.subspan((row * length + position) * vocabulary, vocabulary);
      answers_.losses[sample] += log_loss(values, *target);
      answers_.targets[sample] += 1;
      if (top1(values) == *target) answers_.correct_tokens[sample] += 1;
    }
  }

  TaskChoice task_;
  Answers answers_;
};

// One meter an output; knows which vectors of a batch are padding.
class AgreementSheet {
 public:
  explicit AgreementSheet(const std::vector<OutputRole>& roles) : roles_(roles) {
    for (const OutputRole& role : roles) {
      meters_.emplace_back(role.name, role.kind == OutputKind::class_logits ||
                                          role.kind == OutputKind::token_logits);
    }
  }

  void take(const TensorMap& reference, const TensorMap& candidate, const Batch& batch,
            const BatchTokens& tokens) {
    for (std::size_t i = 0; i < roles_.size(); ++i) {
      const Tensor& a = output_named(reference, roles_[i].name);
      const Tensor& b = output_named(candidate, roles_[i].name);
      if (a.dims() != b.dims()) {
        throw Error(codes::shape_mismatch,
                    fmt::format("output \"{}\" has shape {} in one model and {} in the other",
                                roles_[i].name, to_string(a.dims()), to_string(b.dims())),
                    "compare models of the same task");
      }
      if (a.dtype() == DType::string || a.size() == 0) continue;
      compare(i, Floats(a).values(), Floats(b).values(), a.dims(), batch, tokens);
    }
  }

  [[nodiscard]] std::vector<OutputAgreement> results(std::uint64_t seed) const {
    std::vector<OutputAgreement> results;
    for (const AgreementMeter& meter : meters_) results.push_back(meter.result(seed));
    return results;
  }

 private:
  void compare(std::size_t output, std::span<const float> a, std::span<const float> b,
               const Dims& dims, const Batch& batch, const BatchTokens& tokens) {
    const OutputKind kind = roles_[output].kind;
    const bool per_token = kind == OutputKind::token_logits || kind == OutputKind::token_vectors;
    if (dims.empty() || dims[0] < static_cast<std::int64_t>(batch.samples.size())) {
      meters_[output].add(a, b, batch.samples.front());  // not one row a sample: as a whole
      return;
    }
    const std::size_t row_size = a.size() / static_cast<std::size_t>(dims[0]);
    const auto vectors = per_token ? static_cast<std::size_t>(dims[1]) : 1;
    const std::size_t width = row_size / vectors;
    for (std::size_t row = 0; row < batch.samples.size(); ++row) {
      for (std::size_t position = 0; position < vectors; ++position) {
        if (per_token && !tokens.counts(row, position)) continue;
        const std::size_t offset = row * row_size + position * width;
        meters_[output].add(a.subspan(offset, width), b.subspan(offset, width), batch.samples[row]);
      }
    }
  }

  std::vector<OutputRole> roles_;
  std::vector<AgreementMeter> meters_;
};

// Batches whose [batch, sequence, vocabulary] would be too large are cut into smaller ones.
std::vector<std::vector<std::size_t>> bounded_batches(const Dataset& data,
                                                      std::span<const InputSpec> inputs,
                                                      const std::optional<LookedUpInput>& tokens,
                                                      const EvaluationOptions& options) {
  std::vector<std::vector<std::size_t>> batches;
  for (std::vector<std::size_t>& batch : plan_batches(data, inputs, options.batch)) {
    std::size_t longest = 1;
    for (const std::size_t sample : batch) longest = std::max(longest, data.length(sample));
    const double row_bytes =
        4.0 * static_cast<double>(longest) * static_cast<double>(tokens ? tokens->rows : 1);
    const auto most = static_cast<std::size_t>(
        std::max(1.0, static_cast<double>(options.logits_bytes) / row_bytes));
    for (std::size_t begin = 0; begin < batch.size(); begin += most) {
      const std::size_t end = std::min(batch.size(), begin + most);
      batches.emplace_back(batch.begin() + static_cast<std::ptrdiff_t>(begin),
                           batch.begin() + static_cast<std::ptrdiff_t>(end));
    }
  }
  return batches;
}

}  // namespace

void require_known_tokens(const Dataset& data, const std::optional<LookedUpInput>& tokens) {
  if (!tokens) return;
  if (data.max_token_id() >= tokens->rows || data.min_token_id() < 0) {
    const std::int64_t id = data.min_token_id() < 0 ? data.min_token_id() : data.max_token_id();
    throw Error(codes::tokenizer_mismatch,
                fmt::format("token id {} has no row in the model's table of {} (input \"{}\", {})",
                            id, tokens->rows, tokens->input, data.source()),
                "give the tokenizer the model was trained with");
  }
}

void require_known_labels(const Dataset& data, std::int64_t classes) {
  for (std::size_t i = 0; i < data.labels().size(); ++i) {
    const double label = data.labels()[i];
    if (label >= 0 && label < static_cast<double>(classes) && label == std::floor(label)) continue;
    throw Error(codes::bad_label,
                fmt::format("sample {} has label {}, but the model's classes are 0 to {} ({})",
                            i + 1, label, classes - 1, data.source()));
  }
}

Evaluation evaluate(const Session& reference, const Session* candidate, const Dataset& data,
                    std::span<const InputSpec> inputs, const std::optional<LookedUpInput>& tokens,
                    const EvaluationOptions& options) {
  require_known_tokens(data, tokens);
  Evaluation evaluation;
  evaluation.samples = data.size();
  evaluation.tokens = data.token_count();
  if (candidate != nullptr) evaluation.candidate.emplace();
  const std::string token_name = tokens ? tokens->input : std::string("input_ids");

  std::optional<AnswerSheet> before;
  std::optional<AnswerSheet> after;
  std::optional<AgreementSheet> agreement;
  std::size_t done = 0;
  for (const std::vector<std::size_t>& samples : bounded_batches(data, inputs, tokens, options)) {
    if (options.cancelled != nullptr && *options.cancelled)
      throw Error(codes::cancelled, "stopped while evaluating");
    const Batch batch = make_batch(data, inputs, samples);
    const BatchTokens batch_tokens(batch, token_name);
    const TensorMap expected = run_timed(reference, batch.inputs, evaluation.reference.seconds);
    if (!before) {  // the first batch tells what the outputs are
      const std::vector<OutputRole> roles =
          judge_outputs(expected, reference.outputs(), batch,
                        tokens ? std::optional(tokens->rows) : std::nullopt);
      evaluation.task = choose_task(roles, data.has_labels());
      if (evaluation.task.task == Task::classification) {
        require_known_labels(data, output_named(expected, evaluation.task.output).dims()[1]);
      }
      before.emplace(evaluation.task, data.size());
      after.emplace(evaluation.task, data.size());
      agreement.emplace(roles);
    }
    before->take(expected, batch, batch_tokens);
    if (candidate != nullptr) {
      const TensorMap got = run_timed(*candidate, batch.inputs, evaluation.candidate->seconds);
      agreement->take(expected, got, batch, batch_tokens);
      after->take(got, batch, batch_tokens);
    }
    done += samples.size();
    if (options.progress) options.progress(done, data.size());
  }
  if (!before) throw Error(codes::empty_data, fmt::format("{} has no samples", data.source()));

  const Task task = evaluation.task.task;
  evaluation.reference.metrics = measure(task, before->answers(), data.labels(), options.seed);
  if (candidate != nullptr) {
    evaluation.candidate->metrics = measure(task, after->answers(), data.labels(), options.seed);
    evaluation.changes =
        measure_change(task, before->answers(), after->answers(), data.labels(), options.seed);
    evaluation.agreement = agreement->results(options.seed);
  }
  return evaluation;
}

}  // namespace onnxpress
