// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

namespace onnxpress {

// The model of a folder as the Hugging Face exporters write it: model.onnx, onnx/model.onnx, or the
// only *.onnx. A path that is not a folder is returned as it is. Throws Error (file_missing) if
// there is none, or several to choose from.
[[nodiscard]] std::filesystem::path find_model(const std::filesystem::path& path);

// The tokenizer beside a model: of a folder or, given a file, of the folder it lies in (for
// onnx/model.onnx also the one above): tokenizer.json, vocab.txt, vocab.json (with merges.txt, or a
// character vocabulary), tokenizer.model, spiece.model, sentencepiece.bpe.model.
[[nodiscard]] std::optional<std::filesystem::path> find_tokenizer(
    const std::filesystem::path& path);

// The number of tokens that the configuration beside a model allows (max_position_embeddings of
// config.json, model_max_length of tokenizer_config.json), where it says.
[[nodiscard]] std::optional<std::size_t> find_max_length(const std::filesystem::path& path);

}  // namespace onnxpress
