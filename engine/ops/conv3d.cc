// Convolution of volumes and its transpose, composed of those of images: the channels of the planes
// that a filter sees stand beside one another, as channels of one plane, and the filter's planes
// likewise. So there is one convolution of images, of the depth of all the filter's numbers.
//
//   x [N,D,H,W,C]   filter [KD,KH,KW,C/groups,OC]   y [N,OD,OH,OW,OC]
#include "ops/conv.h"
#include "ops/volume.h"

namespace fjord {

namespace {

using namespace volume;

/// A filter of images [KH,KW,KD*C,OC].
Value flatFilter(Value filter) {
  const Shape& s = filter.shape();
  return reshape(transpose(filter, {.perm = {1, 2, 0, 3, 4}}),
                 {.shape = {s[1], s[2], int64_t{s[0]} * s[3], s[4]}});
}

/// How many planes a filter's planes walk over, the padding before included.
int64_t extentOf(const Window& w) { return std::max(w.reach(), w.before + w.inputs); }

/// Images [N*OD,H,W,KD*C], by group: of each output plane all that the filter sees.
Value seenPlanes(Value x, const Window& w, int32_t groups) {
  const Shape s = x.shape();
  int64_t plane = int64_t{s[2]} * s[3] * s[4], pixels = s[0] * w.outputs * s[2] * s[3];
  if (w.taps == 1 && w.stride == 1 && w.outputs == s[1]) return asImages(x);
  int64_t after = extentOf(w) - w.before - s[1];
  Value from =
      pad(reshape(x, {.shape = {s[0], s[1], plane}}), {.paddings = {0, 0, w.before, after, 0, 0}});
  std::vector<Value> planes;
  for (int64_t k = 0; k < w.taps; ++k) {
    int64_t first = k * w.dilation, end = first + (w.outputs - 1) * w.stride + 1;
    Value seen = stridedSlice(
        from, {.begin = {0, first, 0}, .end = {s[0], end, plane}, .strides = {1, w.stride, 1}});
    planes.push_back(reshape(seen, {.shape = {pixels, groups, 1, s[4] / groups}}));
  }
  return reshape(concat(planes, {.axis = 2}),
                 {.shape = {s[0] * w.outputs, s[2], s[3], w.taps * s[4]}});
}

/// Planes [N,D,plane] so many apart, with zeros between.
Value apart(Value x, int64_t stride) {
  if (!x || stride == 1) return x;
  const Shape s = x.shape();
  int64_t reach = (s[1] - 1) * stride + 1;
  Value spread = pad(reshape(x, {.shape = {s[0], s[1], 1, s[2]}}),
                     {.paddings = {0, 0, 0, 0, 0, stride - 1, 0, 0}});
  return slice(reshape(spread, {.shape = {s[0], s[1] * stride, s[2]}}),
               {.begin = {0, 0, 0}, .size = {s[0], reach, s[2]}});
}

Window depthOf(const Shape& x, const Shape& filter, const Conv3DAttrs& a) {
  return depthWindow(x[1], filter[0], a.strides[0], a.dilations[0], a.padding, a.depthPadding);
}

Result<Type> convolvedType3d(const Shape& x, const Shape& filter, const Conv3DAttrs& a) {
  if (x.rank() != 5 || filter.rank() != 5)
    return fail("needs x [N,D,H,W,C] and a filter [KD,KH,KW,C/groups,OC], got ", x, " and ",
                filter);
  FJORD_CHECK(checkThree("strides", a.strides));
  FJORD_CHECK(checkThree("dilations", a.dilations));
  // Each of its planes is a node of the graph.
  constexpr int32_t kMostPlanes = 1 << 12;
  if (filter[0] < 1 || filter[0] > kMostPlanes)
    return fail("the filter must have from 1 to ", kMostPlanes, " planes, got ", filter);
  Window w = depthOf(x, filter, a);
  FJORD_CHECK(checkDepth("filter", w, a.depthPadding));
  FJORD_TRY(Type plane,
            conv::convolvedType(
                {x[0], x[2], x[3], x[4]}, {filter[1], filter[2], filter[3], filter[4]},
                Conv2DAttrs{acrossOf(a.strides), acrossOf(a.dilations), a.padding, a.groups}));
  const Shape& s = plane.shape;
  return Type{DType::kF32, {s[0], w.outputs, s[1], s[2], s[3]}};
}

struct Conv3D {
  using Attrs = Conv3DAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) {
    FJORD_CHECK(conv::checkFloats(in));
    FJORD_CHECK(convolvedType3d(in[0].shape, in[1].shape, a));
    return {};
  }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    Window w = depthOf(in[0].shape(), in[1].shape(), a);
    Value y = conv2d(seenPlanes(in[0], w, a.groups), flatFilter(in[1]),
                     {acrossOf(a.strides), acrossOf(a.dilations), a.padding, a.groups});
    return asVolumes(y, in[0].shape()[0], w.outputs);
  }
  static std::vector<Case> cases() {
    return {
        makeCase("valid", {floats({2, 4, 5, 4, 3}), floats({2, 3, 2, 3, 5})}, Attrs{}),
        makeCase("same", {floats({1, 3, 4, 5, 4}), floats({3, 3, 3, 4, 6})},
                 Attrs{.padding = {Padding::kSame}}),
        makeCase("strides", {floats({2, 7, 6, 5, 2}), floats({3, 2, 3, 2, 4})},
                 Attrs{.strides = {2, 2, 1}, .padding = {Padding::kSame}}),
        makeCase("dilated", {floats({1, 6, 5, 7, 2}), floats({2, 2, 3, 2, 3})},
                 Attrs{.dilations = {3, 2, 1}}),
        makeCase("groups", {floats({1, 4, 4, 4, 6}), floats({2, 2, 2, 3, 4})}, Attrs{.groups = 2}),
        makeCase("explicit padding", {floats({1, 3, 4, 3, 2}), floats({3, 2, 2, 2, 3})},
                 Attrs{.strides = {2, 1, 1},
                       .padding = {Padding::kExplicit, 1, 0, 0, 1},
                       .depthPadding = {2, 1}}),
        makeCase("one plane", {floats({2, 3, 4, 4, 3}), floats({1, 3, 3, 3, 4})}, Attrs{})};
  }
};

/// The gradient of a convolution, used forwards: its filter is [KD,KH,KW,OC,C], its output shape an
/// attribute.
struct Conv3DTranspose {
  using Attrs = Conv3DTransposeAttrs;
  static Conv3DAttrs forward(const Attrs& a) {
    return {.strides = a.strides, .padding = a.padding, .depthPadding = a.depthPadding};
  }
  static Status check(std::span<const Type> in, const Attrs& a) {
    FJORD_CHECK(conv::checkFloats(in));
    FJORD_TRY(Type y, convolvedType3d(a.outputShape, in[1].shape, forward(a)));
    if (y != in[0])
      return fail("an output of shape ", a.outputShape, " needs an input of ", y.shape, ", not ",
                  in[0].shape);
    return {};
  }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    const Shape &s = a.outputShape, &filter = in[1].shape();
    Window w = depthOf(s, filter, forward(a));
    int64_t plane = int64_t{s[2]} * s[3] * s[4], extent = extentOf(w);
    Value all = conv2dInput(
        asImages(in[0]), flatFilter(in[1]),
        {acrossOf(a.strides), {}, a.padding, 1, {s[0] * w.outputs, s[2], s[3], w.taps * s[4]}});
    if (!all) return {};
    // What is of each plane of the filter goes back to where that plane has stood.
    Value sum;
    std::vector<Value> parts = split(all, static_cast<int>(w.taps), -1);
    for (int64_t k = 0; k < w.taps; ++k) {
      Value part = apart(reshape(parts[k], {.shape = {s[0], w.outputs, plane}}), w.stride);
      if (!part) return {};
      part = pad(part, {.paddings = {0, 0, k, extent - k - part.shape()[1], 0, 0}});
      sum = sum ? sum + part : part;
    }
    return reshape(slice(sum, {.begin = {0, w.before, 0}, .size = {s[0], s[1], plane}}),
                   {.shape = s});
  }
  static std::vector<Case> cases() {
    return {makeCase("valid", {floats({2, 2, 3, 3, 2}), floats({3, 2, 2, 3, 2})},
                     Attrs{.outputShape = {2, 4, 4, 4, 3}}),
            makeCase("stride 2 same", {floats({1, 3, 2, 3, 3}), floats({3, 3, 2, 4, 3})},
                     Attrs{.strides = {2, 2, 2},
                           .padding = {Padding::kSame},
                           .outputShape = {1, 6, 4, 6, 4}})};
  }
};

}  // namespace

FJORD_COMPOSED(Conv3D, conv3d)
FJORD_COMPOSED(Conv3DTranspose, conv3dTranspose)

}  // namespace fjord
