// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "base/error_codes.h"
#include "exec/fast/fast_kernels.h"
#include "exec/fast/products.h"
#include "exec/fusion/fused_ops.h"

namespace onnxpress::exec::fast {
namespace {

struct AttentionState final : KernelState {
  bool q_rows_first = false, k_rows_first = false, v_rows_first = false, out_rows_first = false;
  float scale = 1;
};

std::unique_ptr<KernelState> prepare(const NodeInfo& info) {
  const Attributes& a = info.node.attributes;
  auto state = std::make_unique<AttentionState>();
  state->q_rows_first = a.get_int("q_rows_first", 0) != 0;
  state->k_rows_first = a.get_int("k_rows_first", 0) != 0;
  state->v_rows_first = a.get_int("v_rows_first", 0) != 0;
  state->out_rows_first = a.get_int("out_rows_first", 0) != 0;
  state->scale = a.get_float("scale", 1);
  return state;
}

struct Sizes {
  std::int64_t batch = 0, heads = 0, rows = 0, depth = 0;
};

// Of a tensor with fewer dimensions the first ones are 1, as in a broadcasting MatMul.
Sizes sizes_of(const TensorView& x, bool rows_first) {
  if (x.rank() > 4 || x.rank() < (rows_first ? 4 : 2)) {
    throw Error(codes::shape_mismatch,
                fmt::format("attention takes tensors of rank 4, not {}", to_string(x.dims)));
  }
  Extents dims(static_cast<std::size_t>(4 - x.rank()), 1);
  dims.append(x.dims.span());
  return {dims[0], dims[rows_first ? 2 : 1], dims[rows_first ? 1 : 2], dims[3]};
}

RowStrides strides_of(const Sizes& s, bool rows_first) {
  const std::int64_t batch = s.batch == 1 ? 0 : s.heads * s.rows * s.depth;
  if (rows_first) return {batch, s.depth, s.heads * s.depth};
  return {batch, s.rows * s.depth, s.depth};
}

// The number of batch entries; operands with one serve all of them.
std::int64_t common_batch(std::initializer_list<std::int64_t> batches) {
  std::int64_t common = 1;
  for (const std::int64_t batch : batches) {
    if (common == 1) common = batch;
    if (batch != 1 && batch != common) {
      throw Error(codes::shape_mismatch,
                  fmt::format("attention of {} and {} batch entries", common, batch));
    }
  }
  return common;
}

AttentionMask mask_of(const TensorView& x, const std::array<std::int64_t, 4>& sizes) {
  AttentionMask mask;
  mask.data = x.as<float>().data();
  const std::array<std::int64_t*, 4> strides{&mask.batch, &mask.head, &mask.query, &mask.key};
  std::int64_t step = 1;
  for (std::size_t i = 0; i < x.dims.size(); ++i) {
    const std::int64_t size = x.dims[x.dims.size() - 1 - i];
    if (i >= 4 ? size != 1 : size != 1 && size != sizes[3 - i]) {
      throw Error(codes::shape_mismatch, fmt::format("a mask of sizes {} for scores of [{}]",
                                                     to_string(x.dims), fmt::join(sizes, ", ")));
    }
    if (i < 4 && size != 1) *strides[3 - i] = step;
    step *= size;
  }
  return mask;
}

void run(KernelContext& c) {
  const auto& state = c.state<AttentionState>();
  const Sizes q = sizes_of(c.input(0), state.q_rows_first);
  const Sizes k = sizes_of(c.input(1), state.k_rows_first);
  const Sizes v = sizes_of(c.input(2), state.v_rows_first);
  if (q.depth != k.depth || k.rows != v.rows || k.heads != v.heads ||
      (k.heads == 0 ? q.heads != 0 : q.heads % k.heads != 0)) {
    throw Error(codes::shape_mismatch,
                fmt::format("queries {}, keys {} and values {} do not fit together",
                            to_string(c.input(0).dims), to_string(c.input(1).dims),
                            to_string(c.input(2).dims)));
  }
  AttentionProblem p;
  const TensorView* mask = c.has_input(3) ? &c.input(3) : nullptr;
  p.batch = common_batch(
      {q.batch, k.batch, v.batch, mask != nullptr && mask->rank() == 4 ? mask->dims[0] : 1});
  p.heads = q.heads;
  p.key_heads = k.heads;
  p.queries = q.rows;
  p.keys = k.rows;
  p.depth = q.depth;
  p.value_depth = v.depth;
  p.scale = state.scale;
  p.q = {c.input(0).as<float>().data(), strides_of(q, state.q_rows_first)};
  p.k = {c.input(1).as<float>().data(), strides_of(k, state.k_rows_first)};
  p.v = {c.input(2).as<float>().data(), strides_of(v, state.v_rows_first)};
  if (mask != nullptr) p.mask = mask_of(*mask, {p.batch, p.heads, p.queries, p.keys});
  const Level& best = level(c.instruction_set());
  const auto scratch = c.scratch<float>(attention_scratch_floats(best, c.pool(), p));
  const Sizes out{p.batch, q.heads, q.rows, v.depth};
  const Extents dims = state.out_rows_first ? Extents{out.batch, out.rows, out.heads, out.depth}
                                            : Extents{out.batch, out.heads, out.rows, out.depth};
  const auto y = c.output<float>(0, dims);
  p.out = y.data();
  p.out_strides = strides_of(out, state.out_rows_first);
  if (p.keys == 0) {  // a sum of nothing
    std::fill(y.begin(), y.end(), 0.0F);
    return;
  }
  attend(best, c.pool(), p, scratch.data());
}

constexpr std::array kRows{KernelRow{.op_type = fused::kAttention,
                                     .types = kFloat32,
                                     .run = run,
                                     .prepare = prepare,
                                     .domain = kFusedDomain}};

}  // namespace

KernelRows attention_rows() {
  return kRows;
}

}  // namespace onnxpress::exec::fast
