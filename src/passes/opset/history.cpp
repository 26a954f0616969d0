// SPDX-License-Identifier: Apache-2.0
#include "passes/opset/history.h"

#include <algorithm>
#include <utility>

#include "passes/opset/rules.h"

namespace onnxpress {
namespace {

// Why a newer version reads older nodes as they were meant.
constexpr std::string_view kTypes = "takes more types";
constexpr std::string_view kDefault = "has new attributes or inputs; left out, nothing changes";
constexpr std::string_view kNegative = "counts negative axes and indices from the end; none before";
constexpr std::string_view kClearer = "says more clearly what it did before";
constexpr std::string_view kShape = "lets shapes of its bodies' values differ";
constexpr std::string_view kRuntime = "was known to ONNX Runtime before, with the same meaning";

std::vector<OperatorHistory> make_histories() {
  using namespace opset_rules;
  return {
      {"Abs", {{13, kTypes}}},
      {"Add", {{13, kTypes}, {14, kTypes}}},
      {"ArgMax", {{11, kNegative}, {12, kDefault}, {13, kTypes}}},
      {"ArgMin", {{11, kNegative}, {12, kDefault}, {13, kTypes}}},
      {"AveragePool", {{10, kDefault}, {11, kClearer}, {19, average_pool_rounding}}},
      {"BatchNormalization", {{14, batch_normalization_inference}, {15, kTypes}}},
      {"Cast", {{13, kTypes}, {19, kDefault}, {21, kTypes}}},
      {"CastLike", {{19, kDefault}, {21, kTypes}}},
      {"Ceil", {{13, kTypes}}},
      {"Clip", {{11, clip_bounds}, {12, kTypes}, {13, kTypes}}},
      {"Compress", {{11, kNegative}}},
      {"Concat", {{11, kNegative}, {13, kTypes}}},
      {"Constant", {{11, kDefault}, {12, kDefault}, {13, kTypes}, {19, kTypes}, {21, kTypes}}},
      {"ConstantOfShape", {{20, kTypes}, {21, kTypes}}},
      {"Conv", {{11, kClearer}}},
      {"ConvTranspose", {{11, conv_transpose_padding}}},
      {"CumSum", {{14, kTypes}}},
      {"DFT", {{20, dft_axis}}},
      {"DepthToSpace", {{11, kDefault}, {13, kTypes}}},
      {"DequantizeLinear", {{13, kDefault}, {19, kTypes}, {21, kDefault}}},
      {"Div", {{13, kTypes}, {14, kTypes}}},
      {"Dropout", {{10, dropout_mask}, {12, dropout_ratio}, {13, kTypes}}},
      {"Equal", {{11, kTypes}, {13, kTypes}, {19, kTypes}}},
      {"Erf", {{13, kTypes}}},
      {"Exp", {{13, kTypes}}},
      {"Expand", {{13, kTypes}}},
      {"Flatten", {{11, kNegative}, {13, kTypes}, {21, kTypes}}},
      {"Floor", {{13, kTypes}}},
      {"GRU", {{14, kDefault}}},
      {"Gather", {{11, kNegative}, {13, kTypes}}},
      {"GatherElements", {{13, kTypes}}},
      {"GatherND", {{12, kDefault}, {13, kTypes}}},
      {"Gemm", {{11, kDefault}, {13, kTypes}}},
      {"Greater", {{13, kTypes}}},
      {"GreaterOrEqual", {{16, kTypes}}},
      {"GridSample", {{20, grid_sample_mode}}},
      {"GroupNormalization", {{21, group_normalization_per_channel}}},
      {"Hardmax", {{11, kNegative}, {13, softmax_along_one_axis}}},
      {"Identity", {{13, kTypes}, {14, kTypes}, {16, kTypes}, {19, kTypes}, {21, kTypes}}},
      {"If", {{11, kShape}, {13, kTypes}, {16, kTypes}, {19, kTypes}, {21, kTypes}}},
      {"IsInf", {{20, kTypes}}},
      {"IsNaN", {{13, kTypes}, {20, kTypes}}},
      {"LRN", {{13, kTypes}}},
      {"LSTM", {{14, kDefault}}},
      {"LayerNormalization", {{17, kRuntime}}},
      {"LeakyRelu", {{16, kTypes}}},
      {"Less", {{13, kTypes}}},
      {"LessOrEqual", {{16, kTypes}}},
      {"Log", {{13, kTypes}}},
      {"LogSoftmax", {{11, kNegative}, {13, softmax_along_one_axis}}},
      {"Loop", {{11, kShape}, {13, kTypes}, {16, kTypes}, {19, kTypes}, {21, kTypes}}},
      {"LpPool", {{11, kClearer}, {18, kDefault}}},
      {"MatMul", {{13, kTypes}}},
      {"Max", {{12, kTypes}, {13, kTypes}}},
      {"MaxPool", {{10, kDefault}, {11, kClearer}, {12, kTypes}}},
      {"MaxUnpool", {{11, kClearer}}},
      {"Mean", {{13, kTypes}}},
      {"MeanVarianceNormalization", {{13, kTypes}}},
      {"Min", {{12, kTypes}, {13, kTypes}}},
      {"Mod", {{13, kTypes}}},
      {"Mul", {{13, kTypes}, {14, kTypes}}},
      {"Neg", {{13, kTypes}}},
      {"NegativeLogLikelihoodLoss", {{13, kTypes}}},
      {"NonMaxSuppression", {{11, kClearer}}},
      {"NonZero", {{13, kTypes}}},
      {"OneHot", {{11, kNegative}}},
      {"OptionalGetElement", {{18, kTypes}}},
      {"OptionalHasElement", {{18, kTypes}}},
      {"PRelu", {{16, kTypes}}},
      {"Pad", {{11, pad_inputs}, {13, kTypes}, {18, kDefault}, {19, kDefault}, {21, kTypes}}},
      {"Pow", {{12, kTypes}, {13, kTypes}, {15, kTypes}}},
      {"QLinearMatMul", {{21, kTypes}}},
      {"QuantizeLinear", {{13, kDefault}, {19, kDefault}, {21, kDefault}}},
      {"RNN", {{14, kDefault}}},
      {"Reciprocal", {{13, kTypes}}},
      {"ReduceL1", {{11, kNegative}, {13, kTypes}, {18, reduce_axes}}},
      {"ReduceL2", {{11, kNegative}, {13, kTypes}, {18, reduce_axes}}},
      {"ReduceLogSum", {{11, kNegative}, {13, kTypes}, {18, reduce_axes}}},
      {"ReduceLogSumExp", {{11, kNegative}, {13, kTypes}, {18, reduce_axes}}},
      {"ReduceMax", {{11, kNegative}, {12, kTypes}, {13, kTypes}, {18, reduce_axes}, {20, kTypes}}},
      {"ReduceMean", {{11, kNegative}, {13, kTypes}, {18, reduce_axes}}},
      {"ReduceMin", {{11, kNegative}, {12, kTypes}, {13, kTypes}, {18, reduce_axes}, {20, kTypes}}},
      {"ReduceProd", {{11, kNegative}, {13, kTypes}, {18, reduce_axes}}},
      {"ReduceSum", {{11, kNegative}, {13, reduce_axes}}},
      {"ReduceSumSquare", {{11, kNegative}, {13, kTypes}, {18, reduce_axes}}},
      {"Relu", {{13, kTypes}, {14, kTypes}}},
      {"Reshape", {{13, kTypes}, {14, kDefault}, {19, kTypes}, {21, kTypes}}},
      {"Resize",
       {{11, resize_coordinates}, {13, resize_empty_inputs}, {18, kDefault}, {19, kDefault}}},
      {"RoiAlign", {{16, roi_align_mode}}},
      {"Scan", {{11, kNegative}, {16, kTypes}, {19, kTypes}, {21, kTypes}}},
      {"Scatter", {{11, scatter_name}}},
      {"ScatterElements", {{13, kTypes}, {16, kDefault}, {18, kDefault}}},
      {"ScatterND", {{13, kTypes}, {16, kDefault}, {18, kDefault}}},
      {"Shape", {{13, kTypes}, {15, kDefault}, {19, kTypes}, {21, kTypes}}},
      {"Sigmoid", {{13, kTypes}}},
      {"Sign", {{13, kTypes}}},
      {"Size", {{13, kTypes}, {19, kTypes}, {21, kTypes}}},
      {"Slice", {{10, slice_inputs}, {11, kNegative}, {13, kTypes}}},
      {"Softmax", {{11, kNegative}, {13, softmax_along_one_axis}}},
      {"SoftmaxCrossEntropyLoss", {{13, kTypes}}},
      {"SpaceToDepth", {{13, kTypes}}},
      {"Split", {{11, kNegative}, {13, split_sizes}, {18, split_count}}},
      {"Sqrt", {{13, kTypes}}},
      {"Squeeze", {{11, kNegative}, {13, axes_input}, {21, kTypes}}},
      {"Sub", {{13, kTypes}, {14, kTypes}}},
      {"Sum", {{13, kTypes}}},
      {"Tanh", {{13, kTypes}}},
      {"Tile", {{13, kTypes}}},
      {"TopK", {{10, top_k_input}, {11, kDefault}}},
      {"Transpose", {{13, kTypes}, {21, kTypes}}},
      {"Unsqueeze", {{11, kNegative}, {13, axes_input}, {21, kTypes}}},
      {"Upsample", {{10, upsample_name}}},
      {"Where", {{16, kTypes}}},
  };
}

constexpr std::pair<std::string_view, std::int64_t> kIntroduced[] = {
    {"AffineGrid", 20},
    {"Bernoulli", 15},
    {"BitShift", 11},
    {"BitwiseAnd", 18},
    {"BitwiseNot", 18},
    {"BitwiseOr", 18},
    {"BitwiseXor", 18},
    {"BlackmanWindow", 17},
    {"CastLike", 15},
    {"Celu", 12},
    {"CenterCropPad", 18},
    {"Col2Im", 18},
    {"ConcatFromSequence", 11},
    {"ConvInteger", 10},
    {"CumSum", 11},
    {"DFT", 17},
    {"DeformConv", 19},
    {"DequantizeLinear", 10},
    {"Det", 11},
    {"DynamicQuantizeLinear", 11},
    {"Einsum", 12},
    {"GatherElements", 11},
    {"GatherND", 11},
    {"Gelu", 20},
    {"GreaterOrEqual", 12},
    {"GridSample", 16},
    {"GroupNormalization", 18},
    {"HammingWindow", 17},
    {"HannWindow", 17},
    {"HardSwish", 14},
    {"ImageDecoder", 20},
    {"IsInf", 10},
    {"LessOrEqual", 12},
    {"MatMulInteger", 10},
    {"MelWeightMatrix", 17},
    {"Mish", 18},
    {"Mod", 10},
    {"NegativeLogLikelihoodLoss", 12},
    {"NonMaxSuppression", 10},
    {"Optional", 15},
    {"OptionalGetElement", 15},
    {"OptionalHasElement", 15},
    {"QLinearConv", 10},
    {"QLinearMatMul", 10},
    {"QuantizeLinear", 10},
    {"Range", 11},
    {"RegexFullMatch", 20},
    {"Resize", 10},
    {"ReverseSequence", 10},
    {"RoiAlign", 10},
    {"Round", 11},
    {"STFT", 17},
    {"ScatterElements", 11},
    {"ScatterND", 11},
    {"SequenceAt", 11},
    {"SequenceConstruct", 11},
    {"SequenceEmpty", 11},
    {"SequenceErase", 11},
    {"SequenceInsert", 11},
    {"SequenceLength", 11},
    {"SequenceMap", 17},
    {"SoftmaxCrossEntropyLoss", 12},
    {"SplitToSequence", 11},
    {"StringConcat", 20},
    {"StringNormalizer", 10},
    {"StringSplit", 20},
    {"ThresholdedRelu", 10},
    {"Trilu", 14},
    {"Unique", 11}};

}  // namespace

std::span<const OperatorHistory> operator_histories() {
  static const std::vector<OperatorHistory> table = make_histories();
  return table;
}

const OperatorChange* next_change(std::string_view op_type, std::int64_t version,
                                  std::int64_t target) {
  const auto table = operator_histories();
  const auto at = std::ranges::lower_bound(table, op_type, {}, &OperatorHistory::op_type);
  if (at == table.end() || at->op_type != op_type) return nullptr;
  for (const OperatorChange& change : at->changes) {
    if (change.version > version) return change.version <= target ? &change : nullptr;
  }
  return nullptr;
}

std::int64_t introduced(std::string_view op_type) {
  for (const auto& [name, version] : kIntroduced) {
    if (name == op_type) return version;
  }
  return 0;
}

}  // namespace onnxpress
