// SPDX-License-Identifier: Apache-2.0
#include "exec/fast/products.h"

#include <algorithm>
#include <functional>

namespace onnxpress::exec::fast {
namespace {

// Rows of a block: a multiple of every level's tile, and as many as the second-level cache holds.
std::int64_t row_block(std::int64_t k) {
  constexpr std::int64_t kTiles = 96;
  return std::clamp(131072 / std::max<std::int64_t>(1, k) / kTiles, std::int64_t{1},
                    std::int64_t{4}) *
         kTiles;
}
// Multiply-adds below which other threads are not worth waking.
constexpr std::int64_t kSerialWork = 200'000;

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// Calls body(first row, rows, first panel, last panel) for blocks that cover the product.
template <class Body>
void by_blocks(ThreadPool& pool, std::int64_t rows, std::int64_t block, std::int64_t panels,
               std::int64_t work, const Body& body) {
  if (rows == 0 || panels == 0) return;
  const std::int64_t row_blocks = divide_up(rows, block);
  const std::int64_t wanted =
      pool.threads() == 1 || work < kSerialWork ? 1 : std::int64_t{4} * pool.threads();
  const std::int64_t panel_blocks =
      std::clamp(divide_up(wanted, row_blocks), std::int64_t{1}, panels);
  const std::int64_t panels_each = divide_up(panels, panel_blocks);
  const std::int64_t blocks = divide_up(panels, panels_each);
  const auto some = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t task = begin; task < end; ++task) {
      const std::int64_t row = task / blocks * block;
      const std::int64_t panel = task % blocks * panels_each;
      body(row, std::min(block, rows - row), panel, std::min(panel + panels_each, panels));
    }
  };
  const std::int64_t tasks = row_blocks * blocks;
  pool.parallel_for(tasks, wanted == 1 ? tasks : 1, std::cref(some));
}

template <class T>
T* offset(T* pointer, std::int64_t by) {
  return pointer == nullptr ? nullptr : pointer + by;
}

}  // namespace

void multiply(const Level& level, ThreadPool& pool, const FloatProduct& p) {
  const std::int64_t panels = divide_up(p.n, level.float_panel);
  by_blocks(pool, p.rows, row_block(p.k), panels, p.rows * p.n * p.k,
            [&](std::int64_t row, std::int64_t rows, std::int64_t begin, std::int64_t end) {
              FloatProduct block = p;
              block.a = offset(p.a, row * p.a_stride);
              block.residual = offset(p.residual, row * p.residual_stride);
              block.c = offset(p.c, row * p.c_stride);
              block.rows = rows;
              level.float_product(block, begin, end);
            });
}

std::size_t integer_scratch(const Level& level, std::int64_t rows, std::int64_t k) {
  const std::int64_t bytes = level.arranged_bytes(k);
  return bytes == k ? 0 : static_cast<std::size_t>(rows * bytes);
}

void multiply(const Level& level, ThreadPool& pool, IntegerProduct p, void* scratch) {
  p.row_bytes = level.arranged_bytes(p.k);
  const std::int64_t work = p.rows * p.n * p.k / 4;
  if (p.row_bytes != p.k) {
    const auto* plain = static_cast<const std::uint8_t*>(p.a);
    auto* arranged = static_cast<std::byte*>(scratch);
    const auto some = [&](std::int64_t begin, std::int64_t end) {
      level.arrange(plain + begin * p.k, end - begin, p.k, arranged + begin * p.row_bytes);
    };
    pool.parallel_for(p.rows, work < kSerialWork ? p.rows : 32, std::cref(some));
    p.a = arranged;
  }
  const std::int64_t panels = divide_up(p.n, level.integer_panel);
  by_blocks(pool, p.rows, row_block(p.k / 4), panels, work,
            [&](std::int64_t row, std::int64_t rows, std::int64_t begin, std::int64_t end) {
              IntegerProduct block = p;
              block.a = offset(static_cast<const std::byte*>(p.a), row * p.row_bytes);
              block.residual = offset(p.residual, row * p.residual_stride);
              block.c = offset(p.c, row * p.c_stride);
              block.integers = offset(p.integers, row * p.c_stride);
              block.rows = rows;
              level.integer_product(block, begin, end);
            });
}

namespace {

// Each chunk of heads has scratch memory of its own.
std::int64_t heads_per_chunk(const ThreadPool& pool, const AttentionProblem& p) {
  const std::int64_t heads = p.batch * p.heads;
  return std::max<std::int64_t>(1, divide_up(heads, std::int64_t{4} * pool.threads()));
}

}  // namespace

std::size_t attention_scratch_floats(const Level& level, const ThreadPool& pool,
                                     const AttentionProblem& p) {
  const std::int64_t chunks = divide_up(p.batch * p.heads, heads_per_chunk(pool, p));
  return static_cast<std::size_t>(chunks * level.attention_scratch(p.keys, p.depth, p.value_depth));
}

void attend(const Level& level, ThreadPool& pool, const AttentionProblem& p, float* scratch) {
  if (p.heads == 0) return;
  const std::int64_t chunk = heads_per_chunk(pool, p);
  const std::int64_t floats = level.attention_scratch(p.keys, p.depth, p.value_depth);
  const auto some = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t batch = i / p.heads;
      const std::int64_t head = i % p.heads;
      const std::int64_t key_head = head / (p.heads / p.key_heads);
      const auto at = [&](const AttentionOperand& x, std::int64_t of_head) {
        return x.data + batch * x.strides.batch + of_head * x.strides.head;
      };
      Attention one;
      one.q = at(p.q, head);
      one.k = at(p.k, key_head);
      one.v = at(p.v, key_head);
      one.mask = offset(p.mask.data, batch * p.mask.batch + head * p.mask.head);
      one.out = p.out + batch * p.out_strides.batch + head * p.out_strides.head;
      one.q_stride = p.q.strides.row;
      one.k_stride = p.k.strides.row;
      one.v_stride = p.v.strides.row;
      one.out_stride = p.out_strides.row;
      one.mask_query_stride = p.mask.query;
      one.mask_key_stride = p.mask.key;
      one.queries = p.queries;
      one.keys = p.keys;
      one.depth = p.depth;
      one.value_depth = p.value_depth;
      one.scale = p.scale;
      one.scratch = scratch + begin / chunk * floats;
      level.attention(one);
    }
  };
  pool.parallel_for(p.batch * p.heads, chunk, std::cref(some));
}

}  // namespace onnxpress::exec::fast
