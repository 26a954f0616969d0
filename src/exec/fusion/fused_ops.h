// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

// The operators of kFusedDomain: what fusion writes and the fast kernels compute. All of them take
// float32 unless said otherwise.
namespace onnxpress::exec::fused {

// y = activation(x × w + bias) + residual. Inputs: x [..., k]; w, a constant [k, n], or [n, k] with
// `transposed` = 1; bias [n] or left out; residual, which broadcasts with the product, or left out.
// Attributes: activation (name of a patterns::ActivationKind; absent: none), transposed.
inline constexpr std::string_view kProduct = "Product";

// y = activation(float(codes × w) · scale · w_scale + bias) + residual. Inputs: codes u8 [..., k],
// scale (f32 scalar), zero point (u8 scalar), w s8 constant [k, n], w_scale constant (scalar or
// [n]), bias, residual. Attributes: activation.
inline constexpr std::string_view kIntegerProduct = "IntegerProduct";

// y = activation(x), element by element. Attributes: activation.
inline constexpr std::string_view kActivation = "Activation";

// y = norm(x + residual) over the last axis. Inputs: x, residual (broadcasts) or left out, gain
// [width], shift [width] or left out. Attributes: kind ("layer" or "rms"), epsilon.
inline constexpr std::string_view kNorm = "Norm";

// y = softmax(scale · q × kᵀ + mask) × v. Inputs of rank 4: q, k, v, each [batch, heads, rows,
// depth], or [batch, rows, heads, depth] where the attribute q_rows_first, k_rows_first or
// v_rows_first is 1; likewise the output with out_rows_first. mask broadcasts to [batch, heads,
// queries, keys] or is left out. Fewer heads of k and v than of q serve several heads each.
// Attributes: scale and these.
inline constexpr std::string_view kAttention = "Attention";

// y[i] = (codes[indices[i]] - zero_point[indices[i]]) · scale[indices[i]]: rows of a table that is
// kept in 8 bits. Inputs: codes (s8 or u8 constant [rows, width]), scale (constant [rows], or
// [rows, 1], or scalar), zero point (of the type of codes and the sizes of scale, or left out),
// indices (int32 or int64).
inline constexpr std::string_view kGatherDequantized = "GatherDequantized";

}  // namespace onnxpress::exec::fused
