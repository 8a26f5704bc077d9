// A dense layer over any axes, which an equation names.
#include <algorithm>
#include <optional>
#include <string>

#include "nn/layer_parts.h"

namespace fjord {

using namespace arguments;
using namespace layer_parts;

namespace {

/// The terms of "abc,cd->abd", a character an axis; those of an ellipsis are '0', '1', ..
struct Terms {
  std::string x, kernel, y;
  int open = 0;         // axes of the ellipsis,
  bool isLeft = false;  // which stands before the others
};

/// Nothing where the equation is of another form, or for inputs of another rank.
std::optional<Terms> termsOf(std::string_view equation, int rank) {
  constexpr std::string_view kEllipsis = "...";
  size_t comma = equation.find(','), arrow = equation.find("->");
  if (comma == equation.npos || arrow == equation.npos || arrow < comma ||
      equation.size() > ShortText::kMost)
    return {};
  Terms t{std::string(equation.substr(0, comma)),
          std::string(equation.substr(comma + 1, arrow - comma - 1)),
          std::string(equation.substr(arrow + 2))};
  size_t inX = t.x.find(kEllipsis), inY = t.y.find(kEllipsis);
  bool isOpen = inX != t.x.npos;
  t.open = rank - static_cast<int>(t.x.size()) + (isOpen ? 3 : 0);
  t.isLeft = inX == 0;
  bool isRight = isOpen && inX + 3 == t.x.size();
  bool fits = isOpen ? t.open >= 0 && (t.isLeft ? inY == 0 : isRight && inY + 3 == t.y.size())
                     : t.open == 0 && inY == t.y.npos;
  if (!fits || t.y.empty() || t.kernel.find('.') != t.kernel.npos) return {};
  std::string axes;
  for (int i = 0; i < t.open; ++i) axes += static_cast<char>('0' + i);
  if (isOpen) {
    t.x.replace(inX, 3, axes);
    t.y.replace(inY, 3, axes);
  }
  return t;
}

/// The sizes of the result's axes: those of x, and where x has no such axis those of output_shape, which
/// begins after the batch, or after an ellipsis on the left, and ends before one on the right.
bool sizesOf(Value x, const Terms& t, const Shape& output, Shape& sizes) {
  int begin = t.isLeft ? std::max(1, t.open) : 1;
  int end = static_cast<int>(t.y.size()) - (t.isLeft ? 0 : t.open);
  for (int i = 0; i < static_cast<int>(t.y.size()); ++i) {
    size_t inX = t.x.find(t.y[i]);
    int32_t known = inX == t.x.npos ? -1 : x.shape()[static_cast<int>(inX)], given = known;
    if (i >= begin && i < end && output.rank() == end - begin && output[i - begin] >= 0)
      given = output[i - begin];
    if (output.rank() != end - begin || given < 0 || (known >= 0 && given != known)) {
      x.graph->fail(cat("output_shape must have ", end - begin, " sizes, that of axis ", i,
                        known < 0 ? cat(" a number") : cat(" ", known), ", got ", output));
      return false;
    }
    sizes.push(given);
  }
  return true;
}

/// The kernel's sizes, and which of its axes are x's and which the result's.
struct Kernel {
  Shape sizes, inputs, outputs;
};
std::optional<Kernel> kernelFor(Value x, const Terms& t, const Shape& y) {
  Kernel k;
  for (char axis : t.kernel) {
    size_t inY = t.y.find(axis), inX = t.x.find(axis);
    if (inY == t.y.npos && inX == t.x.npos) {
      x.graph->fail(cat("equation: the kernel's axis ", std::string(1, axis),
                        " is none of the input's or the result's"));
      return {};
    }
    bool isOutput = inY != t.y.npos;
    (isOutput ? k.outputs : k.inputs).push(k.sizes.rank());
    k.sizes.push(isOutput ? y[static_cast<int>(inY)] : x.shape()[static_cast<int>(inX)]);
  }
  return k;
}

/// The sizes of a bias of these axes of the result, from the first of them on; the others are 1.
std::optional<Shape> biasFor(Graph& graph, const Terms& t, const Shape& y, std::string_view axes) {
  for (char axis : axes) {
    if (axis >= 'A' && t.y.find(axis) != t.y.npos) continue;
    graph.fail(cat("bias_axes must be axes of the result, got ", axes));
    return {};
  }
  Shape bias;
  for (size_t i = t.y.find_first_of(axes); i < t.y.size(); ++i)
    bias.push(axes.find(t.y[i]) != axes.npos ? y[static_cast<int>(i)] : 1);
  return bias;
}

/// x by a kernel, summed along the axes that the equation says. Weights: kernel, and a bias of those axes of
/// the result that bias_axes names.
constexpr Argument kEinsumDense[] = {text("equation").isNeeded(), shape("output_shape").isNeeded(),
                                     text("bias_axes"),           also(kActivated),
                                     also(kKernelWeight),         also(kBiasWeight)};
Value einsumDense(LayerContext& c, const Fields& f, Inputs in) {
  Value x = in[0];
  std::string equation = f.text("equation");
  std::optional<Terms> t = termsOf(equation, x.shape().rank());
  if (!t) {
    x.graph->fail(
        cat("equation must be of the form ab,bc->ac, ...b,bc->...c or ab...,bc->ac... for ",
            x.type(), ", got ", equation));
    return {};
  }
  Shape sizes;
  if (!sizesOf(x, *t, f.wholes("output_shape"), sizes)) return {};
  std::optional<Kernel> k = kernelFor(x, *t, sizes);
  if (!k) return {};
  Value w =
      c.weight("kernel", k->sizes, scaledBy(f.json("kernel_initializer"), k->inputs, k->outputs),
               true, f.json("kernel_regularizer"), f.json("kernel_constraint"));
  Value y = einsum({{x, w}}, {.equation = equation});
  if (f.has("bias_axes")) {
    std::optional<Shape> bias = biasFor(*x.graph, *t, sizes, f.text("bias_axes"));
    if (!bias) return {};
    y = y + weightOf(c, f, "bias", "bias", *bias);
  }
  return activated(c, f.json("activation"), y);
}

constexpr auto kRows = withoutLeftOut(std::to_array<LayerRow>({
    {"EinsumDense", "einsumDense", kEinsumDense, einsumDense, 1},
}));

}  // namespace

std::span<const LayerRow> einsumLayers() { return kRows; }

}  // namespace fjord
