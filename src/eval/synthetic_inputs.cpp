// SPDX-License-Identifier: Apache-2.0
#include "eval/synthetic_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "base/error_codes.h"

namespace onnxpress {
namespace {

Dims sized(const InputSpec& input, const InputSizes& sizes) {
  Dims dims;
  for (std::size_t i = 0; i < input.shape.size(); ++i) {
    const Dim& dim = input.shape[i];
    if (dim.known()) {
      dims.push_back(dim.size);
    } else if (dim.symbol.find("past") != std::string::npos) {
      dims.push_back(0);
    } else {
      dims.push_back(i == 0 ? sizes.batch : sizes.sequence);
    }
  }
  return dims;
}

bool is_sequence(const InputSpec& input) {
  return is_integer(input.dtype) && input.shape.size() == 2;
}

template <class T>
Tensor integers(const Dims& dims, std::int64_t count, std::int64_t rows, std::mt19937_64& random) {
  std::vector<T> values(static_cast<std::size_t>(count), T{1});
  for (T& value : values) {
    if (rows > 0) value = static_cast<T>(random() % static_cast<std::uint64_t>(rows));
  }
  return Tensor::of<T>(dims, std::move(values));
}

Tensor bytes_of_ones(DType type, const Dims& dims, std::int64_t count) {
  return Tensor::from_bytes(type, dims,
                            std::vector<std::byte>(static_cast<std::size_t>(count), std::byte{1}));
}

}  // namespace

InputSizes fitting_sizes(std::span<const InputSpec> inputs, InputSizes wanted) {
  bool has_sequence = false;
  for (const InputSpec& input : inputs) {
    if (input.shape.empty()) continue;
    if (input.shape[0].known()) wanted.batch = input.shape[0].size;
    if (!is_sequence(input)) continue;
    has_sequence = true;
    if (input.shape[1].known()) wanted.sequence = input.shape[1].size;
  }
  if (!has_sequence) {
    const bool open = std::ranges::any_of(inputs, [](const InputSpec& input) {
      return !input.shape.empty() && std::any_of(input.shape.begin() + 1, input.shape.end(),
                                                 [](const Dim& dim) { return !dim.known(); });
    });
    if (!open) wanted.sequence = 0;
  }
  return wanted;
}

TensorMap synthetic_inputs(std::span<const InputSpec> inputs,
                           std::span<const LookedUpInput> looked_up, const InputSizes& sizes) {
  std::mt19937_64 random(1);
  TensorMap made;
  for (const InputSpec& input : inputs) {
    const Dims dims = sized(input, sizes);
    const std::optional<std::int64_t> count = element_count(dims);
    constexpr std::int64_t kMostElements = std::int64_t{1} << 31;
    if (!count || *count > kMostElements) {
      throw Error(codes::over_budget,
                  fmt::format("input \"{}\" of shape {} is too large to make up", input.name,
                              to_string(dims)),
                  "give smaller sizes with --batch and --sequence");
    }
    const auto table = std::ranges::find(looked_up, input.name, &LookedUpInput::input);
    const std::int64_t rows = table == looked_up.end() ? 0 : table->rows;
    const auto uniform = [&] { return static_cast<float>(random() >> 40U) / 8388608.0F - 1; };
    std::vector<float> floats;
    if (is_float(input.dtype)) {
      floats.resize(static_cast<std::size_t>(*count));
      std::ranges::generate(floats, uniform);
    }
    switch (input.dtype) {
      case DType::int64:
        made[input.name] = integers<std::int64_t>(dims, *count, rows, random);
        break;
      case DType::int32:
        made[input.name] = integers<std::int32_t>(dims, *count, rows, random);
        break;
      case DType::float32:
        made[input.name] = Tensor::of<float>(dims, std::move(floats));
        break;
      case DType::float64:
        made[input.name] =
            Tensor::of<double>(dims, std::vector<double>(floats.begin(), floats.end()));
        break;
      case DType::float16: {
        std::vector<Half> halves(floats.size());
        std::ranges::transform(floats, halves.begin(),
                               [](float x) { return Half{float_to_half(x)}; });
        made[input.name] = Tensor::of<Half>(dims, std::move(halves));
        break;
      }
      case DType::boolean:
      case DType::uint8:
      case DType::int8:
        made[input.name] = bytes_of_ones(input.dtype, dims, *count);
        break;
      default:
        throw Error(
            codes::unsupported_type,
            fmt::format("input \"{}\" of type {} can't be made up", input.name, name(input.dtype)),
            "give the inputs with --data");
    }
  }
  return made;
}

}  // namespace onnxpress
