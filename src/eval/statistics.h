// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "onnxpress/document.h"

// The few statistics that measured figures come with. Intervals are 95 %.
namespace onnxpress {

// Mean over the values; NaN for none.
[[nodiscard]] double mean(std::span<const double> values);

// The value below which the share `q` of the sorted values lies, interpolated linearly between
// neighbours (numpy's default). NaN for none, and if any value is NaN.
[[nodiscard]] double quantile(std::vector<double> values, double q);

// Wilson's score interval of a share: right also near 0 and 1 and for few samples.
[[nodiscard]] Interval wilson_interval(std::int64_t successes, std::int64_t n);

// Percentile bootstrap: draws `n` of n samples with replacement, 1,000 times with a fixed
// generator, and takes the 2.5 % and 97.5 % quantiles of `statistic` over the draws. `statistic`
// gets how often each sample was drawn. Pairs stay together, since before and after are figures of
// one sample.
[[nodiscard]] Interval bootstrap_interval(
    std::size_t n, std::uint64_t seed,
    const std::function<double(std::span<const std::uint32_t> times_drawn)>& statistic);

// bootstrap_interval of sum(numerators) / sum(denominators).
[[nodiscard]] Interval bootstrap_ratio(std::span<const double> numerators,
                                       std::span<const double> denominators, std::uint64_t seed);

}  // namespace onnxpress
