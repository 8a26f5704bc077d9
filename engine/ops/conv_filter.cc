// The gradient of a convolution by its filter: a product whose rows are taps and whose depth is the
// pixels of all images.
#include <algorithm>

#include "ops/conv.h"
#include "ops/conv_filter.wgsl.h"

namespace fjord {

namespace {

using namespace conv;

/// Floats of the filter's totals, for many pixels.
int64_t filterTotals(const Correlation& g) {
  return totalsFloats(g.depth(), g.oc, g.n * g.oh * g.ow);
}

int64_t filterScratch(const Correlation& g) {
  int64_t images = g.inPlace() ? 0 : g.image(), b = g.oh * g.ow * g.panels() * kColumns;
  return filterTotals(g) + imagesAtOnce(g, images + b) * (images + b);
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
/// the taps and then across the panels. Gives where the sums stand then.
ChunkSums filterTiles(const Correlation& g, int64_t group, const float* images, int64_t count,
                      const float* packedB, float* filter, double* totals, ChunkSums sums,
                      int64_t begin, int64_t end) {
  int64_t depth = g.depth(), rowTiles = (depth + kRows - 1) / kRows, c = g.c / g.groups;
  int64_t pixels = count * g.oh * g.ow, done = 0;
  Chunk chunk;
  // f(tap, column, rows, columns) of each tile.
  auto forTiles = [&](const auto& f) {
    for (int64_t t = begin; t < end; ++t) {
      int64_t tap = t % rowTiles * kRows, column = t / rowTiles * kColumns;
      f(tap, column, static_cast<int>(std::min<int64_t>(kRows, depth - tap)),
        static_cast<int>(std::min<int64_t>(kColumns, g.oc / g.groups - column)));
    }
  };
  for (Lines lines{g, count}; lines.next(chunk); done += chunk.depth) {
    forTiles([&](int64_t tap, int64_t column, int rows, int columns) {
      const float* places[kRows];
      for (int r = 0; r < rows; ++r) {
        int64_t ky = (tap + r) / c / g.kw, kx = (tap + r) / c % g.kw;
        places[r] = images + ky * g.dilationY * g.line() + kx * g.dilationX * g.c + group * c +
                    (tap + r) % c;
      }
      Target to{filter + tap * g.oc + column, g.oc, columns, sums.accumulates()};
      const float* b = packedB + column * pixels + done * kColumns;
      runTile(rows, columns, CorrelateTile{places, chunk, g.strideX * g.c, b, to});
    });
    if (!sums.endRun(chunk, false)) continue;
    forTiles([&](int64_t tap, int64_t column, int rows, int columns) {
      int64_t at = tap * g.oc + column;
      if (totals) addTotals(filter + at, g.oc, totals + at, g.oc, rows, columns, sums.ended);
    });
  }
  return sums;
}

/// Where the sums stand after a block of `count` images.
ChunkSums sumsAfter(const Correlation& g, int64_t count, ChunkSums sums) {
  Chunk chunk;
  for (Lines lines{g, count}; lines.next(chunk);) sums.endRun(chunk, false);
  return sums;
}

/// Columns [column, +columns) of dy at pixels [begin, end) as a panel.
void packPixels(const float* dy, int64_t oc, int64_t columns, int64_t begin, int64_t end,
                float* panel) {
  for (int64_t i = begin; i < end; ++i) {
    for (int64_t j = 0; j < kColumns; ++j)
      panel[i * kColumns + j] = j < columns ? dy[i * oc + j] : 0;
  }
}

/// A share is of the blocks of images, group by group.
void filterGradient(const Correlation& g, const float* x, const float* dy, float* filter,
                    float* scratch, Threads& threads, const Epilogue& epilogue,
                    const Share& share) {
  int64_t imageFloats = g.inPlace() ? 0 : g.image(), pixels = g.oh * g.ow;
  int64_t step = imagesAtOnce(g, imageFloats + pixels * g.panels() * kColumns);
  int64_t tiles = (g.depth() + kRows - 1) / kRows * g.panels();
  double* totals = filterTotals(g) ? reinterpret_cast<double*>(scratch) : nullptr;
  scratch += filterTotals(g);
  ChunkSums sums;
  bool isEmpty = g.n * pixels == 0;
  int64_t blocks = isEmpty ? 1 : (g.n + step - 1) / step;
  auto [firstBlock, lastBlock] = share.of(g.groups * blocks);
  for (int64_t group = firstBlock / blocks; group * blocks < lastBlock && !isEmpty; ++group) {
    int64_t columns = g.oc / g.groups;
    sums = {};
    for (int64_t n = 0, block = group * blocks; n < g.n && block < lastBlock; n += step, ++block) {
      int64_t count = std::min(step, g.n - n);
      if (block < firstBlock) {
        sums = sumsAfter(g, count, sums);
        continue;
      }
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
      ChunkSums before = sums;
      threads.forRange(tiles, grain, [&](int64_t begin, int64_t end, int) {
        ChunkSums after =
            filterTiles(g, group, images, count, packedB, filter + group * columns,
                        totals ? totals + group * columns : nullptr, before, begin, end);
        if (begin == 0) sums = after;
      });
    }
  }
  if (!share.isLast()) return;
  threads.forRange(g.depth() * g.oc, 4096, [&](int64_t begin, int64_t end, int part) {
    if (isEmpty) std::fill_n(filter + begin, end - begin, 0.0f);
    if (sums.next == Run::kInner && totals) {
      // A run that ended with the last chunk is in the totals already.
      if (!sums.accumulates()) std::fill_n(filter + begin, end - begin, 0.0f);
      addTotals(filter + begin, totals + begin, end - begin, Run::kLast);
    }
    epilogue(begin, end, part);
  });
}

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
  static int64_t work(const ScratchCall& c, const Attrs& a) {
    return geometry(c.in[0].shape, a.filterShape, a).work();
  }
  static void run(const Call& c, const Attrs& a) {
    filterGradient(forward(geometry(c.in[0].shape(), a.filterShape, a)), c.in[0].as<float>(),
                   c.in[1].as<float>(), c.out.as<float>(), reinterpret_cast<float*>(c.scratch),
                   c.threads, c.epilogue, c.share);
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    Geometry g = geometry(w.in(0).shape, a.filterShape, a);
    w.gemm(g.kh * g.kw * g.groupC(), g.groupOC(), g.n * g.oh * g.ow, g.groups,
           {false, g.groupC() % 4 == 0}, {false, g.groupOC() % 4 == 0});
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

}  // namespace

FJORD_OP(Conv2DFilter, conv2dFilter)

}  // namespace fjord
