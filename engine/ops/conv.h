// What the three forms of a 2D convolution share: sizes, images with their zeros around them, the
// definition, and the cases that all of them are tested on.
#pragma once

#include "ops/correlate.h"
#include "ops/op.h"
#include "ops/window.h"

namespace fjord::conv {

/// The sizes of one convolution, whichever of its arrays is being computed.
struct Geometry {
  int64_t n, h, w, c, oh, ow, oc, kh, kw, groups;
  Window rows, columns;  // along height and width

  int64_t groupC() const { return c / groups; }
  int64_t groupOC() const { return oc / groups; }
  /// Multiply-adds of each of the three forms.
  int64_t work() const { return n * oh * ow * oc * kh * kw * groupC(); }
};

template <class A>
Geometry geometry(const Shape& x, const Shape& filter, const A& a) {
  Geometry g{x[0], x[1], x[2], x[3], 0, 0, filter[3], filter[0], filter[1], a.groups, {}, {}};
  g.rows = windowRows(x[1], filter[0], a.strides, a.dilations, a.padding);
  g.columns = windowColumns(x[2], filter[1], a.strides, a.dilations, a.padding);
  g.oh = g.rows.outputs;
  g.ow = g.columns.outputs;
  return g;
}

template <class A>
Result<Type> convolvedType(const Shape& x, const Shape& filter, const A& a) {
  if (x.rank() != 4 || filter.rank() != 4) {
    return fail("needs x [N,H,W,C] and a filter [KH,KW,C/groups,OC], got ", x, " and ", filter);
  }
  FJORD_CHECK(checkShape(x));
  FJORD_CHECK(checkFilter(filter));
  if (a.groups < 1 || x[3] % a.groups != 0 || filter[3] % a.groups != 0) {
    return fail(a.groups, " groups do not divide ", x[3], " input and ", filter[3],
                " output channels");
  }
  if (x[3] / a.groups != filter[2]) {
    return fail("the input has ", x[3] / a.groups, " channels a group, the filter takes ",
                filter[2]);
  }
  FJORD_CHECK(checkWindow(a.strides, a.dilations, a.padding));
  Geometry g = geometry(x, filter, a);
  FJORD_CHECK(checkWindows("filter", g.rows, g.columns, g.c));
  return Type{DType::kF32, {x[0], g.oh, g.ow, filter[3]}};
}

inline Status checkFloats(std::span<const Type> in) {
  for (const Type& t : in) {
    if (t.dtype != DType::kF32) return fail("both operands must be float32: cast them first");
  }
  return {};
}

/// y[n,oy,ox,:] = sum over taps of image[n, oy*strideY + ky*dilationY, ox*strideX + kx*dilationX, :]
/// times the tap's matrix: a convolution whose images have their zeros around them. The images are
/// made from the source by moving its pixels `spread` apart and `before` down; where that changes
/// nothing, the source serves as it is.
struct Correlation {
  int64_t n, h, w, c;  // of the source
  int64_t spreadY, spreadX, beforeY, beforeX;
  int64_t oh, ow, oc;
  int64_t kh, kw, groups;
  int64_t strideY, strideX, dilationY, dilationX;

  int64_t imageH() const { return (oh - 1) * strideY + (kh - 1) * dilationY + 1; }
  int64_t imageW() const { return (ow - 1) * strideX + (kw - 1) * dilationX + 1; }
  bool inPlace() const {
    return spreadY == 1 && spreadX == 1 && beforeY == 0 && beforeX == 0 && imageH() <= h &&
           imageW() <= w;
  }
  int64_t line() const { return (inPlace() ? w : imageW()) * c; }
  int64_t image() const { return inPlace() ? h * w * c : imageH() * imageW() * c; }
  int64_t depth() const { return kh * kw * (c / groups); }
  int64_t panels() const { return panelsOf(oc / groups); }
  int64_t packedFloats() const { return depth() * panels() * kColumns; }
};

inline Correlation forward(const Geometry& g) {
  return {g.n,
          g.h,
          g.w,
          g.c,
          1,
          1,
          g.rows.before,
          g.columns.before,
          g.oh,
          g.ow,
          g.oc,
          g.kh,
          g.kw,
          g.groups,
          g.rows.stride,
          g.columns.stride,
          g.rows.dilation,
          g.columns.dilation};
}

/// Images [first, first + count) of the source: where they lie, made in `room` if need be.
const float* makeImages(const Correlation& g, const float* source, int64_t first, int64_t count,
                        float* room, Threads& threads);

/// How many images are worked on at a time, that what is made of them stays in cache. The filter's
/// gradient is summed over such blocks, so their size does not depend on the number of threads.
int64_t imagesAtOnce(const Correlation& g, int64_t floatsAnImage);

/// One of the three forms of conv.wgsl, a product for each group.
void convShader(ShaderWriter& w, const Geometry& g, std::string_view form);

/// f(x index, filter index, y index) for every product of the definition.
template <class F>
void forEachProduct(const Geometry& g, F f) {
  for (int64_t n = 0; n < g.n; ++n) {
    for (int64_t oy = 0; oy < g.oh; ++oy) {
      for (int64_t ox = 0; ox < g.ow; ++ox) {
        for (int64_t ky = 0; ky < g.kh; ++ky) {
          for (int64_t kx = 0; kx < g.kw; ++kx) {
            int64_t iy = g.rows.input(oy, ky), ix = g.columns.input(ox, kx);
            if (iy < 0 || iy >= g.h || ix < 0 || ix >= g.w) continue;
            for (int64_t o = 0; o < g.oc; ++o) {
              for (int64_t c = 0; c < g.groupC(); ++c) {
                f(((n * g.h + iy) * g.w + ix) * g.c + o / g.groupOC() * g.groupC() + c,
                  ((ky * g.kw + kx) * g.groupC() + c) * g.oc + o,
                  ((n * g.oh + oy) * g.ow + ox) * g.oc + o);
              }
            }
          }
        }
      }
    }
  }
}

struct ConvCase {
  const char* name;
  Shape x, filter;
  Pair strides = {}, dilations = {};
  Padding padding = {};
  int32_t groups = 1;
};

inline const ConvCase kCases[] = {
    {.name = "1x1", .x = {2, 4, 4, 3}, .filter = {1, 1, 3, 5}},
    {.name = "3x3 valid", .x = {2, 7, 6, 4}, .filter = {3, 3, 4, 9}},
    {.name = "3x3 same", .x = {1, 9, 9, 8}, .filter = {3, 3, 8, 16}, .padding = {Padding::kSame}},
    {.name = "5x5 one channel", .x = {2, 12, 12, 1}, .filter = {5, 5, 1, 8}},
    {.name = "stride 2 same",
     .x = {2, 9, 8, 3},
     .filter = {3, 3, 3, 6},
     .strides = {2, 2},
     .padding = {Padding::kSame}},
    {.name = "stride 2 by 1", .x = {1, 9, 8, 3}, .filter = {2, 3, 3, 4}, .strides = {2, 1}},
    {.name = "dilated", .x = {1, 9, 11, 2}, .filter = {3, 2, 2, 5}, .dilations = {2, 3}},
    {.name = "explicit padding",
     .x = {1, 5, 6, 2},
     .filter = {3, 3, 2, 3},
     .strides = {2, 2},
     .padding = {Padding::kExplicit, 1, 2, 0, 3}},
    {.name = "groups", .x = {2, 5, 5, 6}, .filter = {3, 3, 3, 8}, .groups = 2},
    {.name = "deep", .x = {1, 4, 4, 70}, .filter = {3, 3, 70, 18}, .padding = {Padding::kSame}},
};

inline Shape outputShape(const ConvCase& k) {
  return convolvedType(k.x, k.filter, Conv2DAttrs{k.strides, k.dilations, k.padding, k.groups})
      ->shape;
}

}  // namespace fjord::conv
