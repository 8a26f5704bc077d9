#include "ops/winograd.h"

namespace fjord {

namespace {

constexpr int kIn = Winograd::kIn, kOut = Winograd::kOut, kProducts = Winograd::kProducts;

/// B' d: what becomes of six values in a column or a row of an image tile.
[[gnu::always_inline]] inline void transformInput(const F32 (&d)[6], F32 (&v)[6]) {
  F32 a = d[4] - d[2] * F32(4.0), b = d[3] - d[1] * F32(4.0);
  F32 c = d[4] - d[2], e = (d[3] - d[1]) * F32(2.0);
  v[0] = d[0] * F32(4.0) - d[2] * F32(5.0) + d[4];
  v[1] = a + b;
  v[2] = a - b;
  v[3] = c + e;
  v[4] = c - e;
  v[5] = d[1] * F32(4.0) - d[3] * F32(5.0) + d[5];
}

/// A' m: four outputs of six products.
[[gnu::always_inline]] inline void transformOutput(const F32 (&m)[6], F32 (&y)[4]) {
  F32 a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
  y[0] = m[0] + a + c;
  y[1] = b + d * F32(2.0);
  y[2] = a + c * F32(4.0);
  y[3] = b + d * F32(8.0) + m[5];
}

/// G g: six values of three.
void transformFilter(const double (&g)[3], double (&u)[6]) {
  double even = g[0] + g[2], wide = g[0] / 24 + g[2] / 6;
  u[0] = g[0] / 4;
  u[1] = -(even + g[1]) / 6;
  u[2] = -(even - g[1]) / 6;
  u[3] = wide + g[1] / 12;
  u[4] = wide - g[1] / 12;
  u[5] = g[2];
}

/// Where a tile stands.
struct Place {
  int64_t image, y, x;  // the first output pixel
  Place(const Winograd& g, int64_t tile)
      : image(tile / (g.tilesX() * g.tilesY())),
        y(tile / g.tilesX() % g.tilesY() * kOut),
        x(tile % g.tilesX() * kOut) {}
};

/// One tile of the image into v[36], rows `apart` from one product to the next.
void inputTile(const Winograd& g, const float* x, const Place& at, float* v, int64_t apart) {
  const float* image = x + at.image * g.h * g.w * g.c;
  int64_t top = at.y - g.beforeY, left = at.x - g.beforeX;
  bool inside = top >= 0 && left >= 0 && top + kIn <= g.h && left + kIn <= g.w;
  for (int64_t c = 0; c < g.c; c += kLanes) {
    F32 columns[kIn][kIn];
    for (int j = 0; j < kIn; ++j) {
      F32 d[kIn], t[kIn];
      unrolled<kIn>([&](auto i) {
        int64_t row = top + i, column = left + j;
        bool there = inside || (row >= 0 && row < g.h && column >= 0 && column < g.w);
        d[i] = there ? F32::load(image + (row * g.w + column) * g.c + c) : F32(0.0);
      });
      transformInput(d, t);
      unrolled<kIn>([&](auto i) { columns[i][j] = t[i]; });
    }
    for (int i = 0; i < kIn; ++i) {
      F32 t[kIn];
      transformInput(columns[i], t);
      unrolled<kIn>([&](auto j) { t[j].store(v + (i * kIn + j) * apart + c); });
    }
  }
}

/// The products m[36] of one tile to its 4x4 outputs, as many as there are.
void outputTile(const Winograd& g, const float* m, int64_t apart, const Place& at, float* y) {
  int64_t rows = std::min<int64_t>(kOut, g.oh - at.y),
          columns = std::min<int64_t>(kOut, g.ow - at.x);
  float* to = y + ((at.image * g.oh + at.y) * g.ow + at.x) * g.oc;
  for (int64_t c = 0; c < g.oc; c += kLanes) {
    F32 half[kOut][kIn];
    for (int j = 0; j < kIn; ++j) {
      F32 d[kIn], t[kOut];
      unrolled<kIn>([&](auto i) { d[i] = F32::load(m + (i * kIn + j) * apart + c); });
      transformOutput(d, t);
      unrolled<kOut>([&](auto i) { half[i][j] = t[i]; });
    }
    for (int64_t i = 0; i < rows; ++i) {
      F32 t[kOut];
      transformOutput(half[i], t);
      unrolled<kOut>([&](auto j) {
        if (j < columns) t[j].store(to + (i * g.ow + j) * g.oc + c);
      });
    }
  }
}

/// m_i [count,OC] = v_i [count,C] u_i [C,OC] for each of the 36.
void multiplyTiles(const Winograd& g, int64_t count, const float* v, const float* u, float* m) {
  Chunk chunk;
  for (int i = 0; i < kProducts; ++i) {
    for (int64_t k = 0; k < g.c; k += chunk.depth) {
      chunk.clear();
      chunk.add(k, g.c - k);
      for (int64_t p = 0; p < g.panels(); ++p) {
        int columns = static_cast<int>(std::min<int64_t>(kColumns, g.oc - p * kColumns));
        const float* panel = u + ((i * g.panels() + p) * g.c + k) * kColumns;
        for (int64_t t = 0; t < count; t += kRows) {
          const float* rows[kRows];
          int used = static_cast<int>(std::min<int64_t>(kRows, count - t));
          for (int r = 0; r < used; ++r) rows[r] = v + (i * count + t + r) * g.c;
          Target to{m + (i * count + t) * g.oc + p * kColumns, g.oc, columns, k > 0};
          runTile(used, columns, CorrelateTile{rows, chunk, 1, panel, to});
        }
      }
    }
  }
}

/// Runs the epilogue over the outputs of neighbouring tiles, row by row.
void finishTiles(const Winograd& g, int64_t begin, int64_t end, const Epilogue& epilogue,
                 int part) {
  while (begin < end) {
    Place first(g, begin);
    int64_t count = std::min(end - begin, g.tilesX() - begin % g.tilesX());
    int64_t width = std::min(count * kOut, g.ow - first.x);
    for (int64_t row = first.y; row < std::min<int64_t>(first.y + kOut, g.oh); ++row) {
      int64_t from = ((first.image * g.oh + row) * g.ow + first.x) * g.oc;
      epilogue(from, from + width * g.oc, part);
    }
    begin += count;
  }
}

}  // namespace

void transformFilters(const Winograd& g, const Filters3x3& filters, float* u, Threads& threads) {
  threads.forRange(g.panels(), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t at = begin * g.c * kColumns; at < end * g.c * kColumns; ++at) {
      int64_t c = at / kColumns % g.c, o = at / (g.c * kColumns) * kColumns + at % kColumns;
      double rows[kIn][3] = {}, column[3], values[kIn];
      for (int j = 0; j < 3 && o < g.oc; ++j) {
        const float* from =
            filters.first + j * filters.column + c * filters.input + o * filters.output;
        for (int i = 0; i < 3; ++i) column[i] = from[i * filters.row];
        transformFilter(column, values);
        for (int i = 0; i < kIn; ++i) rows[i][j] = values[i];
      }
      for (int i = 0; i < kIn; ++i) {
        transformFilter(rows[i], values);
        for (int j = 0; j < kIn; ++j) {
          u[(i * kIn + j) * g.panels() * g.c * kColumns + at] = static_cast<float>(values[j]);
        }
      }
    }
  });
}

void winograd(const Winograd& g, const float* x, const float* u, float* y, float* scratch,
              Threads& threads, const Epilogue& epilogue, const Share& share) {
  // A multiple of the kernel's rows, so that a tile is computed alike whoever computes it.
  auto [first, last] = share.of(g.tiles(), kRows);
  threads.forRange(last - first, kRows, [&](int64_t from, int64_t to, int part) {
    int64_t begin = first + from, end = first + to;
    float* v = scratch + part * g.scratchFloats();
    float* m = v + g.block() * kProducts * g.c;
    for (; begin < end; begin += g.block()) {
      int64_t count = std::min(g.block(), end - begin);
      for (int64_t t = 0; t < count; ++t)
        inputTile(g, x, Place(g, begin + t), v + t * g.c, count * g.c);
      multiplyTiles(g, count, v, u, m);
      for (int64_t t = 0; t < count; ++t)
        outputTile(g, m + t * g.oc, count * g.oc, Place(g, begin + t), y);
      finishTiles(g, begin, begin + count, epilogue, part);
    }
  });
}

}  // namespace fjord
