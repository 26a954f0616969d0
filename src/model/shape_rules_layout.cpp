// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "base/checked.h"
#include "model/shape_inference.h"

namespace onnxpress {

void ShapeInference::infer_reshape(const Node& node, ValueId out) {
  elements_of(out) = copy(node, 0);
  const Elements* wanted = elements(node, 1);
  if (wanted == nullptr) {
    const SymbolicShape* length = shape(node, 1);  // at least the rank
    if (length != nullptr && length->size() == 1 && (*length)[0].known() &&
        (*length)[0].size <= static_cast<std::int64_t>(kMaxRank)) {
      shape_of(out) = SymbolicShape(static_cast<std::size_t>((*length)[0].size));
      for (SymbolicDim& dim : *shape_of(out)) dim = fresh();
    }
    return;
  }
  const SymbolicShape* in = shape(node, 0);
  const bool zero_copies = node.attributes.get_int("allowzero", 0) == 0;
  SymbolicShape result;
  std::optional<std::size_t> open;
  for (std::size_t i = 0; i < wanted->size(); ++i) {
    SymbolicDim dim = (*wanted)[i];
    if (dim == known(0) && zero_copies) {
      dim = in != nullptr && i < in->size() ? (*in)[i] : fresh();
    } else if (dim.known() && dim.size < 0) {
      open = i;
    }
    result.push_back(dim);
  }
  if (open) result[*open] = in == nullptr ? fresh() : remaining(*in, result, *open);
  shape_of(out) = std::move(result);
}

SymbolicDim ShapeInference::remaining(const SymbolicShape& in, const SymbolicShape& out,
                                      std::size_t open) {
  Ints symbols;
  std::int64_t numerator = 1;
  std::int64_t denominator = 1;
  for (const SymbolicDim& dim : in) {
    if (!dim.known()) {
      symbols.push_back(dim.symbol);
      continue;
    }
    const auto next = checked_mul(numerator, dim.size);
    if (!next) return fresh();
    numerator = *next;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i == open) continue;
    if (out[i].known()) {
      const auto next = checked_mul(denominator, out[i].size);
      if (!next) return fresh();
      denominator = *next;
      continue;
    }
    const auto at = std::find(symbols.begin(), symbols.end(), out[i].symbol);
    if (at == symbols.end()) return fresh();
    symbols.erase(at);
  }
  if (denominator <= 0 || numerator % denominator != 0) return fresh();
  const std::int64_t quotient = numerator / denominator;
  if (symbols.empty()) return known(quotient);
  if (symbols.size() == 1 && quotient == 1) {
    return {0, static_cast<std::int32_t>(symbols.front())};
  }
  return fresh();
}

void ShapeInference::infer_transpose(const Node& node, ValueId out) {
  const SymbolicShape* in = shape(node, 0);
  if (in == nullptr) return;
  Ints perm = node.attributes.get_ints("perm");
  SymbolicShape result(in->rbegin(), in->rend());
  if (!perm.empty()) {
    if (perm.size() != in->size()) return;
    for (std::size_t i = 0; i < perm.size(); ++i) {
      const auto axis = axis_of(perm[i], in->size());
      if (!axis) return;
      result[i] = (*in)[*axis];
    }
  }
  shape_of(out) = std::move(result);
}

void ShapeInference::infer_concat(const Node& node, ValueId out) {
  const SymbolicShape* first = shape(node, 0);
  if (first == nullptr) return;
  const auto axis = axis_of(node.attributes.get_int("axis", 0), first->size());
  if (!axis) return;
  SymbolicShape result = *first;
  std::optional<Elements> joined = Elements{};
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const SymbolicShape* in = shape(node, i);
    if (in == nullptr || in->size() != result.size()) return;
    if (i > 0) {
      const SymbolicDim& a = result[*axis];
      const SymbolicDim& b = (*in)[*axis];
      const auto sum = a.known() && b.known() ? checked_add(a.size, b.size) : std::nullopt;
      result[*axis] = sum ? known(*sum) : fresh();
    }
    const Elements* part = elements(node, i);
    // Unknown elements of known number keep the places of the others.
    if (part != nullptr && joined) {
      joined->insert(joined->end(), part->begin(), part->end());
    } else if (joined && in->size() == 1 && (*in)[0].known() && (*in)[0].size >= 0 &&
               (*in)[0].size <= static_cast<std::int64_t>(kMaxElements)) {
      for (std::int64_t k = 0; k < (*in)[0].size; ++k) joined->push_back(fresh());
    } else {
      joined.reset();
    }
  }
  if (joined && result.size() == 1 && joined->size() <= kMaxElements) {
    elements_of(out) = std::move(joined);
  }
  shape_of(out) = std::move(result);
}

void ShapeInference::infer_gather(const Node& node, ValueId out) {
  const SymbolicShape* in = shape(node, 0);
  const SymbolicShape* indices = shape(node, 1);
  if (in == nullptr || indices == nullptr) return;
  const auto axis = axis_of(node.attributes.get_int("axis", 0), in->size());
  if (!axis || in->size() + indices->size() > kMaxRank) return;
  SymbolicShape result(in->begin(), in->begin() + static_cast<std::ptrdiff_t>(*axis));
  result.insert(result.end(), indices->begin(), indices->end());
  result.insert(result.end(), in->begin() + static_cast<std::ptrdiff_t>(*axis) + 1, in->end());
  shape_of(out) = std::move(result);
  const Elements* from = elements(node, 0);
  const auto at = ints(node, 1);
  if (from == nullptr || !at || in->size() != 1) return;
  Elements picked;
  for (const std::int64_t index : *at) {
    const auto i = axis_of(index, from->size());
    if (!i) return;
    picked.push_back((*from)[*i]);
  }
  elements_of(out) = std::move(picked);
}

std::int64_t ShapeInference::clamp_index(std::int64_t index, std::int64_t size) {
  if (index < 0) index = index < -size ? 0 : index + size;
  return std::clamp<std::int64_t>(index, 0, size);
}

SymbolicDim ShapeInference::span(const SymbolicDim& whole, const SymbolicDim& start,
                                 const SymbolicDim& end) {
  if (start.known() && end.known() && whole.known()) {
    const std::int64_t from = clamp_index(start.size, whole.size);
    return known(std::max<std::int64_t>(0, clamp_index(end.size, whole.size) - from));
  }
  const bool to_end = end.known() && end.size >= std::numeric_limits<std::int32_t>::max();
  if (start == known(0) && (to_end || end == whole)) return whole;
  if (start == known(0) && !end.known()) return end;
  return fresh();
}

void ShapeInference::infer_slice(const Node& node, ValueId out) {
  const SymbolicShape* in = shape(node, 0);
  if (in == nullptr) return;
  SymbolicShape result = *in;
  std::optional<Elements> kept = copy(node, 0);
  const bool by_attribute = node.inputs.size() == 1;
  const auto read = [&](std::size_t input, std::string_view attribute) -> std::optional<Elements> {
    if (!by_attribute) return copy(node, input);
    Elements values;
    for (const std::int64_t v : node.attributes.get_ints(attribute)) values.push_back(known(v));
    return values;
  };
  const auto starts = read(1, "starts");
  const auto ends = read(2, "ends");
  const auto axes = read(3, "axes");
  const auto steps = by_attribute ? std::nullopt : copy(node, 4);
  const bool axes_given = by_attribute ? !axes->empty() : node.input(3) != kNoValue;
  if (axes_given && !axes) return;
  const std::size_t count = axes_given ? axes->size() : (starts ? starts->size() : in->size());
  for (std::size_t i = 0; i < count; ++i) {
    const SymbolicDim which = axes_given ? (*axes)[i] : known(static_cast<std::int64_t>(i));
    if (!which.known()) return;
    const auto axis = axis_of(which.size, in->size());
    if (!axis) return;
    const bool stepped = steps ? i >= steps->size() || (*steps)[i] != known(1)
                               : !by_attribute && node.input(4) != kNoValue;
    const bool bounded = starts && ends && i < starts->size() && i < ends->size() && !stepped;
    const SymbolicDim whole = (*in)[*axis];
    result[*axis] = bounded ? span(whole, (*starts)[i], (*ends)[i]) : fresh();
    if (kept && bounded && (*starts)[i].known() && (*ends)[i].known()) {
      const auto size = static_cast<std::int64_t>(kept->size());
      const std::int64_t from = clamp_index((*starts)[i].size, size);
      const std::int64_t to = std::max(from, clamp_index((*ends)[i].size, size));
      *kept = Elements(kept->begin() + from, kept->begin() + to);
    } else {
      kept.reset();
    }
  }
  elements_of(out) = std::move(kept);
  shape_of(out) = std::move(result);
}

void ShapeInference::infer_split(const Node& node) {
  const SymbolicShape* in = shape(node, 0);
  if (in == nullptr) return;
  const auto axis = axis_of(node.attributes.get_int("axis", 0), in->size());
  if (!axis) return;
  auto sizes = ints(node, 1);
  if (!sizes && node.attributes.has("split")) sizes = node.attributes.get_ints("split");
  const SymbolicShape whole = *in;
  const auto parts = static_cast<std::int64_t>(node.outputs.size());
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == kNoValue) continue;
    SymbolicShape part = whole;
    if (sizes) {
      part[*axis] = i < sizes->size() ? known((*sizes)[i]) : fresh();
    } else if (whole[*axis].known() && whole[*axis].size % parts == 0) {
      part[*axis] = known(whole[*axis].size / parts);
    } else {
      part[*axis] = fresh();
    }
    shape_of(node.outputs[i]) = std::move(part);
  }
}

void ShapeInference::infer_squeeze(const Node& node, ValueId out) {
  elements_of(out) = copy(node, 0);
  const SymbolicShape* in = shape(node, 0);
  if (in == nullptr) return;
  auto axes = ints(node, 1);
  if (!axes && node.attributes.has("axes")) axes = node.attributes.get_ints("axes");
  const bool adds = node.is("Unsqueeze");
  if (!axes && (adds || node.input(1) != kNoValue)) return;
  if (adds && in->size() + axes->size() > kMaxRank) return;
  std::vector<bool> marked(in->size() + (adds ? axes->size() : 0));
  if (axes) {
    for (const std::int64_t a : *axes) {
      const auto axis = axis_of(a, marked.size());
      if (!axis) return;
      marked[*axis] = true;
    }
  } else {
    for (std::size_t i = 0; i < in->size(); ++i) marked[i] = (*in)[i] == known(1);
  }
  SymbolicShape result;
  std::size_t next = 0;
  for (const bool mark : marked) {
    if (adds) {
      if (!mark && next >= in->size()) return;
      result.push_back(mark ? known(1) : (*in)[next++]);
    } else {
      if (!mark) result.push_back((*in)[next]);
      ++next;
    }
  }
  shape_of(out) = std::move(result);
}

void ShapeInference::infer_expand(const Node& node, ValueId out) {
  const SymbolicShape* in = shape(node, 0);
  const Elements* wanted = elements(node, 1);
  if (in == nullptr || wanted == nullptr || wanted->size() > kMaxRank) return;
  shape_of(out) = broadcast(in, wanted);
}

void ShapeInference::infer_flatten(const Node& node, ValueId out) {
  const SymbolicShape* in = shape(node, 0);
  if (in == nullptr) return;
  const std::int64_t given = node.attributes.get_int("axis", 1);
  const auto rank = static_cast<std::int64_t>(in->size());
  const std::int64_t axis = given < 0 ? given + rank : given;
  if (axis < 0 || axis > rank) return;
  SymbolicShape result = {known(1), known(1)};
  for (std::int64_t i = 0; i < rank; ++i) {
    SymbolicDim& side = result[i < axis ? 0 : 1];
    side = product(side, (*in)[static_cast<std::size_t>(i)]);
  }
  shape_of(out) = std::move(result);
}

}  // namespace onnxpress
