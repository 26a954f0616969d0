// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/input_spec.h"
#include "ir/tensor.h"

namespace onnxpress {

// Where samples come from and how text becomes tokens. Fields are named like the flags and recipe
// keys that set them.
struct DataSpec {
  std::filesystem::path path;       // .tsv .csv .txt .jsonl .npz .npy
  std::filesystem::path tokenizer;  // file or folder; needed for text
  std::vector<std::string> text;    // one or two columns; empty: the usual names are looked for
  std::string label;                // column or npz key; empty: the usual names are looked for
  std::size_t samples = 0;          // at most so many, chosen by `seed`, in file order; 0: all
  std::uint64_t seed = 1;
  std::size_t max_length =
      0;               // tokens, special ones included; 0: the tokenizer's own limit, if any
  bool cased = false;  // for vocab.txt: keep case and accents
  // More than 0: the file is one stream of tokens, cut into windows of so many, each followed by
  // its next token (perplexity of a language model). Without special tokens.
  std::size_t window = 0;
};

struct TextSample {
  std::vector<std::int32_t> ids;       // special tokens included, not padded
  std::vector<std::uint8_t> type_ids;  // 0 for the first text, 1 for the second; empty: all 0
  std::int32_t next_token = -1;        // the token that follows a window, -1 where there is none
};

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// Samples, either as text (token ids) or as arrays (named tensors with one row a sample), and a
// label for each where the data have labels.
class Dataset {
 public:
  static Dataset of_texts(std::vector<TextSample> texts, std::vector<double> labels,
                          std::int32_t pad_id = 0, std::string source = {});
  // All tensors have the same size along axis 0. Throws Error (bad_data) otherwise.
  static Dataset of_arrays(std::vector<NamedTensor> arrays, std::vector<double> labels,
                           std::string source = {});

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool is_text() const { return arrays_.empty(); }
  [[nodiscard]] std::span<const TextSample> texts() const { return texts_; }
  [[nodiscard]] std::span<const NamedTensor> arrays() const { return arrays_; }
  // nullptr where there is none of that name.
  [[nodiscard]] const Tensor* array(std::string_view name) const;

  // One label a sample (the index of a class, or a number to regress on), or empty.
  [[nodiscard]] bool has_labels() const { return !labels_.empty(); }
  [[nodiscard]] std::span<const double> labels() const { return labels_; }

  // Tokens without padding, over all samples; 0 for arrays without `input_ids`.
  [[nodiscard]] std::int64_t token_count() const;
  // Tokens of one sample; of arrays: the ones in its attention mask, or the length of `input_ids`;
  // 0 without.
  [[nodiscard]] std::size_t length(std::size_t sample) const;
  // The largest token id in use, to be compared with the rows of the embedding table (Error
  // tokenizer_mismatch if it is not below them); -1 without tokens.
  [[nodiscard]] std::int64_t max_token_id() const;
  [[nodiscard]] std::int64_t min_token_id() const;  // negative ids are never right; 0 without
  [[nodiscard]] std::int32_t pad_id() const { return pad_id_; }
  // The file the samples come from, for messages.
  [[nodiscard]] const std::string& source() const { return source_; }
  // Where a sample stands, for messages: "dev.tsv:17", or "test.npz[16]" for the row of an array.
  [[nodiscard]] std::string location(std::size_t sample) const;
  // The data with each sample's line in its file, or row of its array.
  [[nodiscard]] Dataset with_lines(std::vector<std::size_t> lines) &&;

 private:
  std::size_t size_ = 0;
  std::vector<TextSample> texts_;
  std::vector<NamedTensor> arrays_;
  std::vector<double> labels_;
  std::int32_t pad_id_ = 0;
  std::string source_;
  std::vector<std::size_t> lines_;
};

// Reads the samples of `spec` for a model with these inputs (their fixed sequence length limits
// the number of tokens). Throws Error: missing_data (text without a tokenizer), bad_data,
// empty_data, bad_label, bad_tokenizer and those of opening a file; messages name file and line.
[[nodiscard]] Dataset load_dataset(const DataSpec& spec, std::span<const InputSpec> inputs = {});

}  // namespace onnxpress
