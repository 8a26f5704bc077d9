// Numbers as a model wants them: rescaled, normalised, in bins, and whole numbers as vectors.
#include <algorithm>

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

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Rescaling", "rescaling", kRescaling, rescaling, 1, Masks::kPass},
    {"Normalization", "normalization", kNormalization, normalization, 1, Masks::kPass},
    {"Discretization", "discretization", kDiscretization, discretization},
    {"CategoryEncoding", "categoryEncoding", kCategoryEncoding, categoryEncoding},
}));

}  // namespace

std::span<const LayerRow> encodingLayers() { return kRows; }

}  // namespace fjord
