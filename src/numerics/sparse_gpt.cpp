// SPDX-License-Identifier: Apache-2.0
#include "numerics/sparse_gpt.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "numerics/dense/level.h"

namespace onnxpress {
namespace {

constexpr std::int64_t kPanel = 64;  // outputs that a thread works on at a time

class SparseGptLoop {
 public:
  SparseGptLoop(const Matrix& w, const GptqFactor& factor, const SparsityPattern& pattern,
                const SparseGptOptions& options, ThreadPool& pool)
      : factor_(factor),
        pattern_(pattern),
        pool_(pool),
        block_(pattern.grouped() ? kPanel / pattern.group * pattern.group
                                 : std::max<std::int64_t>(options.block, 1)),
        k_(w.rows),
        left_(w.rows, w.columns),
        mask_(w.values.size()),
        losses_(static_cast<std::size_t>(w.columns)) {
    for (std::int64_t i = 0; i < k_; ++i) std::copy_n(w.row(input(i)), w.columns, left_.row(i));
  }

  SparseGptResult run() {
    for (std::int64_t begin = 0; begin < k_; begin += block_) {
      const std::int64_t end = std::min(k_, begin + block_);
      if (!pattern_.grouped()) choose(begin, end);
      errors_ = Matrix(end - begin, left_.columns);
      pool_.parallel_for(left_.columns, kPanel, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = begin; i < end; ++i) {
          if (pattern_.grouped() && i % pattern_.group == 0) choose_in_group(i, first, last);
          decide(i, begin, end, first, last);
        }
      });
      if (end < k_) spread(begin, end);
    }
    SparseGptResult result;
    result.w = Matrix(k_, left_.columns);
    result.mask.resize(mask_.size());
    for (std::int64_t i = 0; i < k_; ++i) {
      std::copy_n(left_.row(i), left_.columns, result.w.row(input(i)));
      std::copy_n(mask_.begin() + i * left_.columns, left_.columns,
                  result.mask.begin() + input(i) * left_.columns);
    }
    result.loss = std::accumulate(losses_.begin(), losses_.end(), 0.0);
    return result;
  }

 private:
  [[nodiscard]] std::int64_t input(std::int64_t i) const {
    return factor_.order[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] float upper(std::int64_t i, std::int64_t j) const {
    return factor_.upper[static_cast<std::size_t>(i * k_ + j)];
  }
  [[nodiscard]] std::uint8_t& mask(std::int64_t i, std::int64_t output) {
    return mask_[static_cast<std::size_t>(i * left_.columns + output)];
  }
  // What setting the weight to zero costs, once the inputs behind it have made up for it.
  [[nodiscard]] double cost(std::int64_t i, std::int64_t output) const {
    const double error = static_cast<double>(left_(i, output)) / static_cast<double>(upper(i, i));
    return error * error;
  }

  // The least of a block's weights, of all outputs.
  void choose(std::int64_t begin, std::int64_t end) {
    std::vector<std::pair<double, std::int64_t>> costs;
    costs.reserve(static_cast<std::size_t>((end - begin) * left_.columns));
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t o = 0; o < left_.columns; ++o) {
        costs.emplace_back(cost(i, o), i * left_.columns + o);
      }
    }
    const std::int64_t count = std::llround(pattern_.share * static_cast<double>(costs.size()));
    if (count < static_cast<std::int64_t>(costs.size())) {
      std::ranges::nth_element(costs, costs.begin() + count);
    }
    for (std::int64_t c = 0; c < count; ++c) {
      mask_[static_cast<std::size_t>(costs[static_cast<std::size_t>(c)].second)] = 1;
    }
  }

  // The least of the group of inputs that begins at `begin`, of each output.
  void choose_in_group(std::int64_t begin, std::int64_t first, std::int64_t last) {
    const std::int64_t end = std::min(k_, begin + pattern_.group);
    const std::int64_t zeros = (end - begin) * (pattern_.group - pattern_.keep) / pattern_.group;
    std::vector<std::pair<double, std::int64_t>> costs;
    for (std::int64_t o = first; o < last; ++o) {
      costs.clear();
      for (std::int64_t i = begin; i < end; ++i) costs.emplace_back(cost(i, o), i);
      std::ranges::sort(costs);
      for (std::int64_t c = 0; c < zeros; ++c) {
        mask(costs[static_cast<std::size_t>(c)].second, o) = 1;
      }
    }
  }

  // Sets the marked weights of an input to zero and moves the rest of the block.
  void decide(std::int64_t i, std::int64_t begin, std::int64_t end, std::int64_t first,
              std::int64_t last) {
    float* row = left_.row(i);
    float* error = errors_.row(i - begin);
    for (std::int64_t o = first; o < last; ++o) {
      if (mask(i, o) == 0) continue;  // errors are zero from the start
      error[o] = row[o] / upper(i, i);
      row[o] = 0;
      losses_[static_cast<std::size_t>(o)] += static_cast<double>(error[o]) * error[o];
    }
    for (std::int64_t next = i + 1; next < end; ++next) {
      const float factor = upper(i, next);
      float* target = left_.row(next);
      for (std::int64_t o = first; o < last; ++o) target[o] -= factor * error[o];
    }
  }

  // Moves all inputs behind the block.
  void spread(std::int64_t begin, std::int64_t end) {
    const std::int64_t count = end - begin;
    const std::int64_t n = left_.columns;
    pool_.parallel_for(k_ - end, kPanel, [&](std::int64_t first, std::int64_t last) {
      std::vector<float> factors(static_cast<std::size_t>((last - first) * count));
      for (std::int64_t i = first; i < last; ++i) {
        for (std::int64_t j = 0; j < count; ++j) {
          factors[static_cast<std::size_t>((i - first) * count + j)] = upper(begin + j, end + i);
        }
      }
      std::vector<float> moves(static_cast<std::size_t>((last - first) * n));
      dense::level().multiply(factors.data(), errors_.values.data(), moves.data(), last - first,
                              count, n);
      float* target = left_.row(end + first);
      for (std::size_t i = 0; i < moves.size(); ++i) target[i] -= moves[i];
    });
  }

  const GptqFactor& factor_;
  const SparsityPattern pattern_;
  ThreadPool& pool_;
  std::int64_t block_;
  std::int64_t k_;
  Matrix left_;  // in the order of the loop
  Matrix errors_;
  Mask mask_;  // in the order of the loop
  std::vector<double> losses_;
};

// Each weight that is left to the minimum of tr((W-Ŵ)ᵀH(W-Ŵ)), one input after the other.
void sweep(const Matrix& w, const GptqFactor& factor, int sweeps, SparseGptResult& result,
           ThreadPool& pool) {
  const std::int64_t k = w.rows;
  Matrix gram(k, k);
  gram.values = factor.gram;
  Matrix error = w;
  for (std::size_t i = 0; i < error.values.size(); ++i) error.values[i] -= result.w.values[i];
  Matrix pull = product(gram, error, pool);  // H·(W - Ŵ)
  pool.parallel_for(w.columns, kPanel, [&](std::int64_t first, std::int64_t last) {
    std::vector<float> change(static_cast<std::size_t>(last - first));
    for (int round = 0; round < sweeps; ++round) {
      for (std::int64_t i = 0; i < k; ++i) {
        const float diagonal = gram(i, i);
        if (!(diagonal > 0)) continue;
        for (std::int64_t o = first; o < last; ++o) {
          const auto at = static_cast<std::size_t>(i * w.columns + o);
          const float step = result.mask[at] == 0 ? pull.values[at] / diagonal : 0;
          change[static_cast<std::size_t>(o - first)] = step;
          result.w.values[at] += step;
        }
        for (std::int64_t j = 0; j < k; ++j) {
          const float factor_of = gram(j, i);
          float* row = pull.row(j) + first;
          for (std::size_t o = 0; o < change.size(); ++o) row[o] -= factor_of * change[o];
        }
      }
    }
  });
}

}  // namespace

SparseGptResult prune_sparse_gpt(const Matrix& w, const GptqFactor& factor,
                                 const SparsityPattern& pattern, const SparseGptOptions& options,
                                 ThreadPool& pool) {
  SparseGptResult result = SparseGptLoop(w, factor, pattern, options, pool).run();
  if (options.sweeps > 0) sweep(w, factor, options.sweeps, result, pool);
  return result;
}

}  // namespace onnxpress
