// 2D convolution and its two gradients, all three as matrix products that read the image where it
// lies (correlate.h): no patch is ever copied.
//
//   x [N,H,W,C]   filter [KH,KW,C/groups,OC]   y [N,OH,OW,OC]
#include "ops/conv.h"

#include <cstring>
#include <optional>

#include "ops/conv.wgsl.h"
#include "ops/conv_dx.wgsl.h"
#include "ops/conv_y.wgsl.h"
#include "ops/window.wgsl.h"
#include "ops/winograd.h"

namespace fjord {

namespace conv {

namespace {

/// Writes lines [begin, end) of an image of the source.
void makeImage(const Correlation& g, const float* source, int64_t begin, int64_t end, float* to) {
  int64_t width = g.imageW(), first = std::max<int64_t>(0, g.beforeX);
  for (int64_t y = begin; y < end; ++y) {
    float* line = to + y * width * g.c;
    std::memset(line, 0, sizeof(float) * width * g.c);
    int64_t at = y - g.beforeY;
    if (at < 0 || at % g.spreadY != 0 || at / g.spreadY >= g.h) continue;
    const float* from = source + at / g.spreadY * g.w * g.c;
    // The first source pixel at or after the left edge.
    int64_t x = (first - g.beforeX + g.spreadX - 1) / g.spreadX;
    int64_t pixels = (width - g.beforeX - x * g.spreadX + g.spreadX - 1) / g.spreadX;
    pixels = std::min(pixels, g.w - x);
    if (g.spreadX == 1) {
      if (pixels > 0)
        std::memcpy(line + (g.beforeX + x) * g.c, from + x * g.c, sizeof(float) * pixels * g.c);
      continue;
    }
    for (int64_t i = x; i < x + pixels; ++i)
      std::memcpy(line + (g.beforeX + i * g.spreadX) * g.c, from + i * g.c, sizeof(float) * g.c);
  }
}

}  // namespace

const float* makeImages(const Correlation& g, const float* source, int64_t first, int64_t count,
                        float* room, Threads& threads) {
  source += first * g.h * g.w * g.c;
  if (g.inPlace()) return source;
  int64_t lines = g.imageH();
  threads.forRange(count * lines, 1 + 4096 / g.line(), [&](int64_t begin, int64_t end, int) {
    while (begin < end) {
      int64_t n = begin / lines, last = std::min(end - n * lines, lines);
      makeImage(g, source + n * g.h * g.w * g.c, begin - n * lines, last, room + n * g.image());
      begin = n * lines + last;
    }
  });
  return room;
}

int64_t imagesAtOnce(const Correlation& g, int64_t floatsAnImage) {
  constexpr int64_t kFloats = 1 << 16;
  return std::clamp<int64_t>(kFloats / floatsAnImage, 1, g.n);
}

void convShader(ShaderWriter& w, const Geometry& g, std::string_view form) {
  windowConstants(w, g.rows, g.columns);
  w.constant("kC", g.c);
  w.constant("kOC", g.oc);
  w.constant("kGroupC", g.groupC());
  w.constant("kGroupOC", g.groupOC());
  w.text({kWindowWgsl, kConvWgsl, form});
  w.endGemm();
}

}  // namespace conv

namespace {

using namespace conv;

/// Whether Winograd's algorithm can do it.
bool isWinograd(const Geometry& g) {
  return g.kh == 3 && g.kw == 3 && g.groups == 1 && g.rows.stride == 1 && g.columns.stride == 1 &&
         g.rows.dilation == 1 && g.columns.dilation == 1;
}

/// y, or dx, by Winograd's algorithm, if that is for it.
std::optional<Winograd> winogradForward(const Geometry& g, bool prepared) {
  Winograd w{g.n, g.h, g.w, g.c, g.oh, g.ow, g.oc, g.rows.before, g.columns.before};
  return isWinograd(g) && w.wins(prepared) ? std::optional(w) : std::nullopt;
}
std::optional<Winograd> winogradBackward(const Geometry& g, bool prepared) {
  Winograd w{g.n, g.oh, g.ow, g.oc, g.h, g.w, g.c, 2 - g.rows.before, 2 - g.columns.before};
  return isWinograd(g) && w.wins(prepared) ? std::optional(w) : std::nullopt;
}

/// A filter [3,3,C,OC]; for dx its taps go from the last to the first, from outputs to inputs.
Filters3x3 forwardFilters(const Geometry& g, const float* filter) {
  return {filter, 3 * g.c * g.oc, g.c * g.oc, g.oc, 1};
}
Filters3x3 backwardFilters(const Geometry& g, const float* filter) {
  return {filter + 8 * g.c * g.oc, -3 * g.c * g.oc, -g.c * g.oc, 1, g.oc};
}

int64_t winogradScratch(const Winograd& w, const ScratchCall& c) {
  return (w.scratchFloats() * c.threads + (c.prepared ? 0 : w.preparedFloats())) * 4;
}

/// Transforms the filters first, unless they are prepared.
void runWinograd(const Winograd& w, const Filters3x3& filters, const Call& c) {
  float* scratch = reinterpret_cast<float*>(c.scratch);
  float* u = reinterpret_cast<float*>(c.prepared);
  if (!u) {
    u = scratch + w.scratchFloats() * c.threads.count();
    if (c.share.isFirst()) transformFilters(w, filters, u, c.threads);
  }
  winograd(w, c.in[0].as<float>(), u, c.out.as<float>(), scratch, c.threads, c.epilogue, c.share);
}

/// dx of a convolution is a correlation of dy, its pixels a stride apart, with the taps from the
/// last to the first.
Correlation backward(const Geometry& g) {
  return {g.n,
          g.oh,
          g.ow,
          g.oc,
          g.rows.stride,
          g.columns.stride,
          (g.kh - 1) * g.rows.dilation - g.rows.before,
          (g.kw - 1) * g.columns.dilation - g.columns.before,
          g.h,
          g.w,
          g.c,
          g.kh,
          g.kw,
          g.groups,
          1,
          1,
          g.rows.dilation,
          g.columns.dilation};
}

/// At least an image for each thread.
int64_t imagesForThreads(const Correlation& g, int threads) {
  if (g.inPlace()) return g.n;
  return std::max(imagesAtOnce(g, g.image()), std::min<int64_t>(g.n, threads));
}

/// The taps of one group, as offsets from an output pixel's place in the image; chunk by chunk.
struct Taps {
  const Correlation& g;
  int64_t group;
  bool neighbours = g.groups == 1 && g.dilationX == 1;  // along a filter row
  int64_t runs = neighbours ? g.kh : g.kh * g.kw, floats = g.depth() / runs, run = 0, within = 0;

  /// The next chunk; false at the end.
  bool next(Chunk& chunk) {
    chunk.clear();
    for (; run < runs; ++run, within = 0) {
      int64_t ky = neighbours ? run : run / g.kw, kx = neighbours ? 0 : run % g.kw;
      int64_t offset =
          ky * g.dilationY * g.line() + kx * g.dilationX * g.c + group * (g.c / g.groups);
      within += chunk.add(offset + within, floats - within);
      if (within < floats) break;
    }
    return chunk.depth > 0;
  }
};

/// Output pixels [begin, end) of a block of images, one group of channels; finish(begin, end) for
/// pixels that are done and still in cache. A depth that needs them has `totals` of kBlockRows pixels.
template <class Finish>
void correlateRows(const Correlation& g, int64_t group, const float* images, const float* packedB,
                   float* y, double* totals, int64_t begin, int64_t end, const Finish& finish) {
  int64_t columnsInAll = g.oc / g.groups;
  int64_t ox = begin % g.ow, oy = begin / g.ow % g.oh, n = begin / g.ow / g.oh;
  Chunk chunk;
  for (; begin < end; begin += kBlockRows) {
    const float* places[kBlockRows];
    int64_t rows = std::min<int64_t>(kBlockRows, end - begin);
    for (int64_t r = 0; r < rows;) {
      const float* line = images + n * g.image() + oy * g.strideY * g.line();
      for (; ox < g.ow && r < rows; ++ox, ++r) places[r] = line + ox * g.strideX * g.c;
      if (ox < g.ow) continue;
      ox = 0;
      if (++oy < g.oh) continue;
      oy = 0;
      ++n;
    }
    int64_t done = 0;
    ChunkSums sums;
    for (Taps taps{g, group}; taps.next(chunk); done += chunk.depth) {
      for (int64_t p = 0; p < g.panels(); ++p) {
        int columns = static_cast<int>(std::min<int64_t>(kColumns, columnsInAll - p * kColumns));
        const float* b = packedB + (p * g.depth() + done) * kColumns;
        for (int64_t r = 0; r < rows; r += kRows) {
          Target to{y + (begin + r) * g.oc + p * kColumns, g.oc, columns, sums.accumulates()};
          runTile(static_cast<int>(std::min<int64_t>(kRows, rows - r)), columns,
                  CorrelateTile{places + r, chunk, 1, b, to});
        }
      }
      if (sums.endRun(chunk, done + chunk.depth == g.depth()) && totals) {
        addTotals(y + begin * g.oc, g.oc, totals, columnsInAll, rows, columnsInAll, sums.ended);
      }
    }
    finish(begin, begin + rows);
  }
}

/// Floats of the totals that a thread needs.
int64_t correlateTotals(const Correlation& g) {
  return totalsFloats(kBlockRows, g.oc / g.groups, g.depth());
}

int64_t correlateScratch(const Correlation& g, int threads) {
  int64_t images = g.inPlace() ? 0 : imagesForThreads(g, threads) * g.image();
  return images + g.packedFloats() + correlateTotals(g) * threads;
}

/// Packs a group's filter: packB(group, column, columns, panel) gives the whole depth of some
/// columns.
template <class PackB>
void packFilter(const Correlation& g, int64_t group, const PackB& packB, float* to,
                Threads& threads) {
  int64_t columns = g.oc / g.groups;
  threads.forRange(g.panels(), 1 + 16384 / g.depth(), [&](int64_t begin, int64_t end, int) {
    for (int64_t p = begin; p < end; ++p) {
      packB(group, p * kColumns, std::min<int64_t>(kColumns, columns - p * kColumns),
            to + p * g.depth() * kColumns);
    }
  });
}

/// The filters of all groups, to be packed once.
template <class PackB>
void prepareFilter(const Correlation& g, const PackB& packB, const Call& c) {
  float* to = reinterpret_cast<float*>(c.prepared);
  for (int64_t group = 0; group < g.groups; ++group, to += g.packedFloats())
    packFilter(g, group, packB, to, c.threads);
}

/// y = the correlation of the source with the filter, which packB packs unless that is prepared. A share
/// is of the pixels of all images, group by group.
template <class PackB>
void correlate(const Correlation& g, const PackB& packB, const Call& c) {
  const float* source = c.in[0].as<float>();
  float *y = c.out.as<float>(), *scratch = reinterpret_cast<float*>(c.scratch);
  Threads& threads = c.threads;
  const Epilogue& epilogue = c.epilogue;
  double* totals = reinterpret_cast<double*>(scratch);
  int64_t totalsOfPart = correlateTotals(g) / 2;
  scratch += correlateTotals(g) * threads.count();
  int64_t columns = g.oc / g.groups, pixels = g.oh * g.ow,
          step = imagesForThreads(g, threads.count());
  float* room = scratch + g.packedFloats();
  int64_t grain = kRows * (1 + kThreadFlops / (2 * kRows * g.depth() * columns + 1) / 2);
  if (g.n * pixels == 0) return;
  int64_t tiles = (g.n * pixels + kRows - 1) / kRows;
  auto [firstTile, lastTile] = c.share.of(g.groups * tiles);
  for (int64_t group = firstTile / tiles; group * tiles < lastTile; ++group) {
    int64_t first = std::max<int64_t>(0, firstTile - group * tiles) * kRows;
    int64_t last = std::min(g.n * pixels, (lastTile - group * tiles) * kRows);
    const float* packedB = scratch;
    if (c.prepared) {
      packedB = reinterpret_cast<const float*>(c.prepared) + group * g.packedFloats();
    } else if (first == 0) {
      packFilter(g, group, packB, scratch, threads);
    }
    for (int64_t n = first / pixels / step * step; n * pixels < last; n += step) {
      int64_t count = std::min(step, g.n - n);
      int64_t from = std::max<int64_t>(0, first - n * pixels);
      int64_t to = std::min(count * pixels, last - n * pixels);
      // A share that begins within a block finds its images made.
      const float* images =
          from > 0 && !g.inPlace() ? room : makeImages(g, source, n, count, room, threads);
      threads.forRange(to - from, grain, [&](int64_t begin, int64_t end, int part) {
        begin += from;
        end += from;
        float* to = y + n * pixels * g.oc + group * columns;
        auto finish = [&](int64_t from, int64_t last) {
          if (g.groups == 1) epilogue((n * pixels + from) * g.oc, (n * pixels + last) * g.oc, part);
        };
        double* room = totalsOfPart ? totals + part * totalsOfPart : nullptr;
        correlateRows(g, group, images, packedB, to, room, begin, end, finish);
      });
    }
  }
  if (g.groups > 1 && c.share.isLast()) epilogue(0, g.n * pixels * g.oc, 0);
}

/// A panel of a filter [KH,KW,C/groups,OC]: its columns are output channels.
struct ForwardFilter {
  const Geometry& g;
  const float* filter;
  void operator()(int64_t group, int64_t column, int64_t columns, float* panel) const {
    const float* from = filter + group * g.groupOC() + column;
    for (int64_t k = 0; k < g.kh * g.kw * g.groupC(); ++k, from += g.oc, panel += kColumns) {
      for (int64_t j = 0; j < kColumns; ++j) panel[j] = j < columns ? from[j] : 0;
    }
  }
};

/// The same filter for the way back: the taps from the last to the first, each with the output
/// channels as depth; its columns are input channels.
struct BackwardFilter {
  const Geometry& g;
  const float* filter;
  void operator()(int64_t group, int64_t column, int64_t columns, float* panel) const {
    for (int64_t tap = g.kh * g.kw - 1; tap >= 0; --tap) {
      const float* from = filter + (tap * g.groupC() + column) * g.oc + group * g.groupOC();
      for (int64_t o = 0; o < g.groupOC(); ++o, panel += kColumns) {
        for (int64_t j = 0; j < kColumns; ++j) panel[j] = j < columns ? from[j * g.oc + o] : 0;
      }
    }
  }
};

struct Conv2D {
  using Attrs = Conv2DAttrs;
  static constexpr bool kEpilogue = true;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    FJORD_CHECK(checkFloats(in));
    return convolvedType(in[0].shape, in[1].shape, a);
  }
  static int64_t scratch(const ScratchCall& c, const Attrs& a) {
    Geometry g = geometry(c.in[0].shape, c.in[1].shape, a);
    if (c.winograd)
      if (auto w = winogradForward(g, c.prepared)) return winogradScratch(*w, c);
    return correlateScratch(forward(g), c.threads) * 4;
  }
  static int64_t work(const ScratchCall& c, const Attrs& a) {
    return geometry(c.in[0].shape, c.in[1].shape, a).work();
  }
  static int64_t prepared(const ScratchCall& c, const Attrs& a) {
    Geometry g = geometry(c.in[0].shape, c.in[1].shape, a);
    if (c.winograd)
      if (auto w = winogradForward(g, true)) return w->preparedFloats() * 4;
    return forward(g).packedFloats() * a.groups * 4;
  }
  static void prepare(const Call& c, const Attrs& a) {
    Geometry g = geometry(c.in[0].shape(), c.in[1].shape(), a);
    if (c.winograd)
      if (auto w = winogradForward(g, true))
        return transformFilters(*w, forwardFilters(g, c.in[1].as<float>()),
                                reinterpret_cast<float*>(c.prepared), c.threads);
    prepareFilter(forward(g), ForwardFilter{g, c.in[1].as<float>()}, c);
  }
  static void run(const Call& c, const Attrs& a) {
    Geometry g = geometry(c.in[0].shape(), c.in[1].shape(), a);
    if (c.winograd)
      if (auto w = winogradForward(g, c.prepared))
        return runWinograd(*w, forwardFilters(g, c.in[1].as<float>()), c);
    correlate(forward(g), ForwardFilter{g, c.in[1].as<float>()}, c);
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    Geometry g = geometry(w.in(0).shape, w.in(1).shape, a);
    w.gemm(g.n * g.oh * g.ow, g.groupOC(), g.kh * g.kw * g.groupC(), g.groups,
           {true, g.groupC() % 4 == 0}, {false, g.groupOC() % 4 == 0});
    convShader(w, g, kConvYWgsl);
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
    Geometry g = geometry(a.inputShape, c.in[1].shape, a);
    if (c.winograd)
      if (auto w = winogradBackward(g, c.prepared)) return winogradScratch(*w, c);
    return correlateScratch(backward(g), c.threads) * 4;
  }
  static int64_t work(const ScratchCall& c, const Attrs& a) {
    return geometry(a.inputShape, c.in[1].shape, a).work();
  }
  static int64_t prepared(const ScratchCall& c, const Attrs& a) {
    Geometry g = geometry(a.inputShape, c.in[1].shape, a);
    if (c.winograd)
      if (auto w = winogradBackward(g, true)) return w->preparedFloats() * 4;
    return backward(g).packedFloats() * a.groups * 4;
  }
  static void prepare(const Call& c, const Attrs& a) {
    Geometry g = geometry(a.inputShape, c.in[1].shape(), a);
    if (c.winograd)
      if (auto w = winogradBackward(g, true))
        return transformFilters(*w, backwardFilters(g, c.in[1].as<float>()),
                                reinterpret_cast<float*>(c.prepared), c.threads);
    prepareFilter(backward(g), BackwardFilter{g, c.in[1].as<float>()}, c);
  }
  static void run(const Call& c, const Attrs& a) {
    Geometry g = geometry(a.inputShape, c.in[1].shape(), a);
    if (c.winograd)
      if (auto w = winogradBackward(g, c.prepared))
        return runWinograd(*w, backwardFilters(g, c.in[1].as<float>()), c);
    correlate(backward(g), BackwardFilter{g, c.in[1].as<float>()}, c);
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    Geometry g = geometry(a.inputShape, w.in(1).shape, a);
    w.gemm(g.n * g.h * g.w, g.groupC(), g.kh * g.kw * g.groupOC(), g.groups,
           {true, g.groupOC() % 4 == 0}, {true, g.groupOC() % 4 == 0});
    convShader(w, g, kConvDxWgsl);
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
FJORD_COMPOSED(Conv2DTranspose, conv2dTranspose)

}  // namespace fjord
