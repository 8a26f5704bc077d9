// Parts of an array, and arrays with more around them: slice, stridedSlice, pad, mirrorPad.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "ops/definition.h"
#include "ops/elementwise.h"
#include "ops/move.h"

namespace fjord {

namespace {

// ---- slices

struct Slice : Movement<Slice, SliceAttrs> {
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    const Shape& x = in[0].shape;
    if (a.begin.rank() != x.rank() || a.size.rank() != x.rank())
      return fail("begin and size need one entry for each axis, got ", a.begin, " and ", a.size);
    for (int i = 0; i < x.rank(); ++i) {
      if (a.begin[i] < 0 || a.size[i] < 0 || int64_t{a.begin[i]} + a.size[i] > x[i]) {
        return fail("begin ", a.begin, " and size ", a.size, " leave the shape ", x);
      }
    }
    return Type{in[0].dtype, a.size};
  }
  template <class C>
  static void move(C& c, const Shape& in, const Shape& out, const Attrs& a) {
    Shape strides = rowMajorStrides(in);
    int64_t offset = 0;
    for (int i = 0; i < in.rank(); ++i) offset += int64_t{a.begin[i]} * strides[i];
    copy(c, into(out, strides, offset));
  }
  /// y starts at `begin`.
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      Shape x = y;
      for (int i = 0; i < y.rank(); ++i) x[i] += a.begin[i];
      valueAt(c.out, y) = valueAt(c.in[0], x);
    });
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
    return {
        makeCase("rows", {floats({7, 5})}, Attrs{.begin = {2, 0}, .size = {3, 5}}),
        makeCase("inside", {floats({4, 6, 5})}, Attrs{.begin = {1, 2, 3}, .size = {2, 3, 2}}),
        // Rows that begin at odd places and have odd lengths; axes that merge with their
        // neighbours, and such that do not.
        makeCase("odd rows", {floats({5, 37})}, Attrs{.begin = {1, 3}, .size = {3, 33}}),
        makeCase("outer axis", {floats({5, 3, 7})}, Attrs{.begin = {2, 0, 0}, .size = {2, 3, 7}}),
        makeCase("middle axis", {floats({3, 6, 7})}, Attrs{.begin = {0, 5, 0}, .size = {3, 1, 7}}),
        makeCase("inner axis", {floats({3, 2, 9})}, Attrs{.begin = {0, 0, 8}, .size = {3, 2, 1}}),
        makeCase("eight axes", {floats({2, 3, 1, 2, 3, 2, 2, 3})},
                 Attrs{.begin = {1, 1, 0, 0, 1, 0, 1, 1}, .size = {1, 2, 1, 2, 2, 2, 1, 2}}),
        makeCase("integers", {ints({5, 7}, -99, 99)}, Attrs{.begin = {1, 2}, .size = {3, 5}}),
        flatCase("nothing", {floats({4, 3})}, Attrs{.begin = {4, 1}, .size = {0, 2}})};
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
      return fail("begin, end and strides need one entry for each axis, got ", a.begin, ", ", a.end,
                  " and ", a.strides);
    }
    Shape shape;
    for (int i = 0; i < x.rank(); ++i) {
      if (a.strides[i] == 0) return fail("strides must not be 0, got ", a.strides);
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
  static void move(C& c, const Shape& in, const Shape& out, const Attrs& a) {
    Shape strides = rowMajorStrides(in), from;
    int64_t offset = 0;
    for (int i = 0; i < in.rank(); ++i) {
      offset += int64_t{a.begin[i]} * strides[i];
      from.push(int64_t{strides[i]} * a.strides[i]);
    }
    copy(c, into(out, from, offset));
  }
  /// y starts at `begin`, and its next element is `strides` further in x.
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      Shape x = a.begin;
      for (int i = 0; i < y.rank(); ++i) x[i] += y[i] * a.strides[i];
      valueAt(c.out, y) = valueAt(c.in[0], x);
    });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    return {stridedSliceGrad(
        g.dy, {.begin = a.begin, .strides = a.strides, .inputShape = g.in[0].shape()})};
  }
  static std::vector<Case> cases() {
    return {makeCase("every second", {floats({9, 6})},
                     Attrs{.begin = {0, 1}, .end = {9, 6}, .strides = {2, 2}}),
            makeCase("backwards", {floats({5, 4})},
                     Attrs{.begin = {4, 3}, .end = {-1, 0}, .strides = {-1, -2}}),
            // An axis backwards at a time: rows of neighbours, rows from behind, neither.
            makeCase("first axis backwards", {floats({7, 3, 5})},
                     Attrs{.begin = {6, 0, 0}, .end = {-1, 3, 5}, .strides = {-2, 1, 1}}),
            makeCase("middle axis backwards", {floats({3, 7, 5})},
                     Attrs{.begin = {0, 5, 0}, .end = {3, -1, 5}, .strides = {1, -3, 1}}),
            makeCase("last axis backwards", {floats({3, 2, 35})},
                     Attrs{.begin = {0, 0, 34}, .end = {3, 2, -1}, .strides = {1, 1, -1}}),
            makeCase("axes of one", {floats({5, 6, 7})},
                     Attrs{.begin = {3, 1, 6}, .end = {4, 6, 5}, .strides = {9, 2, -9}}),
            makeCase("integers", {ints({9, 8}, -99, 99)},
                     Attrs{.begin = {8, 1}, .end = {0, 8}, .strides = {-3, 3}}),
            flatCase("nothing", {floats({4, 3})},
                     Attrs{.begin = {3, 2}, .end = {3, -1}, .strides = {1, -1}}),
            // More than move.cc's kGrain: two threads have a part each.
            makeCase("two parts", {floats({171, 405})},
                     Attrs{.begin = {170, 403}, .end = {-1, -1}, .strides = {-1, -2}})};
  }
};

/// dx of a strided slice: zeros, with dy at the positions that were taken.
struct StridedSliceGrad : Movement<StridedSliceGrad, StridedSliceGradAttrs> {
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    const Shape &dy = in[0].shape, &x = a.inputShape;
    if (a.begin.rank() != dy.rank() || a.strides.rank() != dy.rank() || x.rank() != dy.rank())
      return fail("begin, strides and inputShape need one entry for each axis");
    FJORD_CHECK(checkShape(x));
    for (int i = 0; i < dy.rank(); ++i) {
      int64_t last = a.begin[i] + int64_t{dy[i] - 1} * a.strides[i];
      if (dy[i] > 0 && (a.begin[i] < 0 || a.begin[i] >= x[i] || last < 0 || last >= x[i]))
        return fail("begin ", a.begin, " and strides ", a.strides, " leave the shape ", x);
      if (dy[i] > 1 && a.strides[i] == 0) return fail("strides must not be 0, got ", a.strides);
    }
    return Type{in[0].dtype, x};
  }
  template <class C>
  static void move(C& c, const Shape& in, const Shape& out, const Attrs& a) {
    fill(c, 0);
    Shape strides = rowMajorStrides(out), to;
    int64_t offset = 0;
    for (int i = 0; i < out.rank(); ++i) {
      offset += int64_t{a.begin[i]} * strides[i];
      to.push(int64_t{strides[i]} * a.strides[i]);
    }
    copy(c, Walk{in, rowMajorStrides(in), to, 0, offset});
  }
  /// An element of dy is the gradient of the element of x that was taken.
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.in[0].type.shape, [&](const Shape& dy) {
      Shape x = a.begin;
      for (int i = 0; i < dy.rank(); ++i) x[i] += dy[i] * a.strides[i];
      valueAt(c.out, x) += valueAt(c.in[0], dy);
    });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    Shape end;
    for (int i = 0; i < a.begin.rank(); ++i) {
      int64_t last = a.begin[i] + int64_t{g.in[0].shape()[i] - 1} * a.strides[i];
      end.push(last + (a.strides[i] > 0 ? 1 : -1));
    }
    return {stridedSlice(g.dy, {.begin = a.begin, .end = end, .strides = a.strides})};
  }
  static std::vector<Case> cases() {
    return {makeCase("every second", {floats({5, 3})},
                     Attrs{.begin = {0, 1}, .strides = {2, 2}, .inputShape = {9, 6}}),
            makeCase("backwards", {floats({4, 3})},
                     Attrs{.begin = {8, 4}, .strides = {-2, -1}, .inputShape = {9, 6}}),
            makeCase("middle axis backwards", {floats({3, 2, 5})},
                     Attrs{.begin = {0, 5, 0}, .strides = {1, -3, 1}, .inputShape = {3, 7, 5}}),
            makeCase("last axis backwards", {floats({3, 2, 17})},
                     Attrs{.begin = {0, 0, 34}, .strides = {1, 1, -2}, .inputShape = {3, 2, 35}}),
            makeCase("axes of one", {floats({1, 3, 1})},
                     Attrs{.begin = {3, 1, 6}, .strides = {9, 2, -9}, .inputShape = {5, 6, 7}}),
            makeCase("nothing", {floats({0, 2})},
                     Attrs{.begin = {3, 1}, .strides = {1, 1}, .inputShape = {4, 3}}),
            // More than move.cc's kGrain, into rows that begin at odd places.
            makeCase("two parts", {floats({140, 259})},
                     Attrs{.begin = {139, 3}, .strides = {-1, 1}, .inputShape = {140, 263}})};
  }
};

// ---- pads

Result<Type> paddedType(const Type& x, const Paddings& p) {
  if (p.rank() != 2 * x.shape.rank())
    return fail("paddings need a number before and after each axis, got ", p);
  Shape shape;
  for (int i = 0; i < x.shape.rank(); ++i) {
    if (p[2 * i] < 0 || p[2 * i + 1] < 0) return fail("paddings must be at least 0, got ", p);
    shape.push(int64_t{p[2 * i]} + x.shape[i] + p[2 * i + 1]);
  }
  return Type{x.dtype, shape};
}

struct Pad : Movement<Pad, PadAttrs> {
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    // Any number fills floats, infinities and NaN among them.
    bool fits = in[0].dtype == DType::kF32 ||
                numberOf(bitsOf(a.value, in[0].dtype), in[0].dtype) == static_cast<double>(a.value);
    if (!fits) return fail("value must be one of ", in[0].dtype, ", got ", a.value);
    return paddedType(in[0], a.paddings);
  }
  template <class C>
  static void move(C& c, const Shape& in, const Shape& out, const Attrs& a) {
    fill(c, a.value);
    Shape strides = rowMajorStrides(out);
    int64_t offset = 0;
    for (int i = 0; i < in.rank(); ++i) offset += int64_t{a.paddings[2 * i]} * strides[i];
    copy(c, Walk{in, rowMajorStrides(in), strides, 0, offset});
  }
  /// x with `value` before and after each axis.
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      Shape x = y;
      bool inside = true;
      for (int i = 0; i < y.rank(); ++i) {
        x[i] -= a.paddings[2 * i];
        inside = inside && x[i] >= 0 && x[i] < c.in[0].type.shape[i];
      }
      valueAt(c.out, y) = inside ? valueAt(c.in[0], x) : static_cast<double>(a.value);
    });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    Shape begin;
    for (int i = 0; i < g.in[0].shape().rank(); ++i) begin.push(a.paddings[2 * i]);
    return {slice(g.dy, {.begin = begin, .size = g.in[0].shape()})};
  }
  static std::vector<Case> cases() {
    return {
        makeCase("image", {floats({2, 3, 4, 2})}, Attrs{.paddings = {0, 0, 1, 2, 3, 0, 0, 0}}),
        makeCase("value", {floats({5})}, Attrs{.paddings = {2, 1}, .value = 1.5f}),
        // Rows that begin at odd places; an axis at a time, so that others merge.
        makeCase("odd rows", {floats({3, 33})}, Attrs{.paddings = {1, 0, 3, 1}}),
        makeCase("outer axis", {floats({3, 2, 5})}, Attrs{.paddings = {2, 1, 0, 0, 0, 0}}),
        makeCase("middle axis", {floats({3, 2, 5})}, Attrs{.paddings = {0, 0, 0, 3, 0, 0}}),
        makeCase("inner axis", {floats({3, 2, 1})}, Attrs{.paddings = {0, 0, 0, 0, 7, 9}}),
        makeCase("not at all", {floats({3, 5})}, Attrs{.paddings = {0, 0, 0, 0}}),
        makeCase("integers", {ints({3, 5}, -99, 99)}, Attrs{.paddings = {1, 0, 0, 2}, .value = -7}),
        makeCase("bools", {{{DType::kBool, {3, 5}}, 0, 2}},
                 Attrs{.paddings = {1, 0, 0, 2}, .value = 1}),
        // Numbers that WGSL has no literals for.
        makeCase("infinity", {floats({2, 3})}, Attrs{.paddings = {1, 0, 0, 2}, .value = INFINITY}),
        makeCase("less than all", {floats({2, 3})},
                 Attrs{.paddings = {1, 0, 0, 2}, .value = -INFINITY}),
        makeCase("no number", {floats({2, 3})}, Attrs{.paddings = {1, 0, 0, 2}, .value = NAN}),
        makeCase("nothing", {floats({0, 3})}, Attrs{.paddings = {2, 1, 0, 1}, .value = 1.5f})};
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

/// mirrored(o): the element of the plain array that element o of the padded one shows.
void mirrorShader(ShaderWriter& w, const Shape& plain, const Shape& padded, const Paddings& p,
                  MirrorMode mode, std::string_view element) {
  Shape strides = rowMajorStrides(plain), steps = rowMajorStrides(padded);
  w.elements(w.out().shape.size());
  w.constant("kPadded", padded.size());
  w.offset("kEdge", mode == MirrorMode::kReflect ? 0 : 1);
  std::string sum;
  for (int d = 0; d < plain.rank(); ++d) {
    sum +=
        cat("+axis(j/", steps[d], "%", padded[d], "-", p[2 * d], ",", plain[d], ")*", strides[d]);
  }
  w.text(
      {"fn axis(i:i32,n:i32)->i32{return "
       "select(select(i,2*n-2-i+kEdge,i>=n),-i-kEdge,i<0);}\n"
       "fn mirrored(o:u32)->u32{let j=i32(o);return u32(0",
       sum, ");}\n", element});
}

Status checkMirror(const Shape& plain, const Paddings& p, MirrorMode mode) {
  for (int i = 0; i < plain.rank(); ++i) {
    int32_t most = std::max(0, plain[i] - (mode == MirrorMode::kReflect ? 1 : 0));
    if (p[2 * i] > most || p[2 * i + 1] > most)
      return fail("paddings ", p, " reach beyond what there is to mirror of ", plain);
  }
  return {};
}

/// The definition: the positions that each axis shows, listed one by one from its edges outwards.
struct Mirrored {
  std::vector<std::vector<int32_t>> axes;

  Mirrored(const Shape& plain, const Paddings& p, MirrorMode mode) {
    for (int i = 0; i < plain.rank(); ++i) {
      // Reflected in the middle of the outermost element, or between it and its image.
      int32_t nearest = mode == MirrorMode::kReflect ? 1 : 0;
      std::vector<int32_t> shown(plain[i]);
      std::iota(shown.begin(), shown.end(), 0);
      for (int32_t k = 0; k < p[2 * i]; ++k) shown.insert(shown.begin(), nearest + k);
      for (int32_t k = 0; k < p[2 * i + 1]; ++k) shown.push_back(plain[i] - 1 - nearest - k);
      axes.push_back(std::move(shown));
    }
  }
  Shape operator()(const Shape& padded) const {
    Shape plain;
    for (int i = 0; i < padded.rank(); ++i) plain.push(axes[i][padded[i]]);
    return plain;
  }
};

struct MirrorPad {
  using Attrs = MirrorPadAttrs;
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
  static void gpu(ShaderWriter& w, const Attrs& a) {
    mirrorShader(w, w.in(0).shape, w.out().shape, a.paddings, a.mode,
                 "fn element(i:u32){put(i,in0(mirrored(i)));}\n");
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    Mirrored shown(c.in[0].type.shape, a.paddings, a.mode);
    forEachCoordinate(c.out.type.shape,
                      [&](const Shape& y) { valueAt(c.out, y) = valueAt(c.in[0], shown(y)); });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    return {mirrorPadGrad(g.dy, {.paddings = a.paddings, .mode = a.mode})};
  }
  static std::vector<Case> cases() {
    return {makeCase("reflect", {floats({4, 5})}, Attrs{.paddings = {2, 1, 0, 3}}),
            makeCase("symmetric", {floats({4, 5})},
                     Attrs{.paddings = {2, 4, 1, 3}, .mode = MirrorMode::kSymmetric}),
            // As far as there is something to mirror; an axis of one; every axis of an image.
            makeCase("reflect all", {floats({3, 5})}, Attrs{.paddings = {2, 2, 4, 4}}),
            makeCase("symmetric all", {floats({3, 1, 5})},
                     Attrs{.paddings = {3, 3, 1, 1, 5, 5}, .mode = MirrorMode::kSymmetric}),
            makeCase("images", {floats({2, 5, 4, 3})}, Attrs{.paddings = {0, 0, 1, 2, 3, 0, 0, 0}}),
            makeCase("integers", {ints({4, 7}, -99, 99)}, Attrs{.paddings = {1, 3, 2, 0}}),
            makeCase("nothing", {floats({0, 3})}, Attrs{.paddings = {0, 0, 2, 1}})};
  }
};

struct MirrorPadGrad {
  using Attrs = MirrorPadGradAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    if (in[0].dtype != DType::kF32) return fail("gradients are float32");
    if (a.paddings.rank() != 2 * in[0].shape.rank())
      return fail("paddings need a number before and after each axis, got ", a.paddings);
    Shape shape;
    for (int i = 0; i < in[0].shape.rank(); ++i) {
      int64_t before = a.paddings[2 * i], after = a.paddings[2 * i + 1];
      if (before < 0 || after < 0) return fail("paddings must be at least 0, got ", a.paddings);
      shape.push(in[0].shape[i] - before - after);
    }
    for (int32_t n : shape) {
      if (n < 0) return fail("paddings ", a.paddings, " are larger than ", in[0].shape);
    }
    FJORD_CHECK(checkMirror(shape, a.paddings, a.mode));
    return Type{DType::kF32, shape};
  }
  static void run(const Call& c, const Attrs& a) {
    fill(c, 0);
    forEachMirrored(c.out.shape(), c.in[0].shape(), a.paddings, a.mode,
                    [&](int64_t o, int64_t i) { c.out.as<float>()[i] += c.in[0].as<float>()[o]; });
  }
  /// Every element asks all of the padded array which of them mirror it.
  static void gpu(ShaderWriter& w, const Attrs& a) {
    mirrorShader(w, w.out().shape, w.in(0).shape, a.paddings, a.mode,
                 "fn element(i:u32){var sum=0.0;for(var o=0u;o<kPadded;o++){"
                 "if(mirrored(o)==i){sum+=in0(o);}}put(i,sum);}\n");
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    Mirrored shown(c.out.type.shape, a.paddings, a.mode);
    forEachCoordinate(c.in[0].type.shape,
                      [&](const Shape& dy) { valueAt(c.out, shown(dy)) += valueAt(c.in[0], dy); });
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    return {mirrorPad(g.dy, {.paddings = a.paddings, .mode = a.mode})};
  }
  static std::vector<Case> cases() {
    return {makeCase("reflect", {floats({7, 8})}, Attrs{.paddings = {2, 1, 0, 3}}),
            makeCase("symmetric", {floats({10, 9})},
                     Attrs{.paddings = {2, 4, 1, 3}, .mode = MirrorMode::kSymmetric}),
            // Every element is shown several times.
            makeCase("reflect all", {floats({7, 13})}, Attrs{.paddings = {2, 2, 4, 4}}),
            makeCase("symmetric all", {floats({9, 3, 15})},
                     Attrs{.paddings = {3, 3, 1, 1, 5, 5}, .mode = MirrorMode::kSymmetric}),
            makeCase("images", {floats({2, 8, 7, 3})}, Attrs{.paddings = {0, 0, 1, 2, 3, 0, 0, 0}}),
            makeCase("nothing", {floats({0, 6})}, Attrs{.paddings = {0, 0, 2, 1}})};
  }
};

}  // namespace

FJORD_OP(Slice, slice)
FJORD_OP(StridedSlice, stridedSlice)
FJORD_OP(StridedSliceGrad, stridedSliceGrad)
FJORD_OP(Pad, pad)
FJORD_OP(MirrorPad, mirrorPad)
FJORD_OP(MirrorPadGrad, mirrorPadGrad)

}  // namespace fjord
