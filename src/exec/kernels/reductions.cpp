// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "exec/kernels/axes.h"
#include "exec/kernels/dispatch.h"
#include "exec/kernels/families.h"

namespace onnxpress::exec {
namespace {

// Sums are collected wider than the elements: doubles, or 64-bit integers that wrap around.
template <class W>
using Sum = std::conditional_t<std::is_floating_point_v<W>, double, std::uint64_t>;

// Adds term(i) for all i < count in eight interleaved sums: fast, and always in the same order.
template <class W, class Term>
Sum<W> total(std::int64_t count, const Term& term) {
  std::array<Sum<W>, 8> lanes{};
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) {
      lanes[lane] += static_cast<Sum<W>>(term(i + static_cast<std::int64_t>(lane)));
    }
  }
  for (; i < count; ++i) lanes[0] += static_cast<Sum<W>>(term(i));
  return std::accumulate(lanes.begin(), lanes.end(), Sum<W>{});
}

// Each operator computes one output from `count` elements x(i).
struct SumOf {
  template <class W, class X>
  static W of(const X& x, std::int64_t count) {
    return static_cast<W>(total<W>(count, x));
  }
};
struct MeanOf {
  template <class W, class X>
  static W of(const X& x, std::int64_t count) {
    const auto sum = total<W>(count, x);
    if constexpr (std::is_floating_point_v<W>) {
      return static_cast<W>(sum / static_cast<double>(count));
    } else {
      return count == 0 ? W{0} : static_cast<W>(static_cast<W>(sum) / static_cast<W>(count));
    }
  }
};
struct SumOfSquares {
  template <class W, class X>
  static W of(const X& x, std::int64_t count) {
    return static_cast<W>(total<W>(count, [&](std::int64_t i) {
      const auto value = static_cast<Sum<W>>(x(i));
      return value * value;
    }));
  }
};
struct L1 {
  template <class W, class X>
  static W of(const X& x, std::int64_t count) {
    return static_cast<W>(
        total<W>(count, [&](std::int64_t i) { return x(i) < W{0} ? W{0} - x(i) : x(i); }));
  }
};
struct L2 {
  template <class W, class X>
  static W of(const X& x, std::int64_t count) {
    const double squares = static_cast<double>(total<double>(count, [&](std::int64_t i) {
      const auto value = static_cast<double>(x(i));
      return value * value;
    }));
    return static_cast<W>(std::sqrt(squares));
  }
};
struct LogSum {
  template <class W, class X>
  static W of(const X& x, std::int64_t count) {
    return static_cast<W>(std::log(static_cast<double>(total<W>(count, x))));
  }
};
struct Largest {
  template <class W, class X>
  static W of(const X& x, std::int64_t count) {
    W best = std::numeric_limits<W>::lowest();
    if constexpr (std::is_floating_point_v<W>) best = -std::numeric_limits<W>::infinity();
    for (std::int64_t i = 0; i < count; ++i) best = x(i) > best || x(i) != x(i) ? x(i) : best;
    return best;
  }
};
struct Smallest {
  template <class W, class X>
  static W of(const X& x, std::int64_t count) {
    W best = std::numeric_limits<W>::max();
    if constexpr (std::is_floating_point_v<W>) best = std::numeric_limits<W>::infinity();
    for (std::int64_t i = 0; i < count; ++i) best = x(i) < best || x(i) != x(i) ? x(i) : best;
    return best;
  }
};
struct LogSumExp {
  template <class W, class X>
  static W of(const X& x, std::int64_t count) {
    const double largest = static_cast<double>(Largest::of<W>(x, count));
    if (!std::isfinite(largest)) return static_cast<W>(largest);
    const double sum = total<double>(
        count, [&](std::int64_t i) { return std::exp(static_cast<double>(x(i)) - largest); });
    return static_cast<W>(largest + std::log(sum));
  }
};
struct Product {
  template <class W, class X>
  static W of(const X& x, std::int64_t count) {
    Sum<W> result{1};
    for (std::int64_t i = 0; i < count; ++i) result *= static_cast<Sum<W>>(x(i));
    return static_cast<W>(result);
  }
};

// Which elements make up which output.
struct Reduction {
  Extents out;                      // with or without the reduced dimensions, as keepdims says
  Extents kept, kept_strides;       // the dimensions that stay
  std::int64_t count = 1;           // elements per output
  bool trailing = false;            // they lie side by side
  std::span<std::int64_t> offsets;  // otherwise: where they lie, from the first
};

Reduction reduction(KernelContext& c, const Extents& dims) {
  std::array<bool, Extents::kMaxRank> reduced{};
  const bool noop = c.get_int("noop_with_empty_axes", 0) != 0;
  const Extents list = axes(c, 1, dims.rank());
  if (list.empty() && !noop) reduced.fill(true);
  for (const std::int64_t axis : list) reduced[static_cast<std::size_t>(axis)] = true;
  const bool keep = c.get_int("keepdims", 1) != 0;
  Reduction r;
  Extents strides(dims.size(), 1);
  for (std::size_t d = dims.size(); d-- > 1;) strides[d - 1] = strides[d] * dims[d];
  Extents gone, gone_strides;
  bool seen = false;
  r.trailing = true;
  for (std::size_t d = 0; d < dims.size(); ++d) {
    if (reduced[d]) {
      seen = true;
      r.count *= dims[d];
      gone.push_back(dims[d]);
      gone_strides.push_back(strides[d]);
      if (keep) r.out.push_back(1);
    } else {
      r.trailing = r.trailing && !seen;
      r.kept.push_back(dims[d]);
      r.kept_strides.push_back(strides[d]);
      r.out.push_back(dims[d]);
    }
  }
  if (r.trailing || product(r.out) == 0) return r;
  r.offsets = c.scratch<std::int64_t>(static_cast<std::size_t>(r.count));
  for (std::int64_t i = 0; i < r.count; ++i) {
    std::int64_t rest = i, offset = 0;
    for (std::size_t d = gone.size(); d-- > 0;) {
      offset += rest % gone[d] * gone_strides[d];
      rest /= gone[d];
    }
    r.offsets[static_cast<std::size_t>(i)] = offset;
  }
  return r;
}

template <class Op, class T>
void reduce(KernelContext& c) {
  using W = Wide<T>;
  const TensorView& x = c.input(0);
  const Reduction r = reduction(c, x.dims);
  const T* from = x.as<T>().data();
  T* to = c.output<T>(0, r.out).data();
  const std::int64_t chunk = std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, r.count));
  c.parallel_for(product(r.out), chunk, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t at = begin; at < end; ++at) {
      if (r.trailing) {
        const T* first = from + at * r.count;
        const auto element = [&](std::int64_t i) { return widen(first[i]); };
        to[at] = narrow<T>(Op::template of<W>(element, r.count));
        continue;
      }
      std::int64_t rest = at, offset = 0;
      for (std::size_t d = r.kept.size(); d-- > 0;) {
        offset += rest % r.kept[d] * r.kept_strides[d];
        rest /= r.kept[d];
      }
      const T* first = from + offset;
      const auto element = [&](std::int64_t i) {
        return widen(first[r.offsets[static_cast<std::size_t>(i)]]);
      };
      to[at] = narrow<T>(Op::template of<W>(element, r.count));
    }
  });
}

template <class Op>
void reduce_numbers(KernelContext& c) {
  with_type<float, std::int64_t, std::int32_t, Half, BFloat16, double, std::uint32_t,
            std::uint64_t>(c.input(0).dtype, [&]<class T>() { reduce<Op, T>(c); });
}
template <class Op>
void reduce_extremes(KernelContext& c) {
  with_type<float, std::int64_t, std::int32_t, Half, BFloat16, double, std::uint32_t, std::uint64_t,
            std::int8_t, std::uint8_t, bool>(c.input(0).dtype,
                                             [&]<class T>() { reduce<Op, T>(c); });
}

constexpr TypeSet kReduced =
    kFloats | TypeSet{DType::int32, DType::int64, DType::uint32, DType::uint64};
constexpr TypeSet kExtremes = kReduced | TypeSet{DType::int8, DType::uint8, DType::boolean};

constexpr KernelRow row(std::string_view op_type, void (*run)(KernelContext&),
                        TypeSet types = kReduced) {
  return {.op_type = op_type, .types = types, .run = run, .shape_inputs = 2};
}

constexpr KernelRow kRows[] = {
    row("ReduceSum", reduce_numbers<SumOf>),
    row("ReduceMean", reduce_numbers<MeanOf>),
    row("ReduceSumSquare", reduce_numbers<SumOfSquares>),
    row("ReduceL1", reduce_numbers<L1>),
    row("ReduceL2", reduce_numbers<L2>),
    row("ReduceLogSum", reduce_numbers<LogSum>),
    row("ReduceLogSumExp", reduce_numbers<LogSumExp>),
    row("ReduceProd", reduce_numbers<Product>),
    row("ReduceMax", reduce_extremes<Largest>, kExtremes),
    row("ReduceMin", reduce_extremes<Smallest>, kExtremes),
};

}  // namespace

KernelRows reduction_rows() {
  return kRows;
}

}  // namespace onnxpress::exec
