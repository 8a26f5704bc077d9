// Pooling of volumes [N,D,H,W,C], composed of that of images: first over each plane, then along the
// depth, where all pixels of a plane lie in one row. A maximum of maxima is the maximum of all; so it
// is with means, because all windows that are joined see the same number of pixels.
//
// Of equal numbers the first one gets the gradient of a maximum: the first of the first plane that has it.
#include "ops/op.h"
#include "ops/volume.h"

namespace fjord {

namespace {

using namespace volume;

template <class A>
Window depthOf(const Shape& x, const A& a) {
  return depthWindow(x[1], a.window[0], a.strides[0], 1, a.padding, a.depthPadding);
}

template <class A>
Status checkPool(const Type& x, const A& a) {
  if (x.dtype != DType::kF32 || x.shape.rank() != 5)
    return fail("needs float32 x [N,D,H,W,C], got ", x);
  FJORD_CHECK(checkThree("window", a.window));
  FJORD_CHECK(checkThree("strides", a.strides));
  Window w = depthOf(x.shape, a);
  FJORD_CHECK(checkDepth("window", w, a.depthPadding));
  if (w.before >= w.taps || w.input(w.outputs - 1, 0) >= w.inputs)
    return fail("padding must be smaller than the window: a window sees nothing but padding");
  return {};
}

/// `pool` is that of images, whose attributes are A2.
template <class A2, class A>
Value pooled(Value x, const A& a, Value (*pool)(Value, const A2&)) {
  int64_t n = x.shape()[0], depth = x.shape()[1];
  Value planes = pool(asImages(x), {acrossOf(a.window), acrossOf(a.strides), a.padding});
  if (!planes || (a.window[0] == 1 && a.strides[0] == 1 && depthOf(x.shape(), a).outputs == depth))
    return asVolumes(planes, n, depth);
  const Shape s = planes.shape();
  Padding along = a.padding;
  if (along.kind == Padding::kExplicit)
    along = {Padding::kExplicit, a.depthPadding.h, a.depthPadding.w, 0, 0};
  Value y = pool(reshape(planes, {.shape = {n, depth, int64_t{s[1]} * s[2], s[3]}}),
                 {{a.window[0], 1}, {a.strides[0], 1}, along});
  return y ? reshape(y, {.shape = {n, y.shape()[1], s[1], s[2], s[3]}}) : y;
}

template <class A>
std::vector<Case> poolCases(bool distinct) {
  auto of = [&](std::string_view name, const Shape& x, const A& a) {
    Input in = floats(x);
    in.distinct = distinct;
    return makeCase(name, {in}, a);
  };
  return {of("2x2x2", {2, 4, 5, 6, 3}, {.window = {2, 2, 2}, .strides = {2, 2, 2}}),
          of("overlapping same", {1, 5, 4, 3, 5},
             {.window = {3, 2, 3}, .strides = {2, 1, 2}, .padding = {Padding::kSame}}),
          of("explicit padding", {1, 4, 4, 4, 2},
             {.window = {3, 3, 2},
              .strides = {2, 2, 2},
              .padding = {Padding::kExplicit, 1, 0, 1, 1},
              .depthPadding = {1, 1}}),
          of("planes alone", {2, 3, 4, 4, 2}, {.window = {1, 2, 2}, .strides = {1, 2, 2}})};
}

struct MaxPool3D {
  using Attrs = MaxPool3DAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) { return checkPool(in[0], a); }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    return pooled<MaxPoolAttrs>(in[0], a, maxPool);
  }
  static std::vector<Case> cases() { return poolCases<Attrs>(true); }
};

struct AvgPool3D {
  using Attrs = AvgPool3DAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) { return checkPool(in[0], a); }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    return pooled<AvgPoolAttrs>(in[0], a, avgPool);
  }
  static std::vector<Case> cases() { return poolCases<Attrs>(false); }
};

}  // namespace

FJORD_COMPOSED(MaxPool3D, maxPool3d)
FJORD_COMPOSED(AvgPool3D, avgPool3d)

}  // namespace fjord
