// Numbers as a model wants them: rescaled, normalised, in bins, and whole numbers as vectors, or as
// their places in a vocabulary.
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

// ---- numbers

/// An argument as a value: one number for all, or one for each entry of an axis of x.
Value spread(const Fields& f, const char* name, Value x, int32_t axis) {
  std::vector<double> given = f.numbers(name);
  if (given.size() == 1) return constant(*x.graph, given[0]);
  Shape shape = Shape::filled(x.shape().rank(), 1);
  shape[axis] = x.shape()[axis];
  std::vector<float> numbers(given.begin(), given.end());
  if (Result<Tensor> values = Tensor::of(shape, numbers)) return x.graph->array(*values);
  x.graph->fail(cat(name, " must be one number, or one for each of the ", shape[axis],
                    " entries of axis ", axis, ", got ", numbers.size()));
  return {};
}

constexpr Argument kRescaling[] = {oneOrMore("scale", kFinite).isNeeded(),
                                   oneOrMore("offset", kFinite, 0)};
Value rescaling(LayerContext&, const Fields& f, Inputs in) {
  Value x = cast(in[0], DType::kF32);
  int last = x.shape().rank() - 1;
  return x * spread(f, "scale", x, last) + spread(f, "offset", x, last);
}

/// (x - mean) / sqrt(variance), of each entry of the axes; by weights that adapt() sets, if the
/// statistics are not given.
constexpr Argument kNormalization[] = {wholes("axis", kAnyInt, -1), oneOrMore("mean", kFinite),
                                       oneOrMore("variance", kNotNegative), flag("invert", false)};
Value normalization(LayerContext& c, const Fields& f, Inputs in) {
  Value x = cast(in[0], DType::kF32);
  Shape size, whole = Shape::filled(x.shape().rank(), 1), axes = f.wholes("axis");
  for (int32_t& axis : axes) {
    if (!isAxis(x, "axis", axis)) return {};
  }
  std::ranges::sort(axes);
  for (int32_t axis : axes) size.push(whole[axis] = x.shape()[axis]);
  Value mean, variance;
  if (f.has("mean") != f.has("variance")) {
    x.graph->fail("mean and variance are given together, or neither of them");
    return {};
  }
  if (f.has("mean")) {
    mean = spread(f, "mean", x, axes[-1]);
    variance = spread(f, "variance", x, axes[-1]);
  } else {
    mean = reshape(c.weight("mean", size, "zeros", false), {.shape = whole});
    variance = reshape(c.weight("variance", size, "ones", false), {.shape = whole});
    // Keras's files have it.
    c.weight("count", {}, "zeros", false);
  }
  if (!mean || !variance) return {};
  Value deviation = maximum(sqrt(variance), like(variance, 1e-7));
  return f.flag("invert") ? mean + x * deviation : (x - mean) / deviation;
}

// ---- whole numbers as vectors

/// Which of `depth` numbers there are in a sample [N, ..], as `mode` says: "one_hot", a vector for each
/// number; "multi_hot", one that has 1 for those that are there; "count", how often they are. A number
/// that is not from 0 to depth - 1 is none.
Value encoded(Value x, std::string_view mode, int32_t depth) {
  x = cast(x, DType::kI32);
  if (mode == "int") return x;
  if (mode == "one_hot") {
    Shape shape = x.shape();
    if (shape.rank() > 1 && shape[-1] == 1) --shape.count;
    return oneHot(reshape(x, {.shape = shape}), {.depth = depth});
  }
  if (x.shape().rank() != 2) {
    x.graph->fail(cat("output_mode ", mode, " needs an input of rank 2, got ", x.type()));
    return {};
  }
  Value each = oneHot(x, {.depth = depth});
  return mode == "count" ? sum(each, {.axes = {1}}) : max(each, {.axes = {1}});
}

constexpr Argument kCategoryEncoding[] = {whole("num_tokens", kCount).isNeeded(),
                                          choice("output_mode", "multi_hot|one_hot|count")};
Value categoryEncoding(LayerContext&, const Fields& f, Inputs in) {
  return encoded(in[0], f.choice("output_mode"), f.whole("num_tokens"));
}

/// Number i is of values from boundary i - 1 to below boundary i.
constexpr Argument kDiscretization[] = {numbers("bin_boundaries", kFinite).isNeeded(),
                                        only("num_bins", ""), number("epsilon", kPositive, 0.01),
                                        choice("output_mode", "int|one_hot|multi_hot|count")};
Value discretization(LayerContext&, const Fields& f, Inputs in) {
  std::vector<float> boundaries;
  for (double v : f.numbers("bin_boundaries")) boundaries.push_back(static_cast<float>(v));
  int32_t count = static_cast<int32_t>(boundaries.size());
  Value x = cast(in[0], DType::kF32);
  Result<Tensor> values = Tensor::of({count}, boundaries);
  if (!values || count == 0 || !std::ranges::is_sorted(boundaries)) {
    x.graph->fail("bin_boundaries must be at least one number, each at least the one before");
    return {};
  }
  Shape column = x.shape();
  column.push(1);
  Value passed = reshape(x, {.shape = column}) >= x.graph->array(*values);
  Value bin = sum(cast(passed, DType::kI32), {.axes = {-1}});
  return encoded(bin, f.choice("output_mode"), count + 1);
}

// ---- lookup

Status checkWholes(const Json& list) {
  auto isWhole = [](const Json& j) { return j.get<double>() == std::floor(j.get<double>()); };
  if (!list.empty() && std::ranges::all_of(list, isWhole)) return {};
  return fail("must have whole numbers alone, and at least one");
}

/// What stands in a table for each number of x; `others` for those that the table has not. By halves: of 2^n keys in
/// order the last one that is not above x.
Value lookedUp(Value x, const std::map<int32_t, int32_t>& table, Value others) {
  std::vector<int32_t> keys, values;
  for (auto [key, value] : table) {
    keys.push_back(key);
    values.push_back(value);
  }
  auto count = static_cast<int32_t>(std::bit_ceil(keys.size()));
  auto arrayOf = [&](std::vector<int32_t>& list) {
    list.resize(count, list.back());
    Result<Tensor> tensor = Tensor::of({count}, list);
    if (tensor) return x.graph->array(*tensor);
    x.graph->fail(tensor.error().message);
    return Value{};
  };
  Value sorted = arrayOf(keys), at = like(x, 0);
  for (int32_t step = count / 2; step > 0; step /= 2)
    at = where(gather(sorted, at + step) <= x, at + step, at);
  return where(equal(gather(sorted, at), x), gather(arrayOf(values), at), others);
}

constexpr Range kPlaces{1, 1 << 30};
constexpr Argument kIntegerLookup[] = {
    numbers("vocabulary", kAnyInt).isNeeded().checkedBy(checkWholes),
    whole("num_oov_indices", kPlaces, 1),
    whole("mask_token", kAnyInt),
    whole("oov_token", kAnyInt, -1),
    flag("invert", false),
    choice("output_mode", "int|one_hot|multi_hot|count"),
    whole("max_tokens", kCount),
    flag("pad_to_max_tokens", false),
    whole("vocabulary_size", kCount),
    only("vocabulary_dtype", "\"int64\""),
    only("idf_weights", ""),
    only("oov_method", "\"floormod\""),
    only("salt", "")};
/// The place of each number in the vocabulary, which begins after the place of the mask, where there is one and
/// places are the output, and num_oov_indices places of numbers x that it has not: x modulo how many these are.
Value integerLookup(LayerContext&, const Fields& f, Inputs in) {
  Value x = cast(in[0], DType::kI32);
  auto refuse = [&](const std::string& why) {
    x.graph->fail(why);
    return Value{};
  };
  std::vector<double> words = f.numbers("vocabulary");
  std::string_view mode = f.choice("output_mode");
  bool isInverse = f.flag("invert"), isMasked = f.has("mask_token"),
       isPadded = f.flag("pad_to_max_tokens");
  double mask = f.number("mask_token"), other = f.number("oov_token");
  size_t first = isMasked && mode == "int", others = f.whole("num_oov_indices"),
         start = first + others;
  // What stands at the first places may be written down, too.
  bool isWritten = words.size() >= start;
  for (size_t i = 0; isWritten && i < start; ++i)
    isWritten = words[i] == (i < first ? mask : other);
  if (isWritten) words.erase(words.begin(), words.begin() + static_cast<ptrdiff_t>(start));
  auto size = static_cast<int32_t>(start + words.size());
  int32_t most = f.has("max_tokens") ? f.whole("max_tokens") : isPadded ? 0 : size;

  std::map<int32_t, int32_t> table;
  bool isClear = !words.empty();
  for (double word : words)
    isClear &= table.emplace(static_cast<int32_t>(word), static_cast<int32_t>(start++)).second;
  if (isInverse) isClear &= !table.contains(static_cast<int32_t>(other));
  if (isMasked) isClear &= table.emplace(static_cast<int32_t>(mask), mode == "int" ? 0 : -1).second;
  if (!isClear)
    return refuse(
        "vocabulary must have each number once, not mask_token, and with invert not oov_token");
  if (isInverse && mode != "int") return refuse(cat("invert is for output_mode int, got ", mode));
  if (most < size)
    return refuse(cat("max_tokens must be at least the ", size, " places that there are"));
  if (f.has("vocabulary_size") && f.whole("vocabulary_size") != size)
    return refuse(cat("vocabulary_size must be ", size, ", as vocabulary says"));

  if (isInverse) {
    std::map<int32_t, int32_t> words;
    for (auto [word, place] : table) words.emplace(place, word);
    table.swap(words);
  }
  Value rest = isInverse ? like(x, other)
               : others > 1
                   ? mod(x, like(x, static_cast<double>(others))) + static_cast<double>(first)
                   : like(x, static_cast<double>(first));
  return encoded(lookedUp(x, table, rest), mode, isPadded ? most : size);
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Rescaling", "rescaling", kRescaling, rescaling, 1, Masks::kPass},
    {"Normalization", "normalization", kNormalization, normalization, 1, Masks::kPass},
    {"Discretization", "discretization", kDiscretization, discretization},
    {"CategoryEncoding", "categoryEncoding", kCategoryEncoding, categoryEncoding},
    {"IntegerLookup", "integerLookup", kIntegerLookup, integerLookup},
}));

}  // namespace

std::span<const LayerRow> encodingLayers() { return kRows; }

}  // namespace fjord
