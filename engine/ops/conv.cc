// 2D convolution and its two gradients, all three as matrix products that read the image where it
// lies (correlate.h): no patch is ever copied.
//
//   x [N,H,W,C]   filter [KH,KW,C/groups,OC]   y [N,OH,OW,OC]
#include <cstring>
#include <optional>

#include "ops/conv.wgsl.h"
#include "ops/conv_dx.wgsl.h"
#include "ops/conv_filter.wgsl.h"
#include "ops/conv_y.wgsl.h"
#include "ops/correlate.h"
#include "ops/window.h"
#include "ops/winograd.h"

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

Correlation forward(const Geometry& g) {
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
    transformFilters(w, filters, u, c.threads);
  }
  winograd(w, c.in[0].as<float>(), u, c.out.as<float>(), scratch, c.threads, c.epilogue);
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

/// Images [first, first + count) of the source: where they lie, made in `room` if need be.
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

/// How many images are worked on at a time, that what is made of them stays in cache. The filter's
/// gradient is summed over such blocks, so their size does not depend on the number of threads.
int64_t imagesAtOnce(const Correlation& g, int64_t floatsAnImage) {
  constexpr int64_t kFloats = 1 << 16;
  return std::clamp<int64_t>(kFloats / floatsAnImage, 1, g.n);
}
int64_t imagesAtOnce(const Correlation& g, int threads) {
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
/// pixels that are done and still in cache.
template <class Finish>
void correlateRows(const Correlation& g, int64_t group, const float* images, const float* packedB,
                   float* y, int64_t begin, int64_t end, const Finish& finish) {
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
    for (Taps taps{g, group}; taps.next(chunk); done += chunk.depth) {
      for (int64_t p = 0; p < g.panels(); ++p) {
        int columns = static_cast<int>(std::min<int64_t>(kColumns, columnsInAll - p * kColumns));
        const float* b = packedB + (p * g.depth() + done) * kColumns;
        for (int64_t r = 0; r < rows; r += kRows) {
          Target to{y + (begin + r) * g.oc + p * kColumns, g.oc, columns, done > 0};
          runTile(static_cast<int>(std::min<int64_t>(kRows, rows - r)), columns,
                  CorrelateTile{places + r, chunk, 1, b, to});
        }
      }
    }
    finish(begin, begin + rows);
  }
}

int64_t correlateScratch(const Correlation& g, int threads) {
  int64_t images = g.inPlace() ? 0 : imagesAtOnce(g, threads) * g.image();
  return images + g.packedFloats();
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

/// y = the correlation of the source with the filter, which packB packs unless that is prepared.
template <class PackB>
void correlate(const Correlation& g, const PackB& packB, const Call& c) {
  const float* source = c.in[0].as<float>();
  float *y = c.out.as<float>(), *scratch = reinterpret_cast<float*>(c.scratch);
  Threads& threads = c.threads;
  const Epilogue& epilogue = c.epilogue;
  int64_t columns = g.oc / g.groups, pixels = g.oh * g.ow, step = imagesAtOnce(g, threads.count());
  float* room = scratch + g.packedFloats();
  int64_t grain = kRows * (1 + kThreadFlops / (2 * kRows * g.depth() * columns + 1) / 2);
  for (int64_t group = 0; group < g.groups; ++group) {
    const float* packedB = scratch;
    if (c.prepared) {
      packedB = reinterpret_cast<const float*>(c.prepared) + group * g.packedFloats();
    } else {
      packFilter(g, group, packB, scratch, threads);
    }
    for (int64_t n = 0; n < g.n; n += step) {
      int64_t count = std::min(step, g.n - n);
      const float* images = makeImages(g, source, n, count, room, threads);
      threads.forRange(count * pixels, grain, [&](int64_t begin, int64_t end, int part) {
        float* to = y + n * pixels * g.oc + group * columns;
        correlateRows(g, group, images, packedB, to, begin, end, [&](int64_t from, int64_t last) {
          if (g.groups == 1) epilogue((n * pixels + from) * g.oc, (n * pixels + last) * g.oc, part);
        });
      });
    }
  }
  if (g.groups > 1) epilogue(0, g.n * pixels * g.oc, 0);
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

// ---- the gradient by the filter: rows are taps, the depth is the pixels of all images

int64_t filterScratch(const Correlation& g) {
  int64_t images = g.inPlace() ? 0 : g.image(), b = g.oh * g.ow * g.panels() * kColumns;
  return imagesAtOnce(g, images + b) * (images + b);
}

/// The lines of output pixels of a block of images, as offsets from a tap's place; chunk by chunk.
struct Lines {
  const Correlation& g;
  int64_t images;
  int64_t line = 0, within = 0;

  bool next(Chunk& chunk) {
    chunk.clear();
    for (; line < images * g.oh; ++line, within = 0) {
      int64_t offset = line / g.oh * g.image() + line % g.oh * g.strideY * g.line();
      within += chunk.add(offset + within * g.strideX * g.c, g.ow - within);
      if (within < g.ow) break;
    }
    return chunk.depth > 0;
  }
};

/// Adds what a block of images gives to tiles [begin, end) of the filter's gradient, counted down
/// the taps and then across the panels.
void filterTiles(const Correlation& g, int64_t group, const float* images, int64_t count,
                 const float* packedB, float* filter, bool accumulate, int64_t begin, int64_t end) {
  int64_t depth = g.depth(), rowTiles = (depth + kRows - 1) / kRows, c = g.c / g.groups;
  int64_t pixels = count * g.oh * g.ow, done = 0;
  Chunk chunk;
  for (Lines lines{g, count}; lines.next(chunk); done += chunk.depth) {
    for (int64_t t = begin; t < end; ++t) {
      int64_t tap = t % rowTiles * kRows, column = t / rowTiles * kColumns;
      int rows = static_cast<int>(std::min<int64_t>(kRows, depth - tap));
      const float* places[kRows];
      for (int r = 0; r < rows; ++r) {
        int64_t ky = (tap + r) / c / g.kw, kx = (tap + r) / c % g.kw;
        places[r] = images + ky * g.dilationY * g.line() + kx * g.dilationX * g.c + group * c +
                    (tap + r) % c;
      }
      int columns = static_cast<int>(std::min<int64_t>(kColumns, g.oc / g.groups - column));
      Target to{filter + tap * g.oc + column, g.oc, columns, accumulate || done > 0};
      const float* b = packedB + (t / rowTiles * pixels + done) * kColumns;
      runTile(rows, columns, CorrelateTile{places, chunk, g.strideX * g.c, b, to});
    }
  }
}

/// Columns [column, +columns) of dy at pixels [begin, end) as a panel.
void packPixels(const float* dy, int64_t oc, int64_t columns, int64_t begin, int64_t end,
                float* panel) {
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t j = 0; j < kColumns; ++j)
      panel[i * kColumns + j] = j < columns ? dy[i * oc + j] : 0;
  }
}

void filterGradient(const Correlation& g, const float* x, const float* dy, float* filter,
                    float* scratch, Threads& threads, const Epilogue& epilogue) {
  int64_t imageFloats = g.inPlace() ? 0 : g.image(), pixels = g.oh * g.ow;
  int64_t step = imagesAtOnce(g, imageFloats + pixels * g.panels() * kColumns);
  int64_t tiles = (g.depth() + kRows - 1) / kRows * g.panels();
  for (int64_t group = 0; group < g.groups; ++group) {
    int64_t columns = g.oc / g.groups;
    for (int64_t n = 0; n < g.n; n += step) {
      int64_t count = std::min(step, g.n - n);
      float* packedB = scratch + step * imageFloats;
      const float* images = makeImages(g, x, n, count, scratch, threads);
      const float* from = dy + n * pixels * g.oc + group * columns;
      threads.forRange(count * pixels, 1 + 4096 / g.oc, [&](int64_t begin, int64_t end, int) {
        for (int64_t p = 0; p < g.panels(); ++p) {
          packPixels(from + p * kColumns, g.oc, columns - p * kColumns, begin, end,
                     packedB + p * count * pixels * kColumns);
        }
      });
      int64_t grain = 1 + kThreadFlops / (2 * kRows * kColumns * count * pixels) / 2;
      threads.forRange(tiles, grain, [&](int64_t begin, int64_t end, int) {
        filterTiles(g, group, images, count, packedB, filter + group * columns, n > 0, begin, end);
      });
    }
  }
  threads.forRange(g.depth() * g.oc, 4096,
                   [&](int64_t begin, int64_t end, int part) { epilogue(begin, end, part); });
}

/// One of the three forms of conv.wgsl, a product for each group.
void convShader(ShaderWriter& w, const Geometry& g, std::string_view form) {
  windowConstants(w, g.rows, g.columns);
  w.constant("kC", g.c);
  w.constant("kOC", g.oc);
  w.constant("kGroupC", g.groupC());
  w.constant("kGroupOC", g.groupOC());
  w.text({kConvWgsl, form});
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
    Geometry g = geometry(c.in[0].shape, c.in[1].shape, a);
    if (c.winograd)
      if (auto w = winogradForward(g, c.prepared)) return winogradScratch(*w, c);
    return correlateScratch(forward(g), c.threads) * 4;
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
    w.gemm(g.n * g.oh * g.ow, g.groupOC(), g.kh * g.kw * g.groupC(), g.groups, true, false);
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
    w.gemm(g.n * g.h * g.w, g.groupC(), g.kh * g.kw * g.groupOC(), g.groups, true, true);
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
    return filterScratch(forward(geometry(c.in[0].shape, a.filterShape, a))) * 4;
  }
  static void run(const Call& c, const Attrs& a) {
    filterGradient(forward(geometry(c.in[0].shape(), a.filterShape, a)), c.in[0].as<float>(),
                   c.in[1].as<float>(), c.out.as<float>(), reinterpret_cast<float*>(c.scratch),
                   c.threads, c.epilogue);
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    Geometry g = geometry(w.in(0).shape, a.filterShape, a);
    w.gemm(g.kh * g.kw * g.groupC(), g.groupOC(), g.n * g.oh * g.ow, g.groups, false, false);
    convShader(w, g, kConvFilterWgsl);
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
