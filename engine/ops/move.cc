// Movement: ops that only put elements elsewhere, and the strided copy that most of them are.
#include "ops/move.h"

#include <algorithm>
#include <cstring>

#include "base/simd.h"
#include "ops/definition.h"
#include "ops/elementwise.h"

namespace fjord {

namespace {

/// Drops axes of one and merges axes that step alike in both arrays.
Walk collapsed(const Walk& w) {
  Walk out{{}, {}, {}, w.fromOffset, w.toOffset};
  for (int i = 0; i < w.dims.rank(); ++i) {
    if (w.dims[i] == 1) continue;
    bool merges = out.dims.rank() > 0 && out.from[-1] == w.from[i] * w.dims[i] &&
                  out.to[-1] == w.to[i] * w.dims[i];
    if (merges) {
      out.dims[-1] *= w.dims[i];
      out.from[-1] = w.from[i];
      out.to[-1] = w.to[i];
    } else {
      out.dims.push(w.dims[i]);
      out.from.push(w.from[i]);
      out.to.push(w.to[i]);
    }
  }
  if (out.dims.empty()) {
    out.dims.push(1);
    out.from.push(1);
    out.to.push(1);
  }
  return out;
}

void copyRow(const uint32_t* from, uint32_t* to, int64_t n, int64_t fromStep, int64_t toStep) {
  if (fromStep == 1 && toStep == 1) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(uint32_t));
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * toStep] = from[i * fromStep];
  }
}

void copyRows(const Walk& w, const uint32_t* from, uint32_t* to, int64_t begin, int64_t end) {
  int outer = w.dims.rank() - 1;
  for (int64_t row = begin; row < end; ++row) {
    int64_t rest = row, f = w.fromOffset, t = w.toOffset;
    for (int d = outer - 1; d >= 0; --d) {
      int64_t i = rest % w.dims[d];
      rest /= w.dims[d];
      f += i * w.from[d];
      t += i * w.to[d];
    }
    copyRow(from + f, to + t, w.dims[-1], w.from[-1], w.to[-1]);
  }
}

// A row of a transposed matrix touches a cache line per element: such walks go in tiles of 16 x 16
// elements, a cache line by a cache line.
constexpr int64_t kBlock = 16;

/// Rows [row, end) of `width` elements; `from` and `to` are where row 0 starts.
void copyTile(const uint32_t* from, uint32_t* to, int64_t row, int64_t end, int64_t width,
              const Walk& w) {
  int64_t fromColumn = w.from[-1], toRow = w.to[-2], toColumn = w.to[-1];
  if (toColumn == 1) {
    for (; row + 4 <= end; row += 4) {
      int64_t c = 0;
      for (; c + 4 <= width; c += 4) {
        transposeQuad(from + row + c * fromColumn, fromColumn, to + row * toRow + c, toRow);
      }
      for (int64_t r = row; c < width && r < row + 4; ++r) {
        copyRow(from + r + c * fromColumn, to + r * toRow + c, width - c, fromColumn, toColumn);
      }
    }
  }
  for (; row < end; ++row) {
    copyRow(from + row, to + row * toRow, width, fromColumn, toColumn);
  }
}

void copyTransposed(const Walk& w, const uint32_t* from, uint32_t* to, int64_t begin, int64_t end) {
  int rank = w.dims.rank();
  int64_t rows = w.dims[rank - 2], columns = w.dims[rank - 1];
  int64_t blocks = (rows + kBlock - 1) / kBlock;
  for (int64_t unit = begin; unit < end; ++unit) {
    int64_t rest = unit / blocks, row = unit % blocks * kBlock, f = w.fromOffset, t = w.toOffset;
    for (int d = rank - 3; d >= 0; --d) {
      int64_t i = rest % w.dims[d];
      rest /= w.dims[d];
      f += i * w.from[d];
      t += i * w.to[d];
    }
    int64_t rowEnd = std::min(row + kBlock, rows);
    for (int64_t c = 0; c < columns; c += kBlock) {
      copyTile(from + f + c * w.from[-1], to + t + c * w.to[-1], row, rowEnd,
               std::min(kBlock, columns - c), w);
    }
  }
}

// Elements worth a second thread.
constexpr int64_t kGrain = 32768;

void copy(Threads& threads, const Walk& walk, const uint32_t* from, uint32_t* to) {
  if (walk.dims.size() == 0) return;
  Walk w = collapsed(walk);
  int rank = w.dims.rank();
  bool transposes = rank >= 2 && w.from[-1] != 1 && w.from[-2] == 1;
  int64_t inner = transposes ? int64_t{w.dims[-1]} * kBlock : w.dims[-1];
  int64_t blocks = transposes ? (w.dims[-2] + kBlock - 1) / kBlock : 1;
  int64_t units =
      transposes ? w.dims.size() / w.dims[-1] / w.dims[-2] * blocks : w.dims.size() / w.dims[-1];
  threads.forRange(units, 1 + kGrain / inner, [&](int64_t begin, int64_t end, int) {
    if (transposes) {
      copyTransposed(w, from, to, begin, end);
    } else {
      copyRows(w, from, to, begin, end);
    }
  });
}

}  // namespace

void copy(const Call& c, const Walk& w) {
  copy(c.threads, w, c.in[0].as<uint32_t>(), c.out.as<uint32_t>());
}
void copyShader(ShaderWriter& c, int input, const Walk& w) {
  c.elements(w.dims.size());
  c.reads(input);
  c.walk("source", w.dims, w.from, w.fromOffset);
  c.walk("place", w.dims, w.to, w.toOffset);
  c.text({"fn element(i:u32){put(place(i),in", cat(input), "(source(i)));}\n"});
}
void copy(ShaderWriter& c, const Walk& w) { copyShader(c, 0, w); }

void fill(const Call& c, float value) {
  std::fill_n(c.out.as<uint32_t>(), c.out.size(), bitsOf(value, c.out.type.dtype));
}
void fill(ShaderWriter& c, float value) {
  c.elements(c.out().shape.size());
  c.numbers(c.out());
  c.text({"fn element(i:u32){put(i,Number(", cat(wgslFloat(value)), "));}\n"});
}

namespace {

// ---- reshape, transpose, broadcast

/// One entry of the shape may be -1: whatever makes the size fit. Never runs: the planner sees
/// through it.
struct Reshape : Movement<Reshape, ReshapeAttrs> {
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    Shape shape = a.shape;
    Shape known;
    int open = -1;
    for (int i = 0; i < shape.rank(); ++i) {
      if (shape[i] == -1 && open < 0) {
        open = i;
      } else if (shape[i] < 0) {
        if (shape[i] == kTooLarge) FJORD_CHECK(checkShape(shape));
        return fail("cannot reshape to ", a.shape, ": at most one -1, and no other negative size");
      } else {
        known.push(shape[i]);
      }
    }
    int64_t rest = known.size();
    if (open >= 0 && rest > 0) shape[open] = static_cast<int32_t>(in[0].shape.size() / rest);
    if (shape.size() != in[0].shape.size() || (open >= 0 && rest == 0)) {
      return fail("cannot reshape ", in[0].shape, " (", in[0].shape.size(), " elements) to ",
                  a.shape);
    }
    return Type{in[0].dtype, shape};
  }
  template <class C>
  static void move(C& c, const Shape& in, const Shape&, const Attrs&) {
    copy(c, into(in, rowMajorStrides(in), 0));
  }
  /// The elements in row-major order are the same.
  static void reference(const ReferenceCall& c, const Attrs&) { c.out.values = c.in[0].values; }
  static std::vector<Value> grad(const GradCall& g, const Attrs&) {
    return {reshape(g.dy, {.shape = g.in[0].shape()})};
  }
  static std::vector<Case> cases() {
    return {makeCase("flatten", {floats({3, 4, 5})}, Attrs{.shape = {60}}),
            makeCase("one open", {floats({3, 4, 5})}, Attrs{.shape = {5, -1}}),
            makeCase("to a scalar", {floats({1, 1, 1, 1, 1, 1, 1, 1})}, Attrs{}),
            makeCase("nothing", {floats({3, 0})}, Attrs{.shape = {0, 5, 2}})};
  }
};

/// perm empty reverses the axes.
struct Transpose : Movement<Transpose, TransposeAttrs> {
  static Shape permutation(const Shape& in, const Attrs& a) {
    Shape perm = a.perm;
    if (perm.empty()) {
      for (int i = in.rank() - 1; i >= 0; --i) perm.push(i);
    }
    return perm;
  }
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    Shape perm = permutation(in[0].shape, a), shape;
    uint32_t seen = 0;
    for (int axis : perm) {
      FJORD_TRY(int at, checkedAxis(axis, in[0].shape.rank()));
      seen |= 1u << at;
      shape.push(in[0].shape[at]);
    }
    if (perm.rank() != in[0].shape.rank() || seen + 1 != 1u << in[0].shape.rank()) {
      return fail("perm ", perm, " is not a permutation of the axes");
    }
    return Type{in[0].dtype, shape};
  }
  template <class C>
  static void move(C& c, const Shape& in, const Shape& out, const Attrs& a) {
    Shape strides = rowMajorStrides(in), from;
    for (int axis : permutation(in, a)) from.push(strides[axis]);
    copy(c, into(out, from, 0));
  }
  /// Axis i of y is axis perm[i] of x.
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      Shape x = y;
      for (int i = 0; i < y.rank(); ++i) x[a.perm.empty() ? -1 - i : a.perm[i]] = y[i];
      valueAt(c.out, y) = valueAt(c.in[0], x);
    });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    Shape perm = permutation(g.in[0].shape(), a), inverse = perm;
    for (int i = 0; i < perm.rank(); ++i) inverse[axisOf(perm[i], perm.rank())] = i;
    return {transpose(g.dy, {.perm = inverse})};
  }
  static std::vector<Case> cases() {
    return {
        makeCase("matrix", {floats({33, 18})}, Attrs{}),
        makeCase("last two", {floats({3, 5, 17})}, Attrs{.perm = {0, 2, 1}}),
        makeCase("images to channels first", {floats({2, 5, 7, 3})}, Attrs{.perm = {0, 3, 1, 2}}),
        makeCase("outer two", {floats({4, 3, 8})}, Attrs{.perm = {1, 0, 2}}),
        // Whole tiles of kBlock x kBlock and none; tiles and quads of 4 x 4 that are cut short on both
        // sides; fewer rows and columns than a quad.
        makeCase("whole tiles", {floats({32, 48})}, Attrs{}),
        makeCase("parts of tiles", {floats({3, 35, 22})}, Attrs{.perm = {0, -1, -2}}),
        makeCase("less than a quad", {floats({5, 3, 2})}, Attrs{.perm = {0, 2, 1}}),
        // Rows that are no neighbours in x, and no column of tiles either.
        makeCase("reversed", {floats({5, 6, 7})}, Attrs{}),
        makeCase("eight axes", {floats({2, 1, 3, 2, 1, 2, 3, 2})},
                 Attrs{.perm = {7, 0, 3, 2, 5, 4, 6, 1}}),
        makeCase("ones", {floats({1, 5, 1, 3})}, Attrs{.perm = {2, 3, 0, 1}}),
        makeCase("integers", {ints({18, 7}, -99, 99)}, Attrs{}),
        makeCase("nothing", {floats({4, 0, 3})}, Attrs{}),
        // More than kGrain: two threads have a part each, of whole rows of tiles.
        makeCase("two parts", {floats({145, 257})}, Attrs{})};
  }
};

struct BroadcastTo : Movement<BroadcastTo, BroadcastToAttrs> {
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    if (broadcastShapes(in[0].shape, a.shape) != a.shape)
      return fail("cannot broadcast ", in[0].shape, " to ", a.shape);
    return Type{in[0].dtype, a.shape};
  }
  template <class C>
  static void move(C& c, const Shape& in, const Shape& out, const Attrs&) {
    Shape strides = rowMajorStrides(in), from = Shape::filled(out.rank(), 0);
    for (int i = 1; i <= in.rank(); ++i) from[-i] = in[-i] == 1 ? 0 : strides[-i];
    copy(c, into(out, from, 0));
  }
  /// All of an axis of y see the only position of x there is; axes that x lacks come first.
  static void reference(const ReferenceCall& c, const Attrs&) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      Shape x = Shape::filled(c.in[0].type.shape.rank(), 0);
      for (int i = 1; i <= x.rank(); ++i) x[-i] = c.in[0].type.shape[-i] == 1 ? 0 : y[-i];
      valueAt(c.out, y) = valueAt(c.in[0], x);
    });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs&) {
    return {sumTo(g.dy, g.in[0].shape())};
  }
  static std::vector<Case> cases() {
    return {makeCase("rows", {floats({5})}, Attrs{.shape = {3, 5}}),
            makeCase("columns", {floats({4, 1})}, Attrs{.shape = {4, 9}}),
            makeCase("scalar", {floats({})}, Attrs{.shape = {2, 3}}),
            makeCase("middle", {floats({2, 1, 3})}, Attrs{.shape = {4, 2, 5, 3}}),
            // Columns are a transpose whose rows stand still: parts of tiles and of quads.
            makeCase("parts of tiles", {floats({2, 35, 1})}, Attrs{.shape = {2, 35, 22}}),
            makeCase("both ends", {floats({1, 3, 5, 1})}, Attrs{.shape = {2, 3, 5, 7}}),
            makeCase("alternating", {floats({3, 1, 5, 1, 7})}, Attrs{.shape = {3, 2, 5, 2, 7}}),
            makeCase("as it is", {floats({3, 5})}, Attrs{.shape = {3, 5}}),
            makeCase("integers", {ints({7, 1}, -99, 99)}, Attrs{.shape = {7, 19}}),
            flatCase("to nothing", {floats({3, 1, 2})}, Attrs{.shape = {3, 0, 2}}),
            // Three blocks of kBlock rows to a part.
            makeCase("two parts", {floats({49, 1})}, Attrs{.shape = {49, 700}})};
  }
};

// ---- joins

struct Concat {
  using Attrs = ConcatAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    FJORD_TRY(int axis, checkedAxis(a.axis, in[0].shape.rank()));
    int64_t joined = 0;
    for (const Type& t : in) {
      Shape alike = t.shape;
      if (alike.rank() == in[0].shape.rank()) alike[axis] = in[0].shape[axis];
      if (t.dtype != in[0].dtype || alike != in[0].shape)
        return fail("the inputs differ beside axis ", axis);
      joined += t.shape[axis];
    }
    Shape shape;
    for (int i = 0; i < in[0].shape.rank(); ++i) shape.push(i == axis ? joined : in[0].shape[i]);
    return Type{in[0].dtype, shape};
  }
  static void run(const Call& c, const Attrs& a) {
    Shape strides = rowMajorStrides(c.out.shape());
    int axis = axisOf(a.axis, strides.rank());
    int64_t offset = 0;
    for (const View& x : c.in) {
      copy(c.threads, Walk{x.shape(), rowMajorStrides(x.shape()), strides, 0, offset},
           x.as<uint32_t>(), c.out.as<uint32_t>());
      offset += int64_t{x.shape()[axis]} * strides[axis];
    }
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    Shape strides = rowMajorStrides(w.out().shape);
    int axis = axisOf(a.axis, w.out().shape.rank());
    int64_t offset = 0;
    for (int i = 0; offset < int64_t{w.out().shape[axis]} * strides[axis]; ++i) {
      const Shape& shape = w.in(i).shape;
      copyShader(w, i, Walk{shape, rowMajorStrides(shape), strides, 0, offset});
      offset += int64_t{shape[axis]} * strides[axis];
    }
  }
  /// A position along the axis is one of the first input that is not used up.
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      int32_t position = y[a.axis];
      const Reference* x = c.in.data();
      for (; position >= x->type.shape[a.axis]; ++x) position -= x->type.shape[a.axis];
      valueAt(c.out, y) = valueAt(*x, replaced(y, a.axis, position));
    });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    std::vector<Value> parts;
    int axis = axisOf(a.axis, g.y.shape().rank());
    Shape begin = Shape::filled(g.y.shape().rank(), 0);
    for (Value x : g.in) {
      parts.push_back(slice(g.dy, {.begin = begin, .size = x.shape()}));
      begin[axis] += x.shape()[axis];
    }
    return parts;
  }
  static std::vector<Case> cases() {
    return {
        makeCase("rows", {floats({2, 5}), floats({4, 5}), floats({1, 5})}, Attrs{}),
        makeCase("columns", {floats({3, 2}), floats({3, 7})}, Attrs{.axis = -1}),
        makeCase("middle", {floats({2, 3, 4}), floats({2, 1, 4})}, Attrs{.axis = 1}),
        makeCase("one", {floats({6})}, Attrs{}),
        // Widths around a vector and a cache line, one of them and one of nothing: no row begins
        // where a vector does.
        makeCase("odd widths",
                 {floats({5, 17}), floats({5, 1}), floats({5, 0}), floats({5, 16}), floats({5, 3})},
                 Attrs{.axis = 1}),
        makeCase("more than a device binds", std::vector<Input>(12, floats({3, 2, 5})),
                 Attrs{.axis = -2}),
        makeCase("integers", {ints({3, 7}, -99, 99), ints({2, 7}, -99, 99)}, Attrs{}),
        makeCase("nothing", {floats({0, 3}), floats({0, 2})}, Attrs{.axis = 1}),
        // The second has more than kGrain, and begins at an odd place.
        makeCase("two parts", {floats({140, 3}), floats({140, 259})}, Attrs{.axis = 1})};
  }
};

/// Equal shapes along a new axis.
struct Stack {
  using Attrs = StackAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) {
    for (const Type& t : in) {
      if (t != in[0]) return fail("the inputs must be of one type and shape");
    }
    FJORD_CHECK(checkRank(in[0].shape.rank() + 1));
    FJORD_CHECK(checkedAxis(a.axis, in[0].shape.rank() + 1));
    return {};
  }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    int rank = in[0].shape().rank() + 1, axis = axisOf(a.axis, rank);
    Shape shape;
    for (int i = 0; i < rank; ++i) shape.push(i == axis ? 1 : in[0].shape()[i < axis ? i : i - 1]);
    std::vector<Value> parts;
    for (Value x : in) parts.push_back(reshape(x, {.shape = shape}));
    return concat(parts, {.axis = axis});
  }
  /// A position along the new axis is the number of an input.
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      valueAt(c.out, y) = valueAt(c.in[y[a.axis]], without(y, a.axis));
    });
  }
  static std::vector<Case> cases() {
    return {makeCase("first", {floats({3, 4}), floats({3, 4})}, Attrs{}),
            makeCase("middle", {floats({3, 4}), floats({3, 4}), floats({3, 4})}, Attrs{.axis = 1}),
            makeCase("last", {floats({5}), floats({5}), floats({5})}, Attrs{.axis = -1})};
  }
};

/// x repeated reps[i] times along axis i: a broadcast over [1, n0, 1, n1, ...] folded back.
struct Tile {
  using Attrs = TileAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) {
    if (a.reps.rank() != in[0].shape.rank())
      return fail("reps needs one entry for each axis, got ", a.reps);
    Shape shape;
    for (int i = 0; i < a.reps.rank(); ++i) {
      if (a.reps[i] < 0) return fail("reps must be at least 0, got ", a.reps);
      shape.push(int64_t{a.reps[i]} * in[0].shape[i]);
    }
    return checkShape(shape);
  }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    Value x = in[0];
    // Axis by axis, since [reps, n] pairs of all axes together could exceed the highest rank.
    for (int i = 0; i < x.shape().rank(); ++i) {
      if (a.reps[i] == 1) continue;
      int64_t before = 1, after = 1;
      for (int d = 0; d < x.shape().rank(); ++d) (d < i ? before : after) *= x.shape()[d];
      Shape result = x.shape();
      result[i] *= a.reps[i];
      Value flat = reshape(x, {.shape = {before, 1, after}});
      Value spread = broadcastTo(flat, {.shape = {before, a.reps[i], after}});
      x = reshape(spread, {.shape = result});
      if (!x) return x;
    }
    return x;
  }
  /// After the last position of x comes the first.
  static void reference(const ReferenceCall& c, const Attrs&) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      Shape x = y;
      for (int i = 0; i < y.rank(); ++i) x[i] %= c.in[0].type.shape[i];
      valueAt(c.out, y) = valueAt(c.in[0], x);
    });
  }
  static std::vector<Case> cases() {
    return {makeCase("vector", {floats({5})}, Attrs{.reps = {3}}),
            makeCase("matrix", {floats({3, 4})}, Attrs{.reps = {2, 3}}),
            makeCase("some axes", {floats({2, 3, 1, 5})}, Attrs{.reps = {3, 1, 4, 2}}),
            flatCase("no times", {floats({2, 3})}, Attrs{.reps = {2, 0}})};
  }
};

struct Reverse {
  using Attrs = ReverseAttrs;
  static Status check(std::span<const Type> in, const Attrs& a) {
    for (int axis : a.axes) FJORD_CHECK(checkedAxis(axis, in[0].shape.rank()));
    return {};
  }
  static Value expand(std::span<const Value> in, const Attrs& a) {
    Value x = in[0];
    StridedSliceAttrs s;
    for (int i = 0; i < x.shape().rank(); ++i) {
      bool turned = a.axes.empty() || std::ranges::any_of(a.axes, [&](int axis) {
                      return axisOf(axis, x.shape().rank()) == i;
                    });
      s.begin.push(turned ? x.shape()[i] - 1 : 0);
      s.end.push(turned ? -1 : x.shape()[i]);
      s.strides.push(turned ? -1 : 1);
    }
    return stridedSlice(x, s);
  }
  /// The first position of a turned axis, of all where none is named, is the last of x.
  static void reference(const ReferenceCall& c, const Attrs& a) {
    const Shape& shape = c.out.type.shape;
    forEachCoordinate(shape, [&](const Shape& y) {
      Shape x = y;
      for (int axis : a.axes) x[axis] = shape[axis] - 1 - y[axis];
      for (int i = 0; i < y.rank() && a.axes.empty(); ++i) x[i] = shape[i] - 1 - y[i];
      valueAt(c.out, y) = valueAt(c.in[0], x);
    });
  }
  static std::vector<Case> cases() {
    return {makeCase("columns", {floats({4, 5})}, Attrs{.axes = {1}}),
            makeCase("all", {floats({3, 2, 4})}, Attrs{}),
            makeCase("outer and inner", {floats({3, 5, 17})}, Attrs{.axes = {0, -1}})};
  }
};

}  // namespace

FJORD_OP_OF_KIND(Reshape, reshape, OpKind::kView)
FJORD_OP(Transpose, transpose)
FJORD_OP(BroadcastTo, broadcastTo)
FJORD_OP(Concat, concat)
FJORD_COMPOSED(Stack, stack)
FJORD_COMPOSED(Tile, tile)
FJORD_COMPOSED(Reverse, reverse)

}  // namespace fjord
