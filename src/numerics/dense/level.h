// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "numerics/weight_ref.h"

// The hot loops of the numerics, compiled once for each level of instructions. Callers cut the work
// by what is written, so results do not depend on the number of threads.
namespace onnxpress::dense {

// Solvers work on so many outputs at a time: a panel [rows, kPanel], whose unused columns are zero.
inline constexpr std::int64_t kPanel = 64;

// The grids of a panel: scales and zero points, [groups, kPanel] each.
struct PanelGrid {
  float* scales = nullptr;
  float* zeros = nullptr;
  std::int64_t group = 0;  // inputs that share a scale; at least 1
  float lowest = 0;        // codes
  float highest = 0;
  bool symmetric = true;
  bool signed_scales = true;  // of a symmetric grid that has one code more below zero
};

struct Level {
  InstructionSet instruction_set;
  // c [m, n] = a [m, k] · b [k, n]
  void (*multiply)(const float* a, const float* b, float* c, std::int64_t m, std::int64_t k,
                   std::int64_t n);
  // Rows [begin, end) and columns from `first` on of c [k, k] += aᵀ·b; a and b are [rows, k].
  void (*add_products)(const float* a, const float* b, std::int64_t rows, std::int64_t k,
                       std::int64_t begin, std::int64_t end, std::int64_t first, double* c);
  // h = l·lᵀ in place: l is the lower triangle, what is above it is anything. False if h is not
  // positive definite in the arithmetic of doubles.
  bool (*cholesky)(double* h, std::int64_t k, ThreadPool& pool);
  // u: the upper triangular factor with h⁻¹ = uᵀ·u, rows of [k, k]; h is overwritten. False as
  // above.
  bool (*inverse_factor)(double* h, std::int64_t k, float* u, ThreadPool& pool);
  // Solves l·lᵀ·x = b in place of b [k, n], l from cholesky().
  void (*solve_factored)(const double* l, std::int64_t k, double* b, std::int64_t n,
                         ThreadPool& pool);
  // Rows [rows, k] of x rounded to 256 codes: step · (clamp(round(x / scale_j) + zero_j, 0, 255) -
  // zero_j). scale, zero [k].
  void (*round_inputs)(const float* x, const float* scale, const float* zero, float step,
                       std::int64_t rows, std::int64_t k, float* rounded);
  // ‖a - b‖² of `count` floats.
  double (*squared_distance)(const UnalignedFloat* a, const float* b, std::int64_t count);
  // For weights w [count] at any address: the largest magnitude so far, as the bits of a float
  // (whose order is that of the magnitudes; infinity and NaN come out on top), least and largest.
  void (*widen_ranges)(const UnalignedFloat* w, std::int64_t count, std::int32_t* magnitude_bits,
                       float* low, float* high);
  // For weights w [count] at any address: the largest magnitudes so far, and the sums of squares of
  // all others.
  void (*add_energies)(const UnalignedFloat* w, std::int64_t count, double* largest, double* rest);
  // Codes clamp(round(w_i / scale) + zero, 0, top) of w [count] at any address.
  void (*round_block)(const UnalignedFloat* w, std::int64_t count, float scale, std::int32_t zero,
                      std::int32_t top, std::uint8_t* codes);
  // The same with scales and zeros [count].
  void (*round_columns)(const UnalignedFloat* w, std::int64_t count, const float* scales,
                        const std::int32_t* zeros, std::int32_t top, std::uint8_t* codes);
  // Moves the grids of a panel w [k, kPanel] from the full range to the best of `steps` shrunken
  // ones, so that Σ energy_j (w_j - q_j)² is small; energy may be nullptr.
  void (*search_grid)(const float* w, const float* energy, std::int64_t k, int steps,
                      const PanelGrid& grid);
  // codes [k, kPanel] of the nearest points.
  void (*round)(const float* w, std::int64_t k, const PanelGrid& grid, std::uint8_t* codes);
  // GPTQ's loop over a panel w [k, kPanel], which is overwritten. u: see inverse_factor, for the
  // inputs in the order `order`; loss [kPanel]: Σ err².
  void (*gptq)(float* w, const float* u, const std::int32_t* order, std::int64_t k,
               const PanelGrid& grid, std::uint8_t* codes, double* loss);
  // `sweeps` times, group by group: each scale to the minimum of tr(EᵀHE) with all else fixed, then
  // each code. h [k, k].
  void (*refine)(const float* w, const float* h, std::int64_t k, int sweeps, const PanelGrid& grid,
                 std::uint8_t* codes);
};

const Level& baseline_level();
const Level& avx2_level();
const Level& avx512_level();

// The best level of this CPU.
[[nodiscard]] const Level& level();
// The best that is not above `limit`; for tests.
[[nodiscard]] const Level& level(InstructionSet limit);

}  // namespace onnxpress::dense
