// Maximum and average pooling over windows of x [N,H,W,C], and their gradients. Padding never wins
// a maximum and is not counted in an average, as in TensorFlow.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/simd.h"
#include "ops/avg_pool.wgsl.h"
#include "ops/definition.h"
#include "ops/long_sum.h"
#include "ops/max_pool.wgsl.h"
#include "ops/max_pool_grad.wgsl.h"
#include "ops/op.h"
#include "ops/window.h"
#include "ops/window.wgsl.h"

namespace fjord {

namespace {

struct Geometry {
  int64_t n, h, w, c, oh, ow;
  Window rows, columns;
};

template <class A>
Geometry geometry(const Shape& x, const A& a) {
  Geometry g{x[0],
             x[1],
             x[2],
             x[3],
             0,
             0,
             windowRows(x[1], a.window.h, a.strides, {}, a.padding),
             windowColumns(x[2], a.window.w, a.strides, {}, a.padding)};
  g.oh = g.rows.outputs;
  g.ow = g.columns.outputs;
  return g;
}

template <class A>
Result<Type> pooledType(const Type& x, const A& a) {
  if (x.dtype != DType::kF32 || x.shape.rank() != 4)
    return fail("needs float32 x [N,H,W,C], got ", x);
  FJORD_CHECK(checkShape(x.shape));
  if (x.shape[3] < 1) return fail("needs at least one channel, got ", x.shape);
  if (a.window.h < 1 || a.window.w < 1)
    return fail("window must be at least 1, got ", a.window.h, " and ", a.window.w);
  FJORD_CHECK(checkWindow(a.strides, {}, a.padding));
  Geometry g = geometry(x.shape, a);
  FJORD_CHECK(checkWindows("window", g.rows, g.columns, g.c));
  for (const Window& w : {g.rows, g.columns}) {
    if (w.before >= w.taps || w.input(w.outputs - 1, 0) >= w.inputs)
      return fail("padding must be smaller than the window: a window sees nothing but padding");
  }
  return Type{DType::kF32, {x.shape[0], g.oh, g.ow, x.shape[3]}};
}

/// f(offset of the input pixel) for the pixels of output (row, ox), row = n * OH + oy.
template <class F>
void forEachPixel(const Geometry& g, int64_t row, int64_t ox, F f) {
  int64_t oy = row % g.oh, n = row / g.oh;
  for (int64_t ky = 0; ky < g.rows.taps; ++ky) {
    int64_t iy = g.rows.input(oy, ky);
    if (iy < 0 || iy >= g.h) continue;
    for (int64_t kx = 0; kx < g.columns.taps; ++kx) {
      int64_t ix = g.columns.input(ox, kx);
      if (ix >= 0 && ix < g.w) f(((n * g.h + iy) * g.w + ix) * g.c);
    }
  }
}

int64_t countPixels(const Geometry& g, int64_t row, int64_t ox) {
  int64_t count = 0;
  forEachPixel(g, row, ox, [&](int64_t) { ++count; });
  return count;
}

/// V vectors of channels of one output pixel: combine(so far, next) over its window. x is the
/// window's first pixel.
template <int V, class Combine, class Load>
void poolPixel(const Geometry& g, const float* x, TapRange rows, TapRange columns, F32 start,
               F32 (&to)[V], const Combine& combine, const Load& load) {
  F32 results[V];
  unrolled<V>([&](auto v) { results[v] = start; });
  for (int64_t ky = rows.begin; ky < rows.end; ++ky) {
    const float* from = x + (ky * g.w + columns.begin) * g.c;
    for (int64_t kx = columns.begin; kx < columns.end; ++kx, from += g.c)
      unrolled<V>([&](auto v) { results[v] = combine(results[v], load(from + v * kLanes)); });
  }
  unrolled<V>([&](auto v) { to[v] = results[v]; });
}

/// Rows [begin, end) of the output: pool(first pixel, rows, columns, results, load) makes vectors of
/// results of a window, finish(result, pixels in the window) an output of each.
template <class Pool, class Finish>
void poolRows(const Geometry& g, const float* x, float* y, int64_t begin, int64_t end,
              const Pool& pool, const Finish& finish) {
  auto load = [](const float* from) { return F32::load(from); };
  auto loadOne = [](const float* from) { return F32(*from); };
  for (int64_t row = begin; row < end; ++row) {
    TapRange rows(g.rows, row % g.oh);
    int64_t top = row / g.oh * g.h + g.rows.input(row % g.oh, 0);
    for (int64_t ox = 0; ox < g.ow; ++ox) {
      TapRange columns(g.columns, ox);
      const float* from = x + (top * g.w + g.columns.input(ox, 0)) * g.c;
      float* to = y + (row * g.ow + ox) * g.c;
      float pixels = static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
      int64_t c = 0;
      auto vectors = [&](auto count) {
        constexpr int kVectors = count;
        for (; c + kVectors * kLanes <= g.c; c += kVectors * kLanes) {
          F32 results[kVectors];
          pool(from + c, rows, columns, results, load);
          unrolled<kVectors>(
              [&](auto v) { finish(results[v], pixels).store(to + c + v * kLanes); });
        }
      };
      vectors(std::integral_constant<int, 4>());
      vectors(std::integral_constant<int, 2>());
      vectors(std::integral_constant<int, 1>());
      // What is left fills no vector.
      for (; c < g.c; ++c) {
        F32 result[1];
        pool(from + c, rows, columns, result, loadOne);
        to[c] = hn::GetLane(finish(result[0], pixels).v);
      }
    }
  }
}

/// Doubles of an image's gradient, where so many windows may share a pixel that their sum is a long one.
int64_t longGradient(const Geometry& g) {
  auto sharers = [](const Window& w) { return (w.taps + w.stride - 1) / w.stride; };
  return sharers(g.rows) * sharers(g.columns) > kShortTerms ? g.h * g.w * g.c : 0;
}

/// gradient(image, its number) for each image, the image in double.
template <class Gradient>
void makeLongGradients(const Geometry& g, const Call& c, const Gradient& gradient) {
  int64_t size = longGradient(g);
  c.threads.forRange(g.n, 1, [&](int64_t begin, int64_t end, int part) {
    double* image = reinterpret_cast<double*>(c.scratch) + part * size;
    for (int64_t n = begin; n < end; ++n) {
      std::fill_n(image, size, 0.0);
      gradient(image, n);
      std::copy_n(image, size, c.out.as<float>() + n * size);
    }
  });
}

/// `form` and element(i) for each element of the output.
void poolShader(ShaderWriter& w, const Geometry& g, std::string_view form, std::string_view f) {
  w.elements(w.out().shape.size());
  windowConstants(w, g.rows, g.columns);
  w.constant("kC", g.c);
  w.numbers(w.out());
  longSums(w, g.rows.taps * g.columns.taps);
  w.text({kWindowWgsl, form, "fn element(i:u32){", f, "(i);}\n"});
}

/// The definition: positions [first, last) of an axis of n pixels that window number o sees. "Same" padding
/// makes as many windows fit as there are strides in the axis, an odd pixel of it after the axis.
struct Seen {
  int32_t first, last;
  Seen(int32_t n, int32_t o, int32_t taps, int32_t stride, int32_t kind, int32_t before) {
    if (kind == Padding::kSame) {
      int32_t windows = n / stride + (n % stride > 0);
      before = std::max(0, (windows - 1) * stride + taps - n) / 2;
    }
    int32_t start = o * stride - (kind == Padding::kValid ? 0 : before);
    first = std::max(0, start);
    last = std::min(n, start + taps);
  }
};

/// f(coordinate) for each element of x [N,H,W,C] that element y [n,oy,ox,c] of the pooled image is
/// made of; gives their number.
template <class A, class F>
int forEachSeen(const Shape& x, const A& a, const Shape& y, F f) {
  Seen rows(x[1], y[1], a.window.h, a.strides.h, a.padding.kind, a.padding.top);
  Seen columns(x[2], y[2], a.window.w, a.strides.w, a.padding.kind, a.padding.left);
  for (int32_t h = rows.first; h < rows.last; ++h) {
    for (int32_t w = columns.first; w < columns.last; ++w) f(Shape{y[0], h, w, y[3]});
  }
  return (rows.last - rows.first) * (columns.last - columns.first);
}

struct PoolCase {
  const char* name;
  Shape x;
  Pair window, strides;
  Padding padding = {};
};
const PoolCase kCases[] = {
    {.name = "2x2", .x = {2, 6, 8, 5}, .window = {2, 2}, .strides = {2, 2}},
    {.name = "2x2 odd image", .x = {1, 7, 5, 17}, .window = {2, 2}, .strides = {2, 2}},
    {.name = "3x3 overlapping same",
     .x = {2, 7, 6, 3},
     .window = {3, 3},
     .strides = {2, 2},
     .padding = {Padding::kSame}},
    {.name = "3x2 stride 1", .x = {1, 5, 6, 9}, .window = {3, 2}, .strides = {1, 1}},
    {.name = "explicit padding",
     .x = {1, 5, 5, 4},
     .window = {3, 3},
     .strides = {2, 1},
     .padding = {Padding::kExplicit, 1, 0, 1, 1}},
    // Four, two and one vector of channels and some more, of four lanes and of eight; three threads
    // have a part of the rows each, which begins within an image.
    {.name = "channels of every width", .x = {3, 9, 9, 63}, .window = {2, 3}, .strides = {1, 1}},
    // An axis unlike the other: windows that leave pixels out beside windows that overlap.
    {.name = "windows apart", .x = {2, 11, 9, 5}, .window = {2, 3}, .strides = {3, 1}},
    {.name = "strides of the same padding",
     .x = {2, 10, 7, 9},
     .window = {2, 5},
     .strides = {3, 2},
     .padding = {Padding::kSame}},
    {.name = "padding on one side",
     .x = {2, 6, 7, 3},
     .window = {4, 3},
     .strides = {3, 2},
     .padding = {Padding::kExplicit, 3, 2, 0, 2}},
    {.name = "window of one", .x = {1, 3, 5, 2}, .window = {1, 1}, .strides = {1, 1}},
    {.name = "one pixel",
     .x = {2, 1, 1, 3},
     .window = {3, 3},
     .strides = {2, 2},
     .padding = {Padding::kSame}},
    // More than kShortTerms pixels of a window, and windows of a pixel: runs of 64 taps, sums in double.
    {.name = "long sums", .x = {2, 19, 18, 3}, .window = {17, 16}, .strides = {1, 1}},
    {.name = "a wide window", .x = {3, 4, 90, 9}, .window = {4, 70}, .strides = {1, 1}},
    {.name = "nothing", .x = {0, 4, 4, 2}, .window = {2, 2}, .strides = {2, 2}},
};
template <class A>
A attrsOf(const PoolCase& k) {
  A a;
  a.window = k.window;
  a.strides = k.strides;
  a.padding = k.padding;
  return a;
}
Input distinct(const Shape& s) { return {{DType::kF32, s}, -1, 1, true}; }

struct MaxPool {
  using Attrs = MaxPoolAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    return pooledType(in[0], a);
  }
  static void run(const Call& c, const Attrs& a) {
    Geometry g = geometry(c.in[0].shape(), a);
    const float* x = c.in[0].as<float>();
    float* y = c.out.as<float>();
    // What is not a number wins: nothing is larger than it.
    auto larger = [](F32 best, F32 v) { return where((v > best) | (v != v), v, best); };
    auto largest = [&](const float* from, TapRange rows, TapRange columns, auto& best, auto load) {
      F32 start(-std::numeric_limits<double>::infinity());
      poolPixel(g, from, rows, columns, start, best, larger, load);
    };
    auto asItIs = [](F32 best, float) { return best; };
    c.threads.forRange(g.n * g.oh, 1 + 4096 / (g.ow * g.c), [&](int64_t begin, int64_t end, int) {
      poolRows(g, x, y, begin, end, largest, asItIs);
    });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    return {maxPoolGrad(g.in[0], g.y, g.dy, {a.window, a.strides, a.padding})};
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    poolShader(w, geometry(w.in(0).shape, a), kMaxPoolWgsl, "maxPool");
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      double& largest = valueAt(c.out, y) = -INFINITY;
      forEachSeen(c.in[0].type.shape, a, y,
                  [&](const Shape& x) { largest = std::max(largest, valueAt(c.in[0], x)); });
    });
  }
  static std::vector<Case> cases() {
    std::vector<Case> cases;
    for (const auto& k : kCases)
      cases.push_back(makeCase(k.name, {distinct(k.x)}, attrsOf<Attrs>(k)));
    return cases;
  }
};

/// dx from x, y = maxPool(x) and dy: to the first of the window's maxima.
struct MaxPoolGrad {
  using Attrs = MaxPoolGradAttrs;
  static constexpr NoGrad grad{
      "dx is linear in dy, but no op picks the winners of a window; by x it is zero"};
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    FJORD_TRY(Type y, pooledType(in[0], a));
    if (y != in[1] || y != in[2]) return fail("y and dy must be ", y);
    return in[0];
  }
  static int64_t scratch(const ScratchCall& c, const Attrs& a) {
    return longGradient(geometry(c.out.shape, a)) * c.threads * 8;
  }
  static void run(const Call& c, const Attrs& a) {
    Geometry g = geometry(c.in[0].shape(), a);
    const float *x = c.in[0].as<float>(), *y = c.in[1].as<float>(), *dy = c.in[2].as<float>();
    float* dx = c.out.as<float>();
    int64_t image = g.h * g.w * g.c, results = g.oh * g.ow * g.c;
    auto add = [](auto sum, auto v) { return sum + v; };
    if (longGradient(g)) {
      return makeLongGradients(g, c, [&](double* to, int64_t n) {
        passBack(g, x + n * image, y + n * results, dy + n * results, to, 0, g.oh, add);
      });
    }
    // Windows that overlap add up, one image on one thread; others write each pixel once.
    bool disjoint = g.rows.stride >= g.rows.taps && g.columns.stride >= g.columns.taps;
    bool covers = disjoint && g.rows.before == 0 && g.columns.before == 0 &&
                  g.rows.stride == g.rows.taps && g.columns.stride == g.columns.taps &&
                  g.h == g.oh * g.rows.taps && g.w == g.ow * g.columns.taps;
    c.threads.forRange(g.n, 1, [&](int64_t begin, int64_t end, int) {
      if (!covers) std::fill(dx + begin * image, dx + end * image, 0.0f);
      if (disjoint) {
        passBack(g, x, y, dy, dx, begin * g.oh, end * g.oh, [](auto, auto v) { return v; });
      } else {
        passBack(g, x, y, dy, dx, begin * g.oh, end * g.oh, add);
      }
    });
  }
  /// dx of a pixel becomes put(dx, dy or 0), for the windows of rows [begin, end).
  template <class T, class Put>
  static void passBack(const Geometry& g, const float* x, const float* y, const float* dy, T* dx,
                       int64_t begin, int64_t end, const Put& put) {
    for (int64_t row = begin; row < end; ++row) {
      TapRange rows(g.rows, row % g.oh);
      int64_t top = row / g.oh * g.h + g.rows.input(row % g.oh, 0);
      for (int64_t ox = 0; ox < g.ow; ++ox) {
        TapRange columns(g.columns, ox);
        int64_t first = (top * g.w + g.columns.input(ox, 0)) * g.c, o = (row * g.ow + ox) * g.c;
        // f(offset of the input pixel's channel c).
        auto forEachTap = [&](int64_t c, const auto& f) {
          for (int64_t ky = rows.begin; ky < rows.end; ++ky) {
            int64_t at = first + (ky * g.w + columns.begin) * g.c + c;
            for (int64_t kx = columns.begin; kx < columns.end; ++kx, at += g.c) f(at);
          }
        };
        int64_t c = 0;
        for (; std::is_same_v<T, float> && c + kLanes <= g.c; c += kLanes) {
          F32 best = F32::load(y + o + c), open = F32::load(dy + o + c);
          forEachTap(c, [&](int64_t at) {
            Mask wins = F32::load(x + at) == best;
            put(F32::load(dx + at), where(wins, open, F32(0.0))).store(dx + at);
            open = where(wins, F32(0.0), open);
          });
        }
        for (; c < g.c; ++c) {
          float best = y[o + c], open = dy[o + c];
          forEachTap(c, [&](int64_t at) {
            bool wins = x[at] == best;
            dx[at] = put(dx[at], T{wins ? open : 0.0f});
            open = wins ? 0 : open;
          });
        }
      }
    }
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    poolShader(w, geometry(w.in(0).shape, a), kMaxPoolGradWgsl, "maxPoolGrad");
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.in[2].type.shape, [&](const Shape& y) {
      bool found = false;
      forEachSeen(c.in[0].type.shape, a, y, [&](const Shape& x) {
        if (found || valueAt(c.in[0], x) != valueAt(c.in[1], y)) return;
        valueAt(c.out, x) += valueAt(c.in[2], y);
        found = true;
      });
    });
  }
  // Its y must be a maximum: MaxPool's gradient test is its test.
  static std::vector<Case> cases() { return {}; }
};

struct AvgPool {
  using Attrs = AvgPoolAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    return pooledType(in[0], a);
  }
  static void run(const Call& c, const Attrs& a) {
    Geometry g = geometry(c.in[0].shape(), a);
    const float* x = c.in[0].as<float>();
    float* y = c.out.as<float>();
    auto add = [](F32 sum, F32 v) { return sum + v; };
    auto total = [&](const float* from, TapRange rows, TapRange columns, auto& sums, auto load) {
      poolPixel(g, from, rows, columns, F32(0.0), sums, add, load);
    };
    auto longTotal = [&](const float* from, TapRange rows, TapRange columns, auto& sums,
                         auto load) {
      sumWindow(rows, columns, sums, [&](TapRange down, TapRange across, auto& run) {
        poolPixel(g, from, down, across, F32(0.0), run, add, load);
      });
    };
    bool isLong = g.rows.taps * g.columns.taps > kShortTerms;
    auto share = [](F32 sum, float pixels) { return sum * F32(1.0f / pixels); };
    c.threads.forRange(g.n * g.oh, 1 + 4096 / (g.ow * g.c), [&](int64_t begin, int64_t end, int) {
      isLong ? poolRows(g, x, y, begin, end, longTotal, share)
             : poolRows(g, x, y, begin, end, total, share);
    });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    return {avgPoolGrad(g.dy, {a.window, a.strides, a.padding, g.in[0].shape()})};
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    poolShader(w, geometry(w.in(0).shape, a), kAvgPoolWgsl, "avgPool");
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      double sum = 0;
      int pixels = forEachSeen(c.in[0].type.shape, a, y,
                               [&](const Shape& x) { sum += valueAt(c.in[0], x); });
      valueAt(c.out, y) = sum / pixels;
    });
  }
  static std::vector<Case> cases() {
    std::vector<Case> cases;
    for (const auto& k : kCases)
      cases.push_back(makeCase(k.name, {floats(k.x)}, attrsOf<Attrs>(k)));
    return cases;
  }
};

struct AvgPoolGrad {
  using Attrs = AvgPoolGradAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    FJORD_TRY(Type y, pooledType({DType::kF32, a.inputShape}, a));
    if (y != in[0])
      return fail("an input of shape ", a.inputShape, " gives ", y.shape, ", not ", in[0].shape);
    return Type{DType::kF32, a.inputShape};
  }
  static int64_t scratch(const ScratchCall& c, const Attrs& a) {
    return longGradient(geometry(a.inputShape, a)) * c.threads * 8;
  }
  template <class T>
  static void spread(const Geometry& g, const float* dy, T* dx, int64_t beginImage,
                     int64_t endImage) {
    std::fill(dx + beginImage * g.h * g.w * g.c, dx + endImage * g.h * g.w * g.c, T{0});
    for (int64_t row = beginImage * g.oh; row < endImage * g.oh; ++row) {
      for (int64_t ox = 0; ox < g.ow; ++ox) {
        const float* from = dy + (row * g.ow + ox) * g.c;
        T share = T{1} / static_cast<T>(countPixels(g, row, ox));
        forEachPixel(g, row, ox, [&](int64_t at) {
          for (int64_t i = 0; i < g.c; ++i) dx[at + i] += from[i] * share;
        });
      }
    }
  }
  static void run(const Call& c, const Attrs& a) {
    Geometry g = geometry(a.inputShape, a);
    if (longGradient(g)) {
      const float* dy = c.in[0].as<float>();
      return makeLongGradients(
          g, c, [&](double* to, int64_t n) { spread(g, dy + n * g.oh * g.ow * g.c, to, 0, 1); });
    }
    c.threads.forRange(g.n, 1, [&](int64_t begin, int64_t end, int) {
      spread(g, c.in[0].as<float>(), c.out.as<float>(), begin, end);
    });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    return {avgPool(g.dy, {a.window, a.strides, a.padding})};
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    poolShader(w, geometry(a.inputShape, a), kAvgPoolWgsl, "avgPoolGrad");
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.in[0].type.shape, [&](const Shape& y) {
      int pixels = forEachSeen(a.inputShape, a, y, [](const Shape&) {});
      forEachSeen(a.inputShape, a, y,
                  [&](const Shape& x) { valueAt(c.out, x) += valueAt(c.in[0], y) / pixels; });
    });
  }
  static std::vector<Case> cases() {
    std::vector<Case> cases;
    for (const auto& k : kCases) {
      AvgPoolGradAttrs a = attrsOf<AvgPoolGradAttrs>(k);
      a.inputShape = k.x;
      cases.push_back(makeCase(k.name, {floats(pooledType({DType::kF32, k.x}, a)->shape)}, a));
    }
    return cases;
  }
};

}  // namespace

FJORD_OP(MaxPool, maxPool)
FJORD_OP(MaxPoolGrad, maxPoolGrad)
FJORD_OP(AvgPool, avgPool)
FJORD_OP(AvgPoolGrad, avgPoolGrad)

}  // namespace fjord
