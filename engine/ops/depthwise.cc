// Depthwise 2D convolution and its gradients: every channel has its own M filters.
//
//   x [N,H,W,C]   filter [KH,KW,C,M]   y [N,OH,OW,C*M], channel c * M + m
//
// Memory-bound, so vectors run along the channels and each row of the output is one piece of work.
#include <algorithm>
#include <cstring>

#include "base/simd.h"
#include "ops/depthwise.wgsl.h"
#include "ops/long_sum.h"
#include "ops/op.h"
#include "ops/window.h"
#include "ops/window.wgsl.h"

namespace fjord {

namespace {

struct Geometry {
  int64_t n, h, w, c, m, oh, ow, kh, kw;
  Window rows, columns;
  int64_t outC() const { return c * m; }
};

template <class A>
Geometry geometry(const Shape& x, const Shape& filter, const A& a) {
  Geometry g{x[0], x[1], x[2], x[3], filter[3], 0, 0, filter[0], filter[1], {}, {}};
  g.rows = windowRows(x[1], filter[0], a.strides, a.dilations, a.padding);
  g.columns = windowColumns(x[2], filter[1], a.strides, a.dilations, a.padding);
  g.oh = g.rows.outputs;
  g.ow = g.columns.outputs;
  return g;
}

template <class A>
Result<Type> convolvedType(const Type& x, const Type& filter, const A& a) {
  if (x.dtype != DType::kF32 || filter.dtype != DType::kF32)
    return fail("both operands must be float32: cast them first");
  if (x.shape.rank() != 4 || filter.shape.rank() != 4)
    return fail("needs x [N,H,W,C] and a filter [KH,KW,C,M], got ", x.shape, " and ", filter.shape);
  FJORD_CHECK(checkShape(x.shape));
  FJORD_CHECK(checkFilter(filter.shape));
  if (x.shape[3] != filter.shape[2]) {
    return fail("the input has ", x.shape[3], " channels, the filter ", filter.shape[2]);
  }
  FJORD_CHECK(checkWindow(a.strides, a.dilations, a.padding));
  Geometry g = geometry(x.shape, filter.shape, a);
  FJORD_CHECK(checkWindows("filter", g.rows, g.columns, std::max(g.c, g.outC())));
  return Type{DType::kF32, {x.shape[0], g.oh, g.ow, g.outC()}};
}

/// to[c * m + j] += x[c] * f[c * m + j]
void multiplyInto(const float* x, const float* f, float* to, int64_t c, int64_t m) {
  int64_t i = 0;
  if (m == 1) {
    for (; i + kLanes <= c; i += kLanes)
      mulAdd(F32::load(x + i), F32::load(f + i), F32::load(to + i)).store(to + i);
    FJORD_REST for (; i < c; ++i) to[i] += x[i] * f[i];
    return;
  }
  for (; i < c; ++i) {
    for (int64_t j = 0; j < m; ++j) to[i * m + j] += x[i] * f[i * m + j];
  }
}

/// to[c] += sum over j of dy[c * m + j] * f[c * m + j]
void contractInto(const float* dy, const float* f, float* to, int64_t c, int64_t m) {
  if (m == 1) return multiplyInto(dy, f, to, c, 1);
  for (int64_t i = 0; i < c; ++i) {
    for (int64_t j = 0; j < m; ++j) to[i] += dy[i * m + j] * f[i * m + j];
  }
}

/// Channels [c, c + V vectors) of one output pixel. x is its first tap.
template <int V>
void sumTaps(const Geometry& g, const float* x, const float* f, TapRange rows, TapRange columns,
             F32 (&result)[V]) {
  F32 sums[V];
  unrolled<V>([&](auto v) { sums[v] = F32(0.0); });
  for (int64_t ky = rows.begin; ky < rows.end; ++ky) {
    const float* from = x + (ky * g.rows.dilation * g.w + columns.begin * g.columns.dilation) * g.c;
    const float* taps = f + (ky * g.kw + columns.begin) * g.c;
    for (int64_t kx = columns.begin; kx < columns.end; ++kx) {
      unrolled<V>([&](auto v) {
        sums[v] = mulAdd(F32::load(from + v * kLanes), F32::load(taps + v * kLanes), sums[v]);
      });
      from += g.columns.dilation * g.c;
      taps += g.c;
    }
  }
  unrolled<V>([&](auto v) { result[v] = sums[v]; });
}
template <int V>
void convolvePixel(const Geometry& g, const float* x, const float* f, float* y, TapRange rows,
                   TapRange columns) {
  F32 sums[V];
  sumWindow(rows, columns, sums, [&](TapRange down, TapRange across, F32(&run)[V]) {
    sumTaps(g, x, f, down, across, run);
  });
  unrolled<V>([&](auto v) { sums[v].store(y + v * kLanes); });
}

/// One channel of one output pixel: what is left behind the last whole vector.
void convolveChannel(const Geometry& g, const float* x, const float* f, float* y, TapRange rows,
                     TapRange columns) {
  double sum = 0;
  for (int64_t ky = rows.begin; ky < rows.end; ++ky) {
    for (int64_t kx = columns.begin; kx < columns.end; ++kx) {
      sum += x[(ky * g.rows.dilation * g.w + kx * g.columns.dilation) * g.c] *
             f[(ky * g.kw + kx) * g.c];
    }
  }
  *y = static_cast<float>(sum);
}

/// All channels of an output pixel, which may look over the edges of the image.
void convolvePixel(const Geometry& g, const float* x, const float* f, float* y, TapRange rows,
                   TapRange columns) {
  int64_t c = 0;
  for (; c + 4 * kLanes <= g.c; c += 4 * kLanes)
    convolvePixel<4>(g, x + c, f + c, y + c, rows, columns);
  for (; c + kLanes <= g.c; c += kLanes) convolvePixel<1>(g, x + c, f + c, y + c, rows, columns);
  for (; c < g.c; ++c) convolveChannel(g, x + c, f + c, y + c, rows, columns);
}

/// All channels of P neighbouring output pixels inside the image, S apart, under K taps a row: what
/// a row of the filter sees of the image is loaded once for all of them.
template <int P, int K, int S>
void convolvePixels(const Geometry& g, const float* x, const float* f, float* y, TapRange rows) {
  int64_t c = 0, wide = g.c;
  for (; c + kLanes <= wide; c += kLanes) {
    F32 sums[P];
    unrolled<P>([&](auto p) { sums[p] = F32(0.0); });
    for (int64_t ky = rows.begin; ky < rows.end; ++ky) {
      const float* from = x + ky * g.rows.dilation * g.w * wide + c;
      const float* taps = f + ky * K * wide + c;
      F32 tap[K];
      unrolled<K>([&](auto k) { tap[k] = F32::load(taps + k * wide); });
      unrolled<(P - 1) * S + K>([&](auto i) __attribute__((always_inline)) {
        F32 pixel = F32::load(from);
        from += wide;
        unrolled<P>([&](auto p) __attribute__((always_inline)) {
          constexpr int k = i - p * S;
          if constexpr (k >= 0 && k < K) sums[p] = mulAdd(pixel, tap[k], sums[p]);
        });
      });
    }
    unrolled<P>([&](auto p) { sums[p].store(y + p * wide + c); });
  }
  for (; c < wide; ++c) {
    for (int p = 0; p < P; ++p)
      convolveChannel(g, x + p * S * wide + c, f + c, y + p * wide + c, rows, TapRange(0, K));
  }
}

/// convolvePixels for eight and for four pixels, or nullptr.
struct Wide {
  using Kernel = void (*)(const Geometry&, const float* x, const float* f, float* y, TapRange rows);
  Kernel eight = nullptr, four = nullptr;

  template <int K, int S>
  static constexpr Wide of() {
    return {convolvePixels<8, K, S>, convolvePixels<4, K, S>};
  }
};

/// The kernels for the inside of an image, if there are such for the filter.
Wide wideKernels(const Geometry& g) {
  int64_t stride = g.columns.stride;
  if (g.kh * g.kw > kShortTerms) return {};
  if (g.columns.dilation != 1 || stride > 2) return {};
  if (g.kw == 3) return stride == 1 ? Wide::of<3, 1>() : Wide::of<3, 2>();
  if (g.kw == 5) return stride == 1 ? Wide::of<5, 1>() : Wide::of<5, 2>();
  return {};
}

/// One row of output pixels, one filter for a channel.
void convolveRow(const Geometry& g, const float* image, const float* f, float* y, int64_t oy) {
  TapRange rows(g.rows, oy);
  Wide wide = wideKernels(g);
  int64_t top = g.rows.input(oy, 0) * g.w;
  auto isInside = [&](int64_t ox) {
    return g.columns.input(ox, 0) >= 0 && g.columns.input(ox, g.kw - 1) < g.w;
  };
  for (int64_t ox = 0; ox < g.ow;) {
    const float* x = image + (top + g.columns.input(ox, 0)) * g.c;
    bool inside = wide.four && isInside(ox);
    if (inside && ox + 8 <= g.ow && isInside(ox + 7)) {
      wide.eight(g, x, f, y + ox * g.c, rows);
      ox += 8;
    } else if (inside && ox + 4 <= g.ow && isInside(ox + 3)) {
      wide.four(g, x, f, y + ox * g.c, rows);
      ox += 4;
    } else {
      convolvePixel(g, x, f, y + ox * g.c, rows, TapRange(g.columns, ox));
      ox += 1;
    }
  }
}

template <class F>
void forEachTap(const Geometry& g, int64_t oy, int64_t ox, F f) {
  for (int64_t ky = 0; ky < g.kh; ++ky) {
    int64_t iy = g.rows.input(oy, ky);
    if (iy < 0 || iy >= g.h) continue;
    for (int64_t kx = 0; kx < g.kw; ++kx) {
      int64_t ix = g.columns.input(ox, kx);
      if (ix >= 0 && ix < g.w) f(iy, ix, ky * g.kw + kx);
    }
  }
}

/// One row of output pixels, several filters for a channel.
void multiplyRow(const Geometry& g, const float* image, const float* f, float* y, int64_t oy,
                 double* totals) {
  for (int64_t ox = 0; ox < g.ow; ++ox, y += g.outC()) {
    GrowingSums sums(y, totals, g.outC());
    forEachTap(g, oy, ox, [&](int64_t iy, int64_t ix, int64_t tap) {
      multiplyInto(image + (iy * g.w + ix) * g.c, f + tap * g.outC(), y, g.c, g.m);
      sums.grown();
    });
    sums.finish();
  }
}

/// Doubles of the totals of n sums of so many terms.
int64_t totalsOf(int64_t n, int64_t terms) { return terms > kShortTerms ? n : 0; }

template <class F>
void forEachProduct(const Geometry& g, F f) {
  for (int64_t row = 0; row < g.n * g.oh; ++row) {
    for (int64_t ox = 0; ox < g.ow; ++ox) {
      forEachTap(g, row % g.oh, ox, [&](int64_t iy, int64_t ix, int64_t tap) {
        for (int64_t o = 0; o < g.outC(); ++o) {
          f(((row / g.oh * g.h + iy) * g.w + ix) * g.c + o / g.m, tap * g.outC() + o,
            (row * g.ow + ox) * g.outC() + o);
        }
      });
    }
  }
}

struct DepthwiseCase {
  const char* name;
  Shape x, filter;
  Pair strides = {}, dilations = {};
  Padding padding = {};
};
const DepthwiseCase kCases[] = {
    {.name = "3x3 same", .x = {2, 6, 7, 9}, .filter = {3, 3, 9, 1}, .padding = {Padding::kSame}},
    {.name = "stride 2",
     .x = {1, 9, 8, 5},
     .filter = {3, 3, 5, 1},
     .strides = {2, 2},
     .padding = {Padding::kSame}},
    {.name = "wide", .x = {1, 5, 15, 37}, .filter = {3, 3, 37, 1}, .padding = {Padding::kSame}},
    {.name = "wide, stride 2", .x = {1, 7, 29, 18}, .filter = {3, 3, 18, 1}, .strides = {2, 2}},
    {.name = "5x5", .x = {1, 6, 17, 20}, .filter = {5, 5, 20, 1}, .padding = {Padding::kSame}},
    {.name = "5x5, stride 2", .x = {1, 7, 28, 5}, .filter = {5, 5, 5, 1}, .strides = {2, 2}},
    {.name = "multiplier", .x = {2, 5, 6, 3}, .filter = {2, 3, 3, 4}},
    {.name = "dilated", .x = {1, 9, 9, 17}, .filter = {3, 3, 17, 1}, .dilations = {2, 2}},
    {.name = "explicit padding",
     .x = {1, 5, 6, 2},
     .filter = {3, 3, 2, 2},
     .padding = {Padding::kExplicit, 0, 2, 1, 0}},
};
Shape outputShape(const DepthwiseCase& k) {
  return convolvedType({DType::kF32, k.x}, {DType::kF32, k.filter},
                       DepthwiseConv2DAttrs{k.strides, k.dilations, k.padding})
      ->shape;
}

/// A function of depthwise.wgsl for each element of the output, a sum of so many terms.
void depthwiseShader(ShaderWriter& w, const Geometry& g, int64_t terms, std::string_view f) {
  w.elements(w.out().shape.size());
  windowConstants(w, g.rows, g.columns);
  w.constant("kC", g.c);
  w.constant("kM", g.m);
  w.constant("kPixels", g.n * g.oh * g.ow);
  w.numbers(w.out());
  longSums(w, terms);
  w.text({kWindowWgsl, kDepthwiseWgsl, "fn element(i:u32){", f, "(i);}\n"});
}

struct DepthwiseConv2D {
  using Attrs = DepthwiseConv2DAttrs;
  static constexpr bool kEpilogue = true;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    return convolvedType(in[0], in[1], a);
  }
  static int64_t scratch(const ScratchCall& c, const Attrs&) {
    const Shape& f = c.in[1].shape;
    return f[3] == 1 ? 0 : totalsOf(f[2] * f[3], f[0] * f[1]) * c.threads * 8;
  }
  static void run(const Call& c, const Attrs& a) {
    Geometry g = geometry(c.in[0].shape(), c.in[1].shape(), a);
    const float *x = c.in[0].as<float>(), *f = c.in[1].as<float>();
    float* y = c.out.as<float>();
    int64_t rowSize = g.ow * g.outC();
    int64_t totals = totalsOf(g.outC(), g.kh * g.kw);
    // As many rows as the epilogue still finds in the first-level cache.
    int64_t block = std::max<int64_t>(1, 4096 / rowSize);
    c.threads.forRange(g.n * g.oh, 1, [&](int64_t begin, int64_t end, int part) {
      for (int64_t row = begin; row < end; ++row) {
        const float* image = x + row / g.oh * g.h * g.w * g.c;
        if (g.m == 1) {
          convolveRow(g, image, f, y + row * rowSize, row % g.oh);
        } else {
          multiplyRow(g, image, f, y + row * rowSize, row % g.oh,
                      totals ? reinterpret_cast<double*>(c.scratch) + part * totals : nullptr);
        }
        if ((row + 1 - begin) % block == 0)
          c.epilogue((row + 1 - block) * rowSize, (row + 1) * rowSize, part);
      }
      int64_t rest = (end - begin) % block;
      if (rest > 0) c.epilogue((end - rest) * rowSize, end * rowSize, part);
    });
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    Geometry g = geometry(w.in(0).shape, w.in(1).shape, a);
    depthwiseShader(w, g, g.kh * g.kw, "forward");
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    Value x = g.in[0], filter = g.in[1];
    return {depthwiseConv2dInput(g.dy, filter, {a.strides, a.dilations, a.padding, x.shape()}),
            depthwiseConv2dFilter(x, g.dy, {a.strides, a.dilations, a.padding, filter.shape()})};
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachProduct(geometry(c.in[0].type.shape, c.in[1].type.shape, a),
                   [&](int64_t x, int64_t f, int64_t y) {
                     c.out.values[y] += c.in[0].values[x] * c.in[1].values[f];
                   });
  }
  static std::vector<Case> cases() {
    std::vector<Case> cases;
    for (const auto& k : kCases) {
      cases.push_back(makeCase(k.name, {floats(k.x), floats(k.filter)},
                               Attrs{k.strides, k.dilations, k.padding}));
    }
    return cases;
  }
};

struct DepthwiseConv2DInput {
  using Attrs = DepthwiseConv2DInputAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    FJORD_TRY(Type y, convolvedType({DType::kF32, a.inputShape}, in[1], a));
    if (y != in[0])
      return fail("an input of shape ", a.inputShape, " gives ", y.shape, ", not ", in[0].shape);
    return Type{DType::kF32, a.inputShape};
  }
  static int64_t scratch(const ScratchCall& c, const Attrs&) {
    const Shape& f = c.in[1].shape;
    return totalsOf(f[2], f[0] * f[1]) * c.threads * 8;
  }
  static void run(const Call& c, const Attrs& a) {
    Geometry g = geometry(a.inputShape, c.in[1].shape(), a);
    const float *dy = c.in[0].as<float>(), *f = c.in[1].as<float>();
    float* dx = c.out.as<float>();
    int64_t totals = totalsOf(g.c, g.kh * g.kw);
    c.threads.forRange(g.n * g.h, 1, [&](int64_t begin, int64_t end, int part) {
      double* room = totals ? reinterpret_cast<double*>(c.scratch) + part * totals : nullptr;
      for (int64_t row = begin; row < end; ++row) {
        for (int64_t ix = 0; ix < g.w; ++ix) {
          float* to = dx + (row * g.w + ix) * g.c;
          GrowingSums sums(to, room, g.c);
          for (int64_t tap = 0; tap < g.kh * g.kw; ++tap) {
            int64_t oy = g.rows.output(row % g.h, tap / g.kw),
                    ox = g.columns.output(ix, tap % g.kw);
            if (oy < 0 || ox < 0) continue;
            contractInto(dy + ((row / g.h * g.oh + oy) * g.ow + ox) * g.outC(), f + tap * g.outC(),
                         to, g.c, g.m);
            sums.grown();
          }
          sums.finish();
        }
      }
    });
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    Geometry g = geometry(a.inputShape, w.in(1).shape, a);
    depthwiseShader(w, g, g.kh * g.kw * g.m, "toInput");
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    Value dy = g.in[0], filter = g.in[1];
    return {depthwiseConv2d(g.dy, filter, {a.strides, a.dilations, a.padding}),
            depthwiseConv2dFilter(g.dy, dy, {a.strides, a.dilations, a.padding, filter.shape()})};
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachProduct(geometry(a.inputShape, c.in[1].type.shape, a),
                   [&](int64_t x, int64_t f, int64_t y) {
                     c.out.values[x] += c.in[0].values[y] * c.in[1].values[f];
                   });
  }
  static std::vector<Case> cases() {
    std::vector<Case> cases;
    for (const auto& k : kCases) {
      cases.push_back(makeCase(k.name, {floats(outputShape(k)), floats(k.filter)},
                               Attrs{k.strides, k.dilations, k.padding, k.x}));
    }
    return cases;
  }
};

struct DepthwiseConv2DFilter {
  using Attrs = DepthwiseConv2DFilterAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    FJORD_TRY(Type y, convolvedType(in[0], {DType::kF32, a.filterShape}, a));
    if (y != in[1])
      return fail("a filter of shape ", a.filterShape, " gives ", y.shape, ", not ", in[1].shape);
    return Type{DType::kF32, a.filterShape};
  }
  static int64_t scratch(const ScratchCall& c, const Attrs& a) {
    return totalsOf(a.filterShape.size(), c.in[1].shape.size() / c.in[1].shape[3]) * 8;
  }
  /// Adds what pixels [ox, last) of a row give to taps [begin, end).
  static void addPixels(const Geometry& g, const float* x, const float* dy, float* df, int64_t row,
                        int64_t ox, int64_t last, int64_t begin, int64_t end) {
    for (; ox < last; ++ox) {
      const float* from = dy + (row * g.ow + ox) * g.outC();
      for (int64_t tap = begin; tap < end; ++tap) {
        int64_t iy = g.rows.input(row % g.oh, tap / g.kw), ix = g.columns.input(ox, tap % g.kw);
        if (iy < 0 || iy >= g.h || ix < 0 || ix >= g.w) continue;
        multiplyInto(x + ((row / g.oh * g.h + iy) * g.w + ix) * g.c, from, df + tap * g.outC(), g.c,
                     g.m);
      }
    }
  }
  /// A thread has whole taps, so that no two add to the same element.
  static void run(const Call& c, const Attrs& a) {
    Geometry g = geometry(c.in[0].shape(), a.filterShape, a);
    const float *x = c.in[0].as<float>(), *dy = c.in[1].as<float>();
    float* df = c.out.as<float>();
    double* totals =
        totalsOf(1, g.n * g.oh * g.ow) ? reinterpret_cast<double*>(c.scratch) : nullptr;
    c.threads.forRange(g.kh * g.kw, 1, [&](int64_t begin, int64_t end, int) {
      int64_t at = begin * g.outC();
      GrowingSums sums(df + at, totals ? totals + at : nullptr, (end - begin) * g.outC());
      for (int64_t row = 0; row < g.n * g.oh; ++row) {
        constexpr int64_t kPixels = 64;
        for (int64_t ox = 0; ox < g.ow; ox += kPixels) {
          int64_t last = std::min(g.ow, ox + kPixels);
          addPixels(g, x, dy, df, row, ox, last, begin, end);
          sums.grown(last - ox);
        }
      }
      sums.finish();
    });
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    Geometry g = geometry(w.in(0).shape, a.filterShape, a);
    depthwiseShader(w, g, g.n * g.oh * g.ow, "toFilter");
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    Value x = g.in[0], dy = g.in[1];
    return {depthwiseConv2dInput(dy, g.dy, {a.strides, a.dilations, a.padding, x.shape()}),
            depthwiseConv2d(x, g.dy, {a.strides, a.dilations, a.padding})};
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachProduct(geometry(c.in[0].type.shape, a.filterShape, a),
                   [&](int64_t x, int64_t f, int64_t y) {
                     c.out.values[f] += c.in[0].values[x] * c.in[1].values[y];
                   });
  }
  static std::vector<Case> cases() {
    std::vector<Case> cases;
    for (const auto& k : kCases) {
      cases.push_back(makeCase(k.name, {floats(k.x), floats(outputShape(k))},
                               Attrs{k.strides, k.dilations, k.padding, k.filter}));
    }
    return cases;
  }
};

}  // namespace

FJORD_OP(DepthwiseConv2D, depthwiseConv2d)
FJORD_OP(DepthwiseConv2DInput, depthwiseConv2dInput)
FJORD_OP(DepthwiseConv2DFilter, depthwiseConv2dFilter)

}  // namespace fjord
