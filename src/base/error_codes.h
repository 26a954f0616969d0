// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "onnxpress/error.h"

// Every error the program can report, in one table. Ids are stable: never reuse one. docs/errors.md
// is made from it. E00 usage · E02 files · E03 model files · E04 unsupported · E05 data and
// tokenizers · E06 resources · E09 our bugs
namespace onnxpress::codes {

using enum ErrorKind;

inline constexpr ErrorCode usage_error{"E0001", usage, "The command line can't be understood",
                                       "see onnxpress --help"};
inline constexpr ErrorCode unknown_name{
    "E0002", usage, "No such preset, pass, option, verb or metric", "see onnxpress passes"};
inline constexpr ErrorCode bad_option{"E0003", usage, "An option has a value it can't have",
                                      "see onnxpress --help"};
inline constexpr ErrorCode bad_recipe{"E0004", usage, "The recipe can't be used",
                                      "see docs/recipes.md"};
inline constexpr ErrorCode output_is_input{"E0005", usage, "The output would overwrite an input",
                                           "choose another path for -o"};
inline constexpr ErrorCode missing_data{"E0006", usage,
                                        "The command needs data or a tokenizer that were not given",
                                        "add --data and, for text, --tokenizer"};

inline constexpr ErrorCode file_missing{"E0201", file_system, "A file does not exist",
                                        "check the path"};
inline constexpr ErrorCode not_a_file{"E0202", file_system, "The path is not a regular file",
                                      "give the path of a file"};
inline constexpr ErrorCode cannot_read{"E0203", file_system, "A file can't be read",
                                       "check its permissions"};
inline constexpr ErrorCode output_exists{"E0204", file_system, "The output exists already",
                                         "add --force to replace it"};
inline constexpr ErrorCode input_changed{"E0205", file_system,
                                         "A file changed while it was being read",
                                         "try again when nothing else writes to it"};
inline constexpr ErrorCode cannot_write{"E0206", file_system, "The output can't be written",
                                        "check free space and permissions; nothing was published"};

inline constexpr ErrorCode empty_file{"E0301", bad_input, "The file is empty",
                                      "was the download complete?"};
inline constexpr ErrorCode not_onnx{"E0302", bad_input, "The file is of another format",
                                    "give an ONNX model"};
inline constexpr ErrorCode broken_wire{
    "E0303", bad_input, "The file is not a whole protobuf message", "was the download complete?"};
inline constexpr ErrorCode no_graph{"E0304", bad_input, "The model has no graph or no opset import",
                                    "was the file cut off?"};
inline constexpr ErrorCode tensor_size{"E0312", bad_input,
                                       "A tensor's bytes do not match its shape and type",
                                       "was the download complete?"};
inline constexpr ErrorCode tensor_malformed{"E0313", bad_input, "A tensor is malformed",
                                            "export the model again"};
inline constexpr ErrorCode external_data{
    "E0314", bad_input, "External data are unsafe or do not fit",
    "keep the data file in the model's folder and export again"};
inline constexpr ErrorCode graph_malformed{"E0315", bad_input, "The graph breaks a rule of ONNX",
                                           "export the model again"};
inline constexpr ErrorCode attribute_malformed{
    "E0316", bad_input, "An attribute is missing or of the wrong type", "export the model again"};
inline constexpr ErrorCode shape_mismatch{"E0317", bad_input,
                                          "Shapes do not fit together at run time",
                                          "check the inputs' shapes against `onnxpress inspect`"};

inline constexpr ErrorCode unsupported_operator{
    "E0401", unsupported, "The executor does not have these operators",
    "measure with ONNX Runtime instead, or leave --data out"};
inline constexpr ErrorCode unsupported_type{"E0402", unsupported,
                                            "An element type that this operation does not take",
                                            "convert the model to float32 first"};
inline constexpr ErrorCode unsupported_model{"E0403", unsupported,
                                             "The model is valid but this can't be done with it",
                                             "see onnxpress inspect --explain"};
inline constexpr ErrorCode already_quantized{"E0404", unsupported, "The model is already quantized",
                                             "start from the float model"};

inline constexpr ErrorCode bad_data{"E0501", bad_input, "The data file can't be used",
                                    "see docs/data.md"};
inline constexpr ErrorCode empty_data{"E0502", bad_input, "The data file holds no samples",
                                      "check the file"};
inline constexpr ErrorCode bad_label{"E0503", bad_input, "A label is not a class of the model",
                                     "check the label column"};
inline constexpr ErrorCode bad_tokenizer{"E0504", bad_input, "The tokenizer file can't be used",
                                         "see docs/data.md"};
inline constexpr ErrorCode tokenizer_mismatch{"E0505", bad_input,
                                              "The tokenizer does not belong to the model",
                                              "give the tokenizer the model was trained with"};
inline constexpr ErrorCode missing_input{"E0506", bad_input,
                                         "The data do not have an input of the model",
                                         "see onnxpress inspect for the inputs' names"};

inline constexpr ErrorCode bad_calibration{"E0507", bad_input, "The calibration file can't be used",
                                           "make it again with onnxpress calibrate"};
inline constexpr ErrorCode calibration_mismatch{
    "E0508", bad_input, "The calibration does not belong to the model or to the other files",
    "calibrate the model that is to be compressed"};

inline constexpr ErrorCode out_of_memory{"E0601", resource, "Not enough memory",
                                         "use a smaller --batch, or a machine with more memory"};
inline constexpr ErrorCode over_budget{"E0602", resource,
                                       "The model is larger than the limits allow",
                                       "raise the limit if you trust the file"};

inline constexpr ErrorCode cancelled{"E0603", resource, "The work was stopped on request",
                                     "run the command again"};

inline constexpr ErrorCode internal_error{
    "E0901", internal, "A bug in onnxpress",
    "please report it with the command and `onnxpress doctor`"};

// All rows, in order of their ids.
[[nodiscard]] std::span<const ErrorCode* const> all();

}  // namespace onnxpress::codes
