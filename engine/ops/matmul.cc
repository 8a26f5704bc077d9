// Matrix products [.., M, K] x [.., K, N], either side transposed, leading axes broadcast.
#include <cstring>
#include <utility>

#include "ops/gemm.h"
#include "ops/matmul.wgsl.h"
#include "ops/narrow.h"
#include "ops/skinny.h"

namespace fjord {

namespace {

struct Sizes {
  int64_t m, k, n, batch;
};

/// Rows of many matrices on the left that are multiplied by one matrix are rows of one.
Sizes sizesOf(const Shape& a, const Shape& b, const MatMulAttrs& attrs, const Shape& out) {
  Sizes s{out[-2], attrs.transposeA ? a[-2] : a[-1], out[-1], 1};
  for (int i = 0; i < out.rank() - 2; ++i) s.batch *= out[i];
  if (!attrs.transposeA && b.size() == s.k * s.n) s.m *= std::exchange(s.batch, 1);
  return s;
}

/// A [M,K], or stored as its transpose [K,M].
Strided leftOf(const float* a, const Sizes& s, const MatMulAttrs& attrs) {
  return attrs.transposeA ? Strided{a, 1, s.m} : Strided{a, s.k, 1};
}

/// B [K,N] by columns.
struct PanelsOf {
  const float* b;
  int64_t ld;
  void operator()(int64_t k, int count, int64_t column, int columns, float* panel) const {
    const float* from = b + k * ld + column;
    for (int i = 0; i < count; ++i, from += ld, panel += kColumns) {
      if (columns == kColumns) {
        std::memcpy(panel, from, sizeof(float) * kColumns);
      } else {
        for (int j = 0; j < kColumns; ++j) panel[j] = j < columns ? from[j] : 0;
      }
    }
  }
};

/// B stored as its transpose [N,K].
struct TransposedPanelsOf {
  const float* b;
  int64_t ld;
  void operator()(int64_t k, int count, int64_t column, int columns, float* panel) const {
    const float* from = b + column * ld + k;
    if (columns < kColumns) std::memset(panel, 0, sizeof(float) * count * kColumns);
    int j = 0;
    for (; j + 4 <= columns; j += 4, from += 4 * ld) {
      int i = 0;
      for (; i + 4 <= count; i += 4)
        transposeQuad(from + i, ld, panel + i * kColumns + j, kColumns);
      FJORD_REST for (; i < count; ++i) {
        for (int q = 0; q < 4; ++q) panel[i * kColumns + j + q] = from[q * ld + i];
      }
    }
    for (; j < columns; ++j, from += ld) {
      for (int i = 0; i < count; ++i) panel[i * kColumns + j] = from[i];
    }
  }
};

/// Matrix i of a broadcast batch: the offset of its first element.
int64_t matrixOffset(const Shape& shape, const Shape& out, int64_t i) {
  int64_t offset = 0, step = int64_t{shape[-1]} * shape[-2];
  for (int d = 3; d <= out.rank(); ++d) {
    int64_t index = i % out[-d];
    i /= out[-d];
    if (d > shape.rank()) continue;
    if (shape[-d] != 1) offset += index * step;
    step *= shape[-d];
  }
  return offset;
}

Shape withoutMatrix(Shape s) {
  s.count -= 2;
  s.values[s.count] = s.values[s.count + 1] = 0;
  return s;
}

// A thread is worth waking to read this many floats of B: some 1.5 us from the second-level cache.
constexpr int64_t kSkinnyFloats = 1 << 15;

// Packing a matrix saves a few percent of a product with a batch. A larger one, such as the first
// dense layer of VGG-16 (411 MB), is not worth the memory of a second copy.
constexpr int64_t kPreparedBytes = 32 << 20;

struct MatMul {
  using Attrs = MatMulAttrs;
  static constexpr bool kEpilogue = true;

  static Result<Type> type(std::span<const Type> in, const MatMulAttrs& a) {
    const Shape &x = in[0].shape, &y = in[1].shape;
    if (in[0].dtype != DType::kF32 || in[1].dtype != DType::kF32) {
      return fail("both operands must be float32: cast them first");
    }
    if (x.rank() < 2 || y.rank() < 2) return fail("both operands need at least two axes");
    int32_t m = a.transposeA ? x[-1] : x[-2], k = a.transposeA ? x[-2] : x[-1];
    int32_t k2 = a.transposeB ? y[-1] : y[-2], n = a.transposeB ? y[-2] : y[-1];
    if (k != k2) {
      return fail("the inner dimensions differ: ", k, " and ", k2,
                  a.transposeA ? ", transposeA" : "", a.transposeB ? ", transposeB" : "");
    }
    Shape batch = broadcastShapes(withoutMatrix(x), withoutMatrix(y));
    if (batch.count < 0) return fail("the leading axes do not broadcast");
    batch.push(m);
    batch.push(n);
    return Type{DType::kF32, batch};
  }

  static int64_t scratch(const ScratchCall& c, const MatMulAttrs& a) {
    Sizes s = sizesOf(c.in[0].shape, c.in[1].shape, a, c.out.shape);
    if (s.m <= kSkinnyRows) return skinnyTotals(s.m, s.n, s.k) * 8 + s.m * s.k * 4;
    if (isNarrow(s.n)) return (totalsFloats(s.m, s.n, s.k) + s.k * kNarrowColumns) * 4;
    return gemmScratch({s.m, s.n, s.k}, leftOf(nullptr, s, a), c.threads, c.prepared) * 4;
  }

  static int64_t work(const ScratchCall& c, const MatMulAttrs& a) {
    Sizes s = sizesOf(c.in[0].shape, c.in[1].shape, a, c.out.shape);
    return s.m * s.k * s.n * s.batch;
  }

  static int64_t prepared(const ScratchCall& c, const MatMulAttrs& a) {
    Sizes s = sizesOf(c.in[0].shape, c.in[1].shape, a, c.out.shape);
    int64_t bytes = gemmPacked({s.m, s.n, s.k}) * 4;
    bool once =
        s.m > kSkinnyRows && !isNarrow(s.n) && c.in[1].shape.rank() == 2 && bytes <= kPreparedBytes;
    return once ? bytes : 0;
  }

  static void prepare(const Call& c, const MatMulAttrs& a) {
    Sizes s = sizesOf(c.in[0].shape(), c.in[1].shape(), a, c.out.shape());
    const float* b = c.in[1].as<float>();
    float* to = reinterpret_cast<float*>(c.prepared);
    if (a.transposeB) {
      packAll({s.m, s.n, s.k}, TransposedPanelsOf{b, s.k}, to, c.threads);
    } else {
      packAll({s.m, s.n, s.k}, PanelsOf{b, s.n}, to, c.threads);
    }
  }

  static void run(const Call& c, const MatMulAttrs& a) {
    if (c.out.size() == 0) return;
    const Shape &x = c.in[0].shape(), &y = c.in[1].shape(), &out = c.out.shape();
    Sizes s = sizesOf(x, y, a, out);
    // A share is of matrices, or of a single one.
    auto [first, last] = s.batch > 1 ? c.share.of(s.batch) : std::pair<int64_t, int64_t>(0, 1);
    Share share = s.batch > 1 ? Share() : c.share;
    for (int64_t i = first; i < last; ++i) {
      const float* left = c.in[0].as<float>() + matrixOffset(x, out, i);
      const float* right = c.in[1].as<float>() + matrixOffset(y, out, i);
      if (s.m <= kSkinnyRows) {
        multiplySkinny(c, a, s, left, right, i * s.m * s.n, share);
      } else if (isNarrow(s.n)) {
        multiplyNarrow(c, a, s, left, right, i * s.m * s.n, share);
      } else {
        multiply(c, a, s, left, right, i * s.m * s.n, share);
      }
    }
  }

  static void multiply(const Call& c, const MatMulAttrs& a, const Sizes& s, const float* left,
                       const float* right, int64_t at, const Share& share) {
    auto with = [&](const auto& packB) {
      gemm({s.m, s.n, s.k}, leftOf(left, s, a), packB, c.out.as<float>() + at,
           reinterpret_cast<float*>(c.scratch), c.threads, c.epilogue, at, share);
    };
    if (c.prepared) {
      with(Packed{reinterpret_cast<const float*>(c.prepared)});
    } else if (a.transposeB) {
      with(TransposedPanelsOf{right, s.k});
    } else {
      with(PanelsOf{right, s.n});
    }
  }

  static void multiplySkinny(const Call& c, const MatMulAttrs& a, const Sizes& s, const float* left,
                             const float* right, int64_t at, const Share& share) {
    double* totals = reinterpret_cast<double*>(c.scratch);
    if (a.transposeA && s.m > 1) {
      float* rows = reinterpret_cast<float*>(totals + skinnyTotals(s.m, s.n, s.k));
      for (int64_t k = 0; k < s.k; ++k) {
        for (int64_t r = 0; r < s.m; ++r) rows[r * s.k + k] = left[k * s.m + r];
      }
      left = rows;
    }
    int64_t parts = std::clamp<int64_t>(s.n * s.k / kSkinnyFloats, 1, c.threads.count());
    auto [first, last] = share.of(s.n, kSkinnyStrip);
    if (first == last) return;
    int64_t strips = (last - first + kSkinnyStrip - 1) / kSkinnyStrip;
    int64_t grain = (strips + parts - 1) / parts * kSkinnyStrip;
    c.threads.forRange(last - first, grain, [&](int64_t from, int64_t to, int part) {
      int64_t begin = first + from, end = first + to;
      float* y = c.out.as<float>() + at;
      // A single column lies like its transpose.
      if (a.transposeB || s.n == 1) {
        skinny<Stored::kColumns>(s.m, s.n, s.k, left, right, y, begin, end, totals);
      } else {
        skinny<Stored::kRows>(s.m, s.n, s.k, left, right, y, begin, end, totals);
      }
      c.epilogue({at + begin, at + end, s.m, s.n}, part);
    });
  }

  static void multiplyNarrow(const Call& c, const MatMulAttrs& a, const Sizes& s, const float* left,
                             const float* right, int64_t at, const Share& share) {
    float *y = c.out.as<float>() + at, *panel = reinterpret_cast<float*>(c.scratch);
    Depth depths{s.k, y, reinterpret_cast<double*>(c.scratch)};
    panel += totalsFloats(s.m, s.n, s.k);
    packNarrow(s.k, s.n, right, a.transposeB ? 1 : s.n, a.transposeB ? s.k : 1, panel);
    int64_t grain =
        kNarrowRows * (1 + kThreadFlops / (2 * kNarrowRows * s.n * std::max<int64_t>(s.k, 1)));
    auto [first, last] = share.of(s.m, kNarrowRows);
    c.threads.forRange(last - first, grain, [&](int64_t from, int64_t to, int part) {
      int64_t begin = first + from, end = first + to;
      Strided rows = leftOf(left, s, a);
      depths.forBlocks([&](int64_t k, int count) {
        narrow(count, s.n, {rows.a + k * rows.step, rows.row, rows.step},
               panel + k * kNarrowColumns, y, begin, end, Depth::accumulates(k));
        depths.finish(k, {begin * s.n, end * s.n});
      });
      c.epilogue(at + begin * s.n, at + end * s.n, part);
    });
  }

  /// With Y = op(A) op(B): d op(A) = dY op(B)^T, d op(B) = op(A)^T dY, each transposed back where
  /// the operand was.
  static void gpu(ShaderWriter& w, const MatMulAttrs& a) {
    Sizes s = sizesOf(w.in(0).shape, w.in(1).shape, a, w.out().shape);
    ShaderWriter::GemmOperand left{!a.transposeA, (a.transposeA ? s.m : s.k) % 4 == 0};
    ShaderWriter::GemmOperand right{a.transposeB, (a.transposeB ? s.k : s.n) % 4 == 0};
    w.gemm(s.m, s.n, s.k, s.batch, left, right);
    Shape batches = withoutMatrix(w.out().shape);
    for (int i = 0; i < 2; ++i) {
      // Of an operand that has fewer matrices, one serves several.
      const Shape& shape = w.in(i).shape;
      Shape own = rowMajorStrides(shape), strides = Shape::filled(batches.rank(), 0);
      for (int d = 3; d <= shape.rank(); ++d) {
        if (shape[-d] != 1) strides[2 - d] = own[-d];
      }
      w.walk(i == 0 ? "leftMatrix" : "rightMatrix", batches, strides, 0);
    }
    w.flag("kTransposeLeft", a.transposeA);
    w.flag("kTransposeRight", a.transposeB);
    w.text({kMatmulWgsl});
    w.endGemm();
  }
  static std::vector<Value> grad(const GradCall& g, const MatMulAttrs& a) {
    Value x = g.in[0], y = g.in[1], dx, dy;
    if (a.transposeA) {
      dx = matMul(y, g.dy, {.transposeA = a.transposeB, .transposeB = true});
    } else {
      dx = matMul(g.dy, y, {.transposeB = !a.transposeB});
    }
    // One matrix for a whole batch: one product over the rows of all, and no sum of many.
    bool isOne = y.shape().rank() == 2 && !a.transposeA;
    Value rows = isOne ? asRows(x) : x, out = isOne ? asRows(g.dy) : g.dy;
    if (a.transposeB) {
      dy = matMul(out, rows, {.transposeA = true, .transposeB = a.transposeA});
    } else {
      dy = matMul(rows, out, {.transposeA = !a.transposeA});
    }
    return {sumTo(dx, x.shape()), sumTo(dy, y.shape())};
  }

  /// [.., M, N] as one matrix.
  static Value asRows(Value x) {
    const Shape& s = x.shape();
    if (s.rank() == 2) return x;
    return reshape(x, {.shape = {s.size() / std::max(1, s[-1]), s[-1]}});
  }

  static void reference(const ReferenceCall& c, const MatMulAttrs& a) {
    if (c.out.values.empty()) return;
    const Shape &x = c.in[0].type.shape, &y = c.in[1].type.shape, &out = c.out.type.shape;
    Sizes s = sizesOf(x, y, a, out);
    for (int64_t i = 0; i < s.batch; ++i) {
      const double* left = c.in[0].values.data() + matrixOffset(x, out, i);
      const double* right = c.in[1].values.data() + matrixOffset(y, out, i);
      for (int64_t r = 0; r < s.m; ++r) {
        for (int64_t j = 0; j < s.n; ++j) {
          for (int64_t k = 0; k < s.k; ++k) {
            c.out.values[(i * s.m + r) * s.n + j] +=
                left[a.transposeA ? k * s.m + r : r * s.k + k] *
                right[a.transposeB ? j * s.k + k : k * s.n + j];
          }
        }
      }
    }
  }

  static std::vector<Case> cases() {
    std::vector<Case> cases;
    // All transposes, at sizes on both sides of the tile and beyond the depth of a block, with few
    // columns, and with a transpose whose columns are a page apart.
    for (bool ta : {false, true}) {
      for (bool tb : {false, true}) {
        for (auto [m, k, n] : {std::array{1, 1, 1},
                               {3, 5, 7},
                               {17, 49, 33},
                               {2, 600, 70},
                               {4, 9, 300},
                               {8, 600, 10},
                               {8, 600, 20},
                               {22, 30, 12},
                               {1024, 7, 30},
                               {64, 10, 256},
                               {65, 64, 66}}) {
          cases.push_back(makeCase(
              "matrix",
              {floats(ta ? Shape{k, m} : Shape{m, k}), floats(tb ? Shape{n, k} : Shape{k, n})},
              MatMulAttrs{ta, tb}));
        }
        cases.push_back(makeCase("broadcast batch",
                                 {floats(ta ? Shape{2, 1, 5, 3} : Shape{2, 1, 3, 5}),
                                  floats(tb ? Shape{3, 4, 5} : Shape{3, 5, 4})},
                                 MatMulAttrs{ta, tb}));
      }
    }
    return cases;
  }
};

}  // namespace

FJORD_OP(MatMul, matMul)

}  // namespace fjord
