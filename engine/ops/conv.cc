// 2D convolution and its two gradients, all three as matrix products whose packing walks the image:
// no patch matrix is ever written out.
//
//   x [N,H,W,C]   filter [KH,KW,C/groups,OC]   y [N,OH,OW,OC]
#include <cstring>

#include "ops/gemm.h"
#include "ops/window.h"

namespace fjord {

namespace {

/// The sizes of one convolution, whichever of its arrays is being computed.
struct Geometry {
  int64_t n, h, w, c, oh, ow, oc, kh, kw, groups;
  Window rows, columns;  // along height and width

  int64_t groupC() const { return c / groups; }
  int64_t groupOC() const { return oc / groups; }
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
  if (x.rank() != 4 || filter.rank() != 4)
    return fail("needs x [N,H,W,C] and a filter [KH,KW,C/groups,OC]");
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
  if (g.oh < 1 || g.ow < 1) {
    return fail("a filter of ", filter[0], "x", filter[1], " does not fit the padded image of ",
                x[1], "x", x[2]);
  }
  return Type{DType::kF32,
              {x[0], static_cast<int32_t>(g.oh), static_cast<int32_t>(g.ow), filter[3]}};
}

Status checkFloats(std::span<const Type> in) {
  for (const Type& t : in) {
    if (t.dtype != DType::kF32) return fail("both operands must be float32: cast them first");
  }
  return {};
}

/// Copies a run of neighbours down a column of a panel, or zeros where there is nothing to copy.
void copyDown(const float* from, int64_t run, float* to) {
  if (from) {
    for (int64_t j = 0; j < run; ++j) to[j * kRows] = from[j];
  } else {
    for (int64_t j = 0; j < run; ++j) to[j * kRows] = 0;
  }
}

/// Rows: output pixels (n, oy, ox). Depth: filter taps (ky, kx, c). The patch of a pixel, read from
/// x.
struct Patches {
  const Geometry& g;
  const float* x;
  int64_t channel;  // first of the group

  void operator()(int64_t row, int rows, int64_t k, int count, float* panel) const {
    if (rows < kRows) std::memset(panel, 0, sizeof(float) * count * kRows);
    int64_t ox = row % g.ow, oy = row / g.ow % g.oh, n = row / (g.ow * g.oh);
    for (int r = 0; r < rows; ++r) {
      patch(x + n * g.h * g.w * g.c + channel, oy, ox, k, count, panel + r);
      if (++ox < g.ow) continue;
      ox = 0;
      if (++oy == g.oh) oy = 0, ++n;
    }
  }

  /// Along one filter row the taps are neighbours in the image, unless they are dilated, or share
  /// their pixels with other groups, or hang over the edge: then they are copied one by one.
  void patch(const float* image, int64_t oy, int64_t ox, int64_t k, int64_t count,
             float* to) const {
    int64_t c = g.groupC(), width = g.kw * c, left = g.columns.input(ox, 0);
    bool whole = g.groups == 1 && g.columns.dilation == 1 && left >= 0 && left + g.kw <= g.w;
    for (int64_t i = 0; i < count;) {
      int64_t ky = (k + i) / width, within = (k + i) % width;
      int64_t iy = g.rows.input(oy, ky), run = std::min<int64_t>(width - within, count - i);
      const float* line = iy >= 0 && iy < g.h ? image + iy * g.w * g.c : nullptr;
      if (whole || !line) {
        copyDown(line ? line + left * g.c + within : nullptr, run, to + i * kRows);
      } else {
        run = std::min<int64_t>(c - within % c, run);
        int64_t ix = g.columns.input(ox, within / c);
        copyDown(ix >= 0 && ix < g.w ? line + ix * g.c + within % c : nullptr, run, to + i * kRows);
      }
      i += run;
    }
  }
};

/// Rows: filter taps (ky, kx, c). Depth: output pixels. The transpose of Patches.
struct TapRows {
  const Geometry& g;
  const float* x;
  int64_t channel;

  void operator()(int64_t row, int rows, int64_t k, int count, float* panel) const {
    int64_t c = g.groupC();
    if (rows < kRows) std::memset(panel, 0, sizeof(float) * count * kRows);
    int64_t tapY[kRows], tapX[kRows], offset[kRows];
    for (int r = 0; r < rows; ++r) {
      int64_t tap = (row + r) / c;
      tapY[r] = tap / g.kw;
      tapX[r] = tap % g.kw;
      offset[r] = channel + (row + r) % c;
    }
    int64_t ox = k % g.ow, oy = k / g.ow % g.oh, n = k / (g.ow * g.oh);
    for (int i = 0; i < count; ++i, panel += kRows) {
      const float* image = x + n * g.h * g.w * g.c;
      for (int r = 0; r < rows; ++r) {
        int64_t iy = g.rows.input(oy, tapY[r]), ix = g.columns.input(ox, tapX[r]);
        bool inside = iy >= 0 && iy < g.h && ix >= 0 && ix < g.w;
        panel[r] = inside ? image[(iy * g.w + ix) * g.c + offset[r]] : 0;
      }
      if (++ox == g.ow) {
        ox = 0;
        if (++oy == g.oh) oy = 0, ++n;
      }
    }
  }
};

/// Rows: input pixels (n, iy, ix). Depth: (ky, kx, oc). What of dy each input pixel has been part
/// of.
struct OutputPatches {
  const Geometry& g;
  const float* dy;
  int64_t channel;  // first output channel of the group

  void operator()(int64_t row, int rows, int64_t k, int count, float* panel) const {
    int64_t c = g.groupOC();
    if (rows < kRows) std::memset(panel, 0, sizeof(float) * count * kRows);
    for (int r = 0; r < rows; ++r) {
      int64_t p = row + r, ix = p % g.w, iy = p / g.w % g.h, n = p / (g.w * g.h);
      const float* image = dy + n * g.oh * g.ow * g.oc + channel;
      int64_t tap = k / c, first = k % c, ky = tap / g.kw, kx = tap % g.kw;
      int64_t oy = g.rows.output(iy, ky);
      for (int64_t i = 0; i < count;) {
        int64_t run = std::min<int64_t>(c - first, count - i),
                ox = oy < 0 ? -1 : g.columns.output(ix, kx);
        copyDown(ox >= 0 ? image + (oy * g.ow + ox) * g.oc + first : nullptr, run,
                 panel + i * kRows + r);
        i += run;
        first = 0;
        if (++kx < g.kw) continue;
        kx = 0;
        oy = g.rows.output(iy, ++ky);
      }
    }
  }
};

/// Columns [k, k + count) x [column, +columns) of a matrix with rows `ld` apart.
struct Panels {
  const float* b;
  int64_t ld;
  void operator()(int64_t k, int count, int64_t column, int columns, float* panel) const {
    const float* from = b + k * ld + column;
    for (int i = 0; i < count; ++i, from += ld, panel += kColumns) {
      for (int j = 0; j < kColumns; ++j) panel[j] = j < columns ? from[j] : 0;
    }
  }
};

/// The filter with taps and output channels as depth and input channels as columns: [(ky,kx,oc),
/// c].
struct FlippedFilter {
  const Geometry& g;
  const float* filter;
  int64_t channel;
  void operator()(int64_t k, int count, int64_t column, int columns, float* panel) const {
    int64_t oc = g.groupOC(), c = g.groupC();
    for (int i = 0; i < count; ++i, panel += kColumns) {
      const float* from = filter + ((k + i) / oc * c + column) * g.oc + channel + (k + i) % oc;
      for (int j = 0; j < kColumns; ++j) panel[j] = j < columns ? from[j * g.oc] : 0;
    }
  }
};

GemmShape forwardShape(const Geometry& g) {
  return {g.n * g.oh * g.ow, g.groupOC(), g.kh * g.kw * g.groupC()};
}
GemmShape inputShape(const Geometry& g) {
  return {g.n * g.h * g.w, g.groupC(), g.kh * g.kw * g.groupOC()};
}
GemmShape filterShape(const Geometry& g) {
  return {g.kh * g.kw * g.groupC(), g.groupOC(), g.n * g.oh * g.ow};
}

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

const ConvCase kCases[] = {
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

Shape outputShape(const ConvCase& k) {
  return convolvedType(k.x, k.filter, Conv2DAttrs{k.strides, k.dilations, k.padding, k.groups})
      ->shape;
}

struct Conv2D {
  using Attrs = Conv2DAttrs;
  static constexpr bool kEpilogue = true;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    FJORD_CHECK(checkFloats(in));
    return convolvedType(in[0].shape, in[1].shape, a);
  }
  static int64_t scratch(const ScratchCall& c, const Attrs& a) {
    return gemmScratch(forwardShape(geometry(c.in[0].shape, c.in[1].shape, a)), c.threads) * 4;
  }
  static void run(const Call& c, const Attrs& a) {
    Geometry g = geometry(c.in[0].shape(), c.in[1].shape(), a);
    for (int64_t i = 0; i < g.groups; ++i) {
      gemm(forwardShape(g), Patches{g, c.in[0].as<float>(), i * g.groupC()},
           Panels{c.in[1].as<float>() + i * g.groupOC(), g.oc}, c.out.as<float>() + i * g.groupOC(),
           g.oc, reinterpret_cast<float*>(c.scratch), c.threads, c.epilogue);
    }
    if (g.groups > 1) c.epilogue(0, c.out.size(), 0);
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    Value x = g.in[0], filter = g.in[1];
    return {conv2dInput(g.dy, filter, {a.strides, a.dilations, a.padding, a.groups, x.shape()}),
            conv2dFilter(x, g.dy, {a.strides, a.dilations, a.padding, a.groups, filter.shape()})};
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachProduct(geometry(c.in[0].type.shape, c.in[1].type.shape, a),
                   [&](int64_t x, int64_t f, int64_t y) {
                     c.out.values[y] += c.in[0].values[x] * c.in[1].values[f];
                   });
  }
  static std::vector<Case> cases() {
    std::vector<Case> cases;
    for (const ConvCase& k : kCases) {
      cases.push_back(makeCase(k.name, {floats(k.x), floats(k.filter)},
                               Attrs{k.strides, k.dilations, k.padding, k.groups}));
    }
    return cases;
  }
};

/// dx from dy [N,OH,OW,OC] and the filter; the shape of x is an attribute.
struct Conv2DInput {
  using Attrs = Conv2DInputAttrs;
  static constexpr bool kEpilogue = true;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    FJORD_CHECK(checkFloats(in));
    FJORD_TRY(Type y, convolvedType(a.inputShape, in[1].shape, a));
    if (y != in[0])
      return fail("an input of shape ", a.inputShape, " gives ", y.shape, ", not ", in[0].shape);
    return Type{DType::kF32, a.inputShape};
  }
  static int64_t scratch(const ScratchCall& c, const Attrs& a) {
    return gemmScratch(inputShape(geometry(a.inputShape, c.in[1].shape, a)), c.threads) * 4;
  }
  static void run(const Call& c, const Attrs& a) {
    Geometry g = geometry(a.inputShape, c.in[1].shape(), a);
    for (int64_t i = 0; i < g.groups; ++i) {
      gemm(inputShape(g), OutputPatches{g, c.in[0].as<float>(), i * g.groupOC()},
           FlippedFilter{g, c.in[1].as<float>(), i * g.groupOC()},
           c.out.as<float>() + i * g.groupC(), g.c, reinterpret_cast<float*>(c.scratch), c.threads,
           c.epilogue);
    }
    if (g.groups > 1) c.epilogue(0, c.out.size(), 0);
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    Value dy = g.in[0], filter = g.in[1];
    return {conv2d(g.dy, filter, {a.strides, a.dilations, a.padding, a.groups}),
            conv2dFilter(g.dy, dy, {a.strides, a.dilations, a.padding, a.groups, filter.shape()})};
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachProduct(geometry(a.inputShape, c.in[1].type.shape, a),
                   [&](int64_t x, int64_t f, int64_t y) {
                     c.out.values[x] += c.in[0].values[y] * c.in[1].values[f];
                   });
  }
  static std::vector<Case> cases() {
    std::vector<Case> cases;
    for (const ConvCase& k : kCases) {
      cases.push_back(makeCase(k.name, {floats(outputShape(k)), floats(k.filter)},
                               Attrs{k.strides, k.dilations, k.padding, k.groups, k.x}));
    }
    return cases;
  }
};

/// d filter from x and dy; the shape of the filter is an attribute.
struct Conv2DFilter {
  using Attrs = Conv2DFilterAttrs;
  static constexpr bool kEpilogue = true;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    FJORD_CHECK(checkFloats(in));
    FJORD_TRY(Type y, convolvedType(in[0].shape, a.filterShape, a));
    if (y != in[1])
      return fail("a filter of shape ", a.filterShape, " gives ", y.shape, ", not ", in[1].shape);
    return Type{DType::kF32, a.filterShape};
  }
  static int64_t scratch(const ScratchCall& c, const Attrs& a) {
    return gemmScratch(filterShape(geometry(c.in[0].shape, a.filterShape, a)), c.threads) * 4;
  }
  static void run(const Call& c, const Attrs& a) {
    Geometry g = geometry(c.in[0].shape(), a.filterShape, a);
    for (int64_t i = 0; i < g.groups; ++i) {
      gemm(filterShape(g), TapRows{g, c.in[0].as<float>(), i * g.groupC()},
           Panels{c.in[1].as<float>() + i * g.groupOC(), g.oc}, c.out.as<float>() + i * g.groupOC(),
           g.oc, reinterpret_cast<float*>(c.scratch), c.threads, c.epilogue);
    }
    if (g.groups > 1) c.epilogue(0, c.out.size(), 0);
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    Value x = g.in[0], dy = g.in[1];
    return {conv2dInput(dy, g.dy, {a.strides, a.dilations, a.padding, a.groups, x.shape()}),
            conv2d(x, g.dy, {a.strides, a.dilations, a.padding, a.groups})};
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachProduct(geometry(c.in[0].type.shape, a.filterShape, a),
                   [&](int64_t x, int64_t f, int64_t y) {
                     c.out.values[f] += c.in[0].values[x] * c.in[1].values[y];
                   });
  }
  static std::vector<Case> cases() {
    std::vector<Case> cases;
    for (const ConvCase& k : kCases) {
      cases.push_back(makeCase(k.name, {floats(k.x), floats(outputShape(k))},
                               Attrs{k.strides, k.dilations, k.padding, k.groups, k.filter}));
    }
    return cases;
  }
};

/// The gradient of a convolution, used forwards: its filter is [KH,KW,OC,C], its output shape an
/// attribute.
struct Conv2DTranspose {
  using Attrs = Conv2DTransposeAttrs;
  static Value expand(std::span<const Value> in, const Attrs& a) {
    return conv2dInput(in[0], in[1], {a.strides, {}, a.padding, 1, a.outputShape});
  }
  static std::vector<Case> cases() {
    return {
        makeCase(
            "stride 2 same", {floats({1, 4, 5, 3}), floats({3, 3, 6, 3})},
            Attrs{.strides = {2, 2}, .padding = {Padding::kSame}, .outputShape = {1, 8, 10, 6}}),
        makeCase("valid", {floats({2, 3, 3, 2}), floats({2, 2, 3, 2})},
                 Attrs{.outputShape = {2, 4, 4, 3}})};
  }
};

}  // namespace

FJORD_OP(Conv2D, conv2d)
FJORD_OP(Conv2DInput, conv2dInput)
FJORD_OP(Conv2DFilter, conv2dFilter)
FJORD_COMPOSED(Conv2DTranspose, conv2dTranspose)

}  // namespace fjord
