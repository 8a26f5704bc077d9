// Layers that join several inputs.
#include <algorithm>

#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

/// Inputs of fewer axes get the missing ones after the batch, so that samples meet samples.
Value withRank(Value x, int rank) {
  if (x.shape().rank() == 0 || x.shape().rank() == rank) return x;
  Shape shape = Shape::filled(rank, 1);
  shape[0] = x.shape()[0];
  for (int i = 1; i < x.shape().rank(); ++i) shape[-i] = x.shape()[-i];
  return reshape(x, {.shape = shape});
}

template <Value (*op)(Value, Value)>
Value merge(LayerContext&, const Fields&, Inputs in) {
  int rank = 0;
  for (Value x : in) rank = std::max(rank, x.shape().rank());
  Value y = withRank(in[0], rank);
  for (Value x : in.values.subspan(1)) y = op(y, withRank(x, rank));
  return y;
}

Value averageLayer(LayerContext& c, const Fields& f, Inputs in) {
  return merge<add>(c, f, in) / static_cast<double>(in.size());
}

constexpr Argument kConcatenate[] = {whole("axis", kAnyInt, -1)};
Value concatenate(LayerContext&, const Fields& f, Inputs in) {
  int32_t axis = f.whole("axis");
  return isAxis(in[0], "axis", axis) ? concat(in.values, {.axis = axis}) : Value{};
}

/// The products of two inputs along one axis of each, batch by batch.
constexpr Argument kDot[] = {wholes("axes", kAnyInt).isNeeded(), flag("normalize", false)};
Value dotLayer(LayerContext&, const Fields& f, Inputs in) {
  Value a = in[0], b = in[1];
  Shape axes = f.wholes("axes");
  if (axes.rank() > 2) {
    a.graph->fail(cat("axes must be one whole number, or one for each input, got ", axes));
    return {};
  }
  int32_t ax = axes[0], bx = axes[-1];
  int ra = a.shape().rank(), rb = b.shape().rank();
  if (!isAxis(a, "axes", ax) || !isAxis(b, "axes", bx)) return {};
  if (ra < 2 || ra > 3 || rb < 2 || rb > 3 || ax < 1 || ax >= ra || bx < 1 || bx >= rb) {
    a.graph->fail(cat("needs inputs of rank 2 or 3 and axes after the batch, got ", a.type(),
                      " and ", b.type()));
    return {};
  }
  if (f.flag("normalize")) {
    auto unit = [](Value x, int axis) {
      Value s = sum(square(x), {.axes = {axis}, .keepDims = true});
      return x * rsqrt(maximum(s, like(s, 1e-12)));
    };
    a = unit(a, ax);
    b = unit(b, bx);
  }
  // As [N, rows, shared] x [N, shared, columns].
  if (ra == 2) a = reshape(a, {.shape = {a.shape()[0], 1, a.shape()[1]}});
  if (rb == 2) b = reshape(b, {.shape = {b.shape()[0], b.shape()[1], 1}});
  Value y = matMul(a, b, {.transposeA = ra == 3 && ax == 1, .transposeB = rb == 3 && bx == 2});
  if (!y) return y;
  Shape shape{y.shape()[0]};
  if (ra == 3) shape.push(y.shape()[1]);
  if (rb == 3) shape.push(y.shape()[2]);
  if (shape.rank() == 1) shape.push(1);
  return reshape(y, {.shape = shape});
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"Add", "add", {}, merge<add>, 0, Masks::kEither},
    {"Subtract", "subtract", {}, merge<sub>, 2, Masks::kEither},
    {"Multiply", "multiply", {}, merge<mul>, 0, Masks::kEither},
    {"Average", "average", {}, averageLayer, 0, Masks::kEither},
    {"Maximum", "maximum", {}, merge<maximum>, 0, Masks::kEither},
    {"Minimum", "minimum", {}, merge<minimum>, 0, Masks::kEither},
    {"Concatenate", "concatenate", kConcatenate, concatenate, 0, Masks::kRefuse},
    {"Dot", "dot", kDot, dotLayer, 2, Masks::kRefuse},
}));

}  // namespace

std::span<const LayerRow> mergeLayers() { return kRows; }

}  // namespace fjord
