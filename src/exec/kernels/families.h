// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "exec/kernel_table.h"

// The reference kernels: one function per operator, one source file per family.
namespace onnxpress::exec {

[[nodiscard]] KernelRows arithmetic_rows();  // Add, Mul, Pow, Min, Sum, …
[[nodiscard]] KernelRows comparison_rows();  // Equal, Less, And, Where, …
[[nodiscard]] KernelRows unary_rows();       // Neg, Sqrt, Erf, Floor, …
inline constexpr std::string_view kContribDomain = "com.microsoft";

[[nodiscard]] KernelRows activation_rows();       // Relu, Gelu, Clip, …
[[nodiscard]] KernelRows cast_rows();             // Cast, CastLike
[[nodiscard]] KernelRows reduction_rows();        // ReduceMean, ReduceL2, …
[[nodiscard]] KernelRows arg_reduction_rows();    // ArgMax, ArgMin
[[nodiscard]] KernelRows shape_rows();            // Shape, Reshape, Squeeze, Identity, …
[[nodiscard]] KernelRows movement_rows();         // Transpose, Slice, Expand, Tile, Pad
[[nodiscard]] KernelRows concat_rows();           // Concat, Split
[[nodiscard]] KernelRows gather_rows();           // Gather, GatherElements, GatherND
[[nodiscard]] KernelRows scatter_rows();          // ScatterElements, ScatterND
[[nodiscard]] KernelRows generator_rows();        // Range, ConstantOfShape, OneHot, Trilu, …
[[nodiscard]] KernelRows matmul_rows();           // MatMul, Gemm
[[nodiscard]] KernelRows integer_matmul_rows();   // MatMulInteger, QLinearMatMul
[[nodiscard]] KernelRows block_quantized_rows();  // MatMulNBits, GatherBlockQuantized
[[nodiscard]] KernelRows softmax_rows();          // Softmax, LogSoftmax
[[nodiscard]] KernelRows normalization_rows();    // LayerNormalization, RMSNormalization, …
[[nodiscard]] KernelRows quantization_rows();     // QuantizeLinear, DequantizeLinear, …
[[nodiscard]] KernelRows convolution_rows();      // Conv
[[nodiscard]] KernelRows pooling_rows();          // MaxPool, AveragePool, …
[[nodiscard]] KernelRows sorting_rows();          // TopK, NonZero, CumSum

}  // namespace onnxpress::exec
