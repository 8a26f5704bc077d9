// Movement: ops that only put elements elsewhere. All element types are four bytes, so one kernel
// serves every type.
//
// Most of them are one strided copy: walk an index space, read at one set of strides, write at
// another.
#include <algorithm>
#include <cstring>

#include "ops/op.h"

namespace fjord {

namespace {

/// A walk over `dims` that reads and writes four-byte elements.
struct Walk {
  Shape dims, from, to;
  int64_t fromOffset = 0, toOffset = 0;
};

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

template <class T>
void copyRow(const T* from, T* to, int64_t n, int64_t fromStep, int64_t toStep) {
  if (fromStep == 1 && toStep == 1) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * toStep] = from[i * fromStep];
  }
}

template <class T>
void copyRows(const Walk& w, const T* from, T* to, int64_t begin, int64_t end) {
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

template <class T>
void copyTransposed(const Walk& w, const T* from, T* to, int64_t begin, int64_t end) {
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
      int64_t width = std::min(kBlock, columns - c);
      for (int64_t r = row; r < rowEnd; ++r) {
        copyRow(from + f + r * w.from[rank - 2] + c * w.from[rank - 1],
                to + t + r * w.to[rank - 2] + c * w.to[rank - 1], width, w.from[rank - 1],
                w.to[rank - 1]);
      }
    }
  }
}

// Elements worth a second thread.
constexpr int64_t kGrain = 32768;

template <class T>
void copy(Threads& threads, const Walk& walk, const T* from, T* to) {
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

void copy(const Call& c, const Walk& w) {
  copy(c.threads, w, c.in[0].as<uint32_t>(), c.out.as<uint32_t>());
}
void copy(const ReferenceCall& c, const Walk& w) {
  Threads one(1);
  copy(one, w, c.in[0].values.data(), c.out.values.data());
}

Walk into(const Shape& dims, const Shape& from, int64_t fromOffset) {
  return {dims, from, rowMajorStrides(dims), fromOffset, 0};
}

void fill(const Call& c, float value) {
  uint32_t bits;
  if (c.out.type.dtype == DType::kF32) {
    std::memcpy(&bits, &value, 4);
  } else {
    bits = static_cast<uint32_t>(static_cast<int32_t>(value));
  }
  std::fill_n(c.out.as<uint32_t>(), c.out.size(), bits);
}

/// An op whose kernel and reference are `static void move(const C& call, const Shape& in, const
/// Shape& out, const Attrs&)`.
template <class Op, class A>
struct Movement {
  using Attrs = A;
  static void run(const Call& c, const A& a) { Op::move(c, c.in[0].shape(), c.out.shape(), a); }
  static void reference(const ReferenceCall& c, const A& a) {
    Op::move(c, c.in[0].type.shape, c.out.type.shape, a);
  }
};

// ---- reshape, transpose, broadcast

/// One entry of the shape may be -1: whatever makes the size fit. Never runs: the planner sees
/// through it.
struct Reshape : Movement<Reshape, ReshapeAttrs> {
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    Shape shape = a.shape;
    int64_t known = 1;
    int open = -1;
    for (int i = 0; i < shape.rank(); ++i) {
      if (shape[i] == -1 && open < 0) {
        open = i;
      } else if (shape[i] < 0) {
        return fail("cannot reshape to ", a.shape, ": at most one -1, and no other negative size");
      } else {
        known *= shape[i];
      }
    }
    if (open >= 0 && known > 0) shape[open] = static_cast<int32_t>(in[0].shape.size() / known);
    if (shape.size() != in[0].shape.size() || (open >= 0 && known == 0)) {
      return fail("cannot reshape ", in[0].shape, " (", in[0].shape.size(), " elements) to ",
                  a.shape);
    }
    return Type{in[0].dtype, shape};
  }
  template <class C>
  static void move(const C& c, const Shape& in, const Shape&, const Attrs&) {
    copy(c, into(in, rowMajorStrides(in), 0));
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs&) {
    return {reshape(g.dy, {.shape = g.in[0].shape()})};
  }
  static std::vector<Case> cases() {
    return {makeCase("flatten", {floats({3, 4, 5})}, Attrs{.shape = {60}}),
            makeCase("one open", {floats({3, 4, 5})}, Attrs{.shape = {5, -1}})};
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
  static void move(const C& c, const Shape& in, const Shape& out, const Attrs& a) {
    Shape strides = rowMajorStrides(in), from;
    for (int axis : permutation(in, a)) from.push(strides[axis]);
    copy(c, into(out, from, 0));
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
        makeCase("outer two", {floats({4, 3, 8})}, Attrs{.perm = {1, 0, 2}})};
  }
};

struct BroadcastTo : Movement<BroadcastTo, BroadcastToAttrs> {
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    if (broadcastShapes(in[0].shape, a.shape) != a.shape)
      return fail("cannot broadcast ", in[0].shape, " to ", a.shape);
    return Type{in[0].dtype, a.shape};
  }
  template <class C>
  static void move(const C& c, const Shape& in, const Shape& out, const Attrs&) {
    Shape strides = rowMajorStrides(in), from = Shape::filled(out.rank(), 0);
    for (int i = 1; i <= in.rank(); ++i) from[-i] = in[-i] == 1 ? 0 : strides[-i];
    copy(c, into(out, from, 0));
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs&) {
    return {sumTo(g.dy, g.in[0].shape())};
  }
  static std::vector<Case> cases() {
    return {makeCase("rows", {floats({5})}, Attrs{.shape = {3, 5}}),
            makeCase("columns", {floats({4, 1})}, Attrs{.shape = {4, 9}}),
            makeCase("scalar", {floats({})}, Attrs{.shape = {2, 3}}),
            makeCase("middle", {floats({2, 1, 3})}, Attrs{.shape = {4, 2, 5, 3}})};
  }
};

// ---- slices

struct Slice : Movement<Slice, SliceAttrs> {
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    const Shape& x = in[0].shape;
    if (a.begin.rank() != x.rank() || a.size.rank() != x.rank())
      return fail("begin and size need one entry for each axis");
    for (int i = 0; i < x.rank(); ++i) {
      if (a.begin[i] < 0 || a.size[i] < 0 || int64_t{a.begin[i]} + a.size[i] > x[i]) {
        return fail("begin ", a.begin, " and size ", a.size, " leave the shape ", x);
      }
    }
    return Type{in[0].dtype, a.size};
  }
  template <class C>
  static void move(const C& c, const Shape& in, const Shape& out, const Attrs& a) {
    Shape strides = rowMajorStrides(in);
    int64_t offset = 0;
    for (int i = 0; i < in.rank(); ++i) offset += int64_t{a.begin[i]} * strides[i];
    copy(c, into(out, strides, offset));
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    Paddings paddings;
    const Shape& x = g.in[0].shape();
    for (int i = 0; i < x.rank(); ++i) {
      paddings.push(a.begin[i]);
      paddings.push(x[i] - a.begin[i] - a.size[i]);
    }
    return {pad(g.dy, {.paddings = paddings})};
  }
  static std::vector<Case> cases() {
    return {makeCase("rows", {floats({7, 5})}, Attrs{.begin = {2, 0}, .size = {3, 5}}),
            makeCase("inside", {floats({4, 6, 5})}, Attrs{.begin = {1, 2, 3}, .size = {2, 3, 2}})};
  }
};

/// Element i along an axis is begin + i * stride; strides may be negative. Walks past `end` never
/// happen.
int32_t stridedCount(int32_t begin, int32_t end, int32_t stride) {
  int64_t span = stride > 0 ? int64_t{end} - begin : int64_t{begin} - end;
  int64_t step = stride > 0 ? stride : -int64_t{stride};
  return static_cast<int32_t>(span <= 0 ? 0 : (span + step - 1) / step);
}

struct StridedSlice : Movement<StridedSlice, StridedSliceAttrs> {
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    const Shape& x = in[0].shape;
    if (a.begin.rank() != x.rank() || a.end.rank() != x.rank() || a.strides.rank() != x.rank()) {
      return fail("begin, end and strides need one entry for each axis");
    }
    Shape shape;
    for (int i = 0; i < x.rank(); ++i) {
      if (a.strides[i] == 0) return fail("a stride must not be 0");
      int32_t count = stridedCount(a.begin[i], a.end[i], a.strides[i]);
      int64_t last = a.begin[i] + int64_t{count - 1} * a.strides[i];
      if (count > 0 && (a.begin[i] < 0 || a.begin[i] >= x[i] || last < 0 || last >= x[i])) {
        return fail("begin ", a.begin, ", end ", a.end, " and strides ", a.strides,
                    " leave the shape ", x);
      }
      shape.push(count);
    }
    return Type{in[0].dtype, shape};
  }
  template <class C>
  static void move(const C& c, const Shape& in, const Shape& out, const Attrs& a) {
    Shape strides = rowMajorStrides(in), from;
    int64_t offset = 0;
    for (int i = 0; i < in.rank(); ++i) {
      offset += int64_t{a.begin[i]} * strides[i];
      from.push(strides[i] * a.strides[i]);
    }
    copy(c, into(out, from, offset));
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    return {stridedSliceGrad(
        g.dy, {.begin = a.begin, .strides = a.strides, .inputShape = g.in[0].shape()})};
  }
  static std::vector<Case> cases() {
    return {makeCase("every second", {floats({9, 6})},
                     Attrs{.begin = {0, 1}, .end = {9, 6}, .strides = {2, 2}}),
            makeCase("backwards", {floats({5, 4})},
                     Attrs{.begin = {4, 3}, .end = {-1, 0}, .strides = {-1, -2}})};
  }
};

/// dx of a strided slice: zeros, with dy at the positions that were taken.
struct StridedSliceGrad : Movement<StridedSliceGrad, StridedSliceGradAttrs> {
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    if (in[0].shape.rank() != a.inputShape.rank()) return fail("dy has the wrong rank");
    return Type{in[0].dtype, a.inputShape};
  }
  template <class C>
  static void move(const C& c, const Shape& in, const Shape& out, const Attrs& a) {
    if constexpr (std::same_as<C, Call>) fill(c, 0);
    Shape strides = rowMajorStrides(out), to;
    int64_t offset = 0;
    for (int i = 0; i < out.rank(); ++i) {
      offset += int64_t{a.begin[i]} * strides[i];
      to.push(strides[i] * a.strides[i]);
    }
    copy(c, Walk{in, rowMajorStrides(in), to, 0, offset});
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    Shape end;
    for (int i = 0; i < a.begin.rank(); ++i) {
      end.push(a.begin[i] + (g.in[0].shape()[i] - 1) * a.strides[i] + (a.strides[i] > 0 ? 1 : -1));
    }
    return {stridedSlice(g.dy, {.begin = a.begin, .end = end, .strides = a.strides})};
  }
  static std::vector<Case> cases() {
    return {makeCase("every second", {floats({5, 3})},
                     Attrs{.begin = {0, 1}, .strides = {2, 2}, .inputShape = {9, 6}})};
  }
};

// ---- pads

Result<Type> paddedType(const Type& x, const Paddings& p) {
  if (p.rank() != 2 * x.shape.rank())
    return fail("paddings need a number before and after each axis");
  Shape shape;
  for (int i = 0; i < x.shape.rank(); ++i) {
    if (p[2 * i] < 0 || p[2 * i + 1] < 0) return fail("paddings must not be negative: ", p);
    shape.push(p[2 * i] + x.shape[i] + p[2 * i + 1]);
  }
  return Type{x.dtype, shape};
}

struct Pad : Movement<Pad, PadAttrs> {
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    return paddedType(in[0], a.paddings);
  }
  template <class C>
  static void move(const C& c, const Shape& in, const Shape& out, const Attrs& a) {
    if constexpr (std::same_as<C, Call>) {
      fill(c, a.value);
    } else {
      std::ranges::fill(c.out.values, static_cast<double>(a.value));
    }
    Shape strides = rowMajorStrides(out);
    int64_t offset = 0;
    for (int i = 0; i < in.rank(); ++i) offset += int64_t{a.paddings[2 * i]} * strides[i];
    copy(c, Walk{in, rowMajorStrides(in), strides, 0, offset});
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    Shape begin;
    for (int i = 0; i < g.in[0].shape().rank(); ++i) begin.push(a.paddings[2 * i]);
    return {slice(g.dy, {.begin = begin, .size = g.in[0].shape()})};
  }
  static std::vector<Case> cases() {
    return {makeCase("image", {floats({2, 3, 4, 2})}, Attrs{.paddings = {0, 0, 1, 2, 3, 0, 0, 0}}),
            makeCase("value", {floats({5})}, Attrs{.paddings = {2, 1}, .value = 1.5f})};
  }
};

/// Where position i of a mirrored axis of n elements comes from.
int64_t mirrored(int64_t i, int64_t n, MirrorMode mode) {
  int64_t edge = mode == MirrorMode::kReflect ? 0 : 1;
  if (i < 0) return -i - edge;
  return i >= n ? 2 * n - 2 - i + edge : i;
}

/// f(index in the padded array, index in the array that was padded) for every element of the
/// former.
template <class F>
void forEachMirrored(const Shape& plain, const Shape& padded, const Paddings& p, MirrorMode mode,
                     F f) {
  Shape strides = rowMajorStrides(plain), steps = rowMajorStrides(padded);
  for (int64_t o = 0; o < padded.size(); ++o) {
    int64_t from = 0;
    for (int d = 0; d < plain.rank(); ++d)
      from += mirrored(o / steps[d] % padded[d] - p[2 * d], plain[d], mode) * strides[d];
    f(o, from);
  }
}

Status checkMirror(const Shape& plain, const Paddings& p, MirrorMode mode) {
  for (int i = 0; i < plain.rank(); ++i) {
    int32_t most = plain[i] - (mode == MirrorMode::kReflect ? 1 : 0);
    if (p[2 * i] > most || p[2 * i + 1] > most)
      return fail("paddings ", p, " reach beyond what there is to mirror of ", plain);
  }
  return {};
}

struct MirrorPad : Movement<MirrorPad, MirrorPadAttrs> {
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    FJORD_TRY(Type t, paddedType(in[0], a.paddings));
    FJORD_CHECK(checkMirror(in[0].shape, a.paddings, a.mode));
    return t;
  }
  static void run(const Call& c, const Attrs& a) {
    forEachMirrored(c.in[0].shape(), c.out.shape(), a.paddings, a.mode, [&](int64_t o, int64_t i) {
      c.out.as<uint32_t>()[o] = c.in[0].as<uint32_t>()[i];
    });
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachMirrored(c.in[0].type.shape, c.out.type.shape, a.paddings, a.mode,
                    [&](int64_t o, int64_t i) { c.out.values[o] = c.in[0].values[i]; });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    return {mirrorPadGrad(g.dy, {.paddings = a.paddings, .mode = a.mode})};
  }
  static std::vector<Case> cases() {
    return {makeCase("reflect", {floats({4, 5})}, Attrs{.paddings = {2, 1, 0, 3}}),
            makeCase("symmetric", {floats({4, 5})},
                     Attrs{.paddings = {2, 4, 1, 3}, .mode = MirrorMode::kSymmetric})};
  }
};

struct MirrorPadGrad {
  using Attrs = MirrorPadGradAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    if (in[0].dtype != DType::kF32) return fail("gradients are float32");
    if (a.paddings.rank() != 2 * in[0].shape.rank())
      return fail("paddings need a number before and after each axis");
    Shape shape;
    for (int i = 0; i < in[0].shape.rank(); ++i)
      shape.push(in[0].shape[i] - a.paddings[2 * i] - a.paddings[2 * i + 1]);
    for (int32_t n : shape) {
      if (n < 1) return fail("paddings ", a.paddings, " are larger than ", in[0].shape);
    }
    FJORD_CHECK(checkMirror(shape, a.paddings, a.mode));
    return Type{DType::kF32, shape};
  }
  static void run(const Call& c, const Attrs& a) {
    fill(c, 0);
    forEachMirrored(c.out.shape(), c.in[0].shape(), a.paddings, a.mode,
                    [&](int64_t o, int64_t i) { c.out.as<float>()[i] += c.in[0].as<float>()[o]; });
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachMirrored(c.out.type.shape, c.in[0].type.shape, a.paddings, a.mode,
                    [&](int64_t o, int64_t i) { c.out.values[i] += c.in[0].values[o]; });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    return {mirrorPad(g.dy, {.paddings = a.paddings, .mode = a.mode})};
  }
  static std::vector<Case> cases() {
    return {makeCase("reflect", {floats({7, 8})}, Attrs{.paddings = {2, 1, 0, 3}})};
  }
};

// ---- joins

struct Concat {
  using Attrs = ConcatAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    FJORD_TRY(int axis, checkedAxis(a.axis, in[0].shape.rank()));
    Type out = in[0];
    for (const Type& t : in.subspan(1)) {
      Shape alike = t.shape;
      if (alike.rank() == out.shape.rank()) alike[axis] = in[0].shape[axis];
      if (t.dtype != out.dtype || alike != in[0].shape)
        return fail("the inputs differ beside axis ", axis);
      out.shape[axis] += t.shape[axis];
    }
    return out;
  }
  template <class T, class Get>
  static void join(Threads& threads, const Shape& out, int axis, size_t count, Get get, T* to) {
    Shape strides = rowMajorStrides(out);
    int64_t offset = 0;
    for (size_t i = 0; i < count; ++i) {
      const auto [shape, from] = get(i);
      copy(threads, Walk{shape, rowMajorStrides(shape), strides, 0, offset}, from, to);
      offset += int64_t{shape[axis]} * strides[axis];
    }
  }
  static void run(const Call& c, const Attrs& a) {
    auto get = [&](size_t i) {
      return std::pair<Shape, const uint32_t*>(c.in[i].shape(), c.in[i].as<uint32_t>());
    };
    join(c.threads, c.out.shape(), axisOf(a.axis, c.out.shape().rank()), c.in.size(), get,
         c.out.as<uint32_t>());
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    Threads one(1);
    auto get = [&](size_t i) {
      return std::pair<Shape, const double*>(c.in[i].type.shape, c.in[i].values.data());
    };
    join(one, c.out.type.shape, axisOf(a.axis, c.out.type.shape.rank()), c.in.size(), get,
         c.out.values.data());
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
    return {makeCase("rows", {floats({2, 5}), floats({4, 5}), floats({1, 5})}, Attrs{}),
            makeCase("columns", {floats({3, 2}), floats({3, 7})}, Attrs{.axis = -1}),
            makeCase("middle", {floats({2, 3, 4}), floats({2, 1, 4})}, Attrs{.axis = 1}),
            makeCase("one", {floats({6})}, Attrs{})};
  }
};

/// Equal shapes along a new axis.
struct Stack {
  using Attrs = StackAttrs;
  static Value expand(std::span<const Value> in, const Attrs& a) {
    if (in.empty()) return {};
    int rank = in[0].shape().rank() + 1;
    Result<int> axis = checkedAxis(a.axis, rank);
    if (!axis || rank > kMaxRank) {
      // An error that names the axis comes from the op below.
      return concat(in, {.axis = a.axis});
    }
    Shape shape;
    for (int i = 0; i < rank; ++i)
      shape.push(i == *axis ? 1 : in[0].shape()[i < *axis ? i : i - 1]);
    std::vector<Value> parts;
    for (Value x : in) parts.push_back(reshape(x, {.shape = shape}));
    return concat(parts, {.axis = *axis});
  }
  static std::vector<Case> cases() {
    return {makeCase("first", {floats({3, 4}), floats({3, 4})}, Attrs{}),
            makeCase("last", {floats({5}), floats({5}), floats({5})}, Attrs{.axis = -1})};
  }
};

/// x repeated reps[i] times along axis i: a broadcast over [1, n0, 1, n1, ...] folded back.
struct Tile {
  using Attrs = TileAttrs;
  static Value expand(std::span<const Value> in, const Attrs& a) {
    Value x = in[0];
    // Axis by axis, since [reps, n] pairs of all axes together could exceed the highest rank.
    for (int i = 0; i < x.shape().rank() && i < a.reps.rank(); ++i) {
      if (a.reps[i] == 1) continue;
      int64_t before = 1, after = 1;
      for (int d = 0; d < x.shape().rank(); ++d) (d < i ? before : after) *= x.shape()[d];
      Shape result = x.shape();
      result[i] *= a.reps[i];
      Value flat =
          reshape(x, {.shape = {static_cast<int32_t>(before), 1, static_cast<int32_t>(after)}});
      Value spread = broadcastTo(
          flat, {.shape = {static_cast<int32_t>(before), a.reps[i], static_cast<int32_t>(after)}});
      x = reshape(spread, {.shape = result});
      if (!x) return x;
    }
    return x;
  }
  static std::vector<Case> cases() {
    return {makeCase("vector", {floats({5})}, Attrs{.reps = {3}}),
            makeCase("matrix", {floats({3, 4})}, Attrs{.reps = {2, 3}})};
  }
};

struct Reverse {
  using Attrs = ReverseAttrs;
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
  static std::vector<Case> cases() {
    return {makeCase("columns", {floats({4, 5})}, Attrs{.axes = {1}}),
            makeCase("all", {floats({3, 2, 4})}, Attrs{})};
  }
};

}  // namespace

FJORD_OP_OF_KIND(Reshape, reshape, OpKind::kView)
FJORD_OP(Transpose, transpose)
FJORD_OP(BroadcastTo, broadcastTo)
FJORD_OP(Slice, slice)
FJORD_OP(StridedSlice, stridedSlice)
FJORD_OP(StridedSliceGrad, stridedSliceGrad)
FJORD_OP(Pad, pad)
FJORD_OP(MirrorPad, mirrorPad)
FJORD_OP(MirrorPadGrad, mirrorPadGrad)
FJORD_OP(Concat, concat)
FJORD_COMPOSED(Stack, stack)
FJORD_COMPOSED(Tile, tile)
FJORD_COMPOSED(Reverse, reverse)

}  // namespace fjord
