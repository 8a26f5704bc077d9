// Ops that index: gather, its inverse scatterAdd, addRows, which changes some rows where they lie, and
// one-hot.
//
// What an index outside of the axis does, as in TensorFlow: gather fails, and gives zero on a GPU,
// which cannot say so; scatterAdd and addRows drop what is negative, and fail beyond; oneHot marks
// nothing.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/sort.h"
#include "ops/definition.h"
#include "ops/gather.wgsl.h"
#include "ops/long_sum.h"
#include "ops/op.h"
#include "ops/scatter_add.wgsl.h"
#include "ops/scatter_add_row.wgsl.h"

namespace fjord {

namespace {

/// x as [outer, count, inner] around an axis.
struct Layout {
  int64_t outer = 1, count = 1, inner = 1;
};
Layout layoutOf(const Shape& shape, int axis) {
  Layout l;
  for (int i = 0; i < shape.rank(); ++i)
    (i < axis ? l.outer : i == axis ? l.count : l.inner) *= shape[i];
  return l;
}

/// Whether all are below `size`, and not below `least`; if not, the call knows the first.
bool areIndices(const Call& c, const View& indices, int32_t least, int32_t size) {
  std::span<const int32_t> all(indices.as<int32_t>(), static_cast<size_t>(indices.size()));
  // The usual answer without a branch for each.
  bool outside = false;
  for (int32_t i : all) outside |= (i < least) | (i >= size);
  if (!outside) return true;
  auto at = std::ranges::find_if(all, [&](int32_t i) { return i < least || i >= size; });
  c.outOfRange = {at - all.begin(), *at, size};
  return false;
}

/// x [.., n, ..], indices [..] -> x with its axis replaced by the axes of the indices.
struct Gather {
  using Attrs = GatherAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    if (in[1].dtype != DType::kI32) return fail("indices must be int32, got ", in[1].dtype);
    FJORD_TRY(int axis, checkedAxis(a.axis, in[0].shape.rank()));
    FJORD_CHECK(checkRank(in[0].shape.rank() - 1 + in[1].shape.rank()));
    Shape shape;
    for (int i = 0; i < in[0].shape.rank(); ++i) {
      if (i != axis) {
        shape.push(in[0].shape[i]);
      } else {
        for (int32_t d : in[1].shape) shape.push(d);
      }
    }
    return Type{in[0].dtype, shape};
  }
  static void run(const Call& c, const Attrs& a) {
    Layout l = layoutOf(c.in[0].shape(), axisOf(a.axis, c.in[0].shape().rank()));
    if (!areIndices(c, c.in[1], 0, static_cast<int32_t>(l.count))) return;
    const uint32_t* x = c.in[0].as<uint32_t>();
    const int32_t* indices = c.in[1].as<int32_t>();
    uint32_t* out = c.out.as<uint32_t>();
    for (int64_t o = 0; o < l.outer; ++o) {
      for (int64_t i = 0; i < c.in[1].size(); ++i, out += l.inner)
        std::copy_n(x + (o * l.count + indices[i]) * l.inner, l.inner, out);
    }
  }
  /// scatterAdd wants the updates' index axes first to last at the same place: as one axis.
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    const Shape& x = g.in[0].shape();
    int axis = axisOf(a.axis, x.rank());
    int32_t n = static_cast<int32_t>(g.in[1].shape().size());
    Shape flat = x;
    flat[axis] = n;
    Value updates = reshape(g.dy, {.shape = flat});
    return {scatterAdd(reshape(g.in[1], {.shape = {n}}), updates, {.axis = axis, .size = x[axis]}),
            {}};
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    Layout l = layoutOf(w.in(0).shape, axisOf(a.axis, w.in(0).shape.rank()));
    w.elements(w.out().shape.size());
    w.numbers(w.out());
    w.constant("kCount", l.count);
    w.constant("kInner", l.inner);
    w.constant("kN", w.in(1).shape.size());
    w.text({kGatherWgsl});
  }
  /// y[before.., i.., after..] = x[before.., indices[i..], after..].
  static void reference(const ReferenceCall& c, const Attrs& a) {
    const Shape &shape = c.in[0].type.shape, &indices = c.in[1].type.shape;
    int axis = axisOf(a.axis, shape.rank());
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      Shape x, i;
      for (int k = 0; k < axis; ++k) x.push(y[k]);
      for (int k = 0; k < indices.rank(); ++k) i.push(y[axis + k]);
      x.push(static_cast<int64_t>(valueAt(c.in[1], i)));
      for (int k = axis + indices.rank(); k < y.rank(); ++k) x.push(y[k]);
      valueAt(c.out, y) = valueAt(c.in[0], x);
    });
  }
  static std::vector<Case> cases() {
    Input some = ints({6}, 0, 4), matrix = ints({2, 3}, 0, 3);
    return {makeCase("rows", {floats({5, 7}), some}, Attrs{}),
            makeCase("columns", {floats({3, 5}), some}, Attrs{.axis = 1}),
            makeCase("matrix of indices", {floats({4, 3}), matrix}, Attrs{}),
            // Axes on both sides; rows of one and of many elements; one index, and none.
            makeCase("middle", {floats({3, 5, 17}), some}, Attrs{.axis = -2}),
            makeCase("matrix in the middle", {floats({2, 4, 3}), matrix}, Attrs{.axis = 1}),
            makeCase("vector", {floats({5}), some}, Attrs{}),
            makeCase("one index", {floats({3, 5, 2}), ints({}, 4, 4)}, Attrs{.axis = 1}),
            makeCase("axis of one", {floats({2, 1, 3}), ints({5}, 0, 0)}, Attrs{.axis = 1}),
            makeCase("eight axes", {floats({2, 1, 3, 2, 4, 2}), ints({1, 2, 2}, 0, 3)},
                     Attrs{.axis = 4}),
            makeCase("integers", {ints({5, 3}, -99, 99), some}, Attrs{}),
            flatCase("no index", {floats({5, 3}), ints({0}, 0, 0)}, Attrs{}),
            makeCase("rows of nothing", {floats({5, 0}), some}, Attrs{})};
  }
};

/// indices [n], updates [.., n, ..] -> zeros [.., size, ..] plus each update at its index.
/// Sequential: equal indices add in order.
struct ScatterAdd {
  using Attrs = ScatterAddAttrs;
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    if (in[0].dtype != DType::kI32 || in[0].shape.rank() != 1)
      return fail("indices must be int32 of rank 1, got ", in[0]);
    if (in[1].dtype == DType::kBool) return fail("bools cannot be added");
    FJORD_TRY(int axis, checkedAxis(a.axis, in[1].shape.rank()));
    if (in[1].shape[axis] != in[0].shape[0])
      return fail("as many updates along axis ", axis, " are needed as indices");
    if (a.size < 0) return fail("size must be at least 0, got ", a.size);
    Type out = in[1];
    out.shape[axis] = a.size;
    return out;
  }
  template <class S, class T>
  static void scatter(const Layout& l, const int32_t* indices, const S* updates, int64_t size,
                      T* out) {
    std::fill_n(out, l.outer * size * l.inner, T{});
    for (int64_t o = 0; o < l.outer; ++o) {
      for (int64_t i = 0; i < l.count; ++i, updates += l.inner) {
        int64_t at = indices[i];
        if (at < 0 || at >= size) continue;
        T* to = out + (o * size + at) * l.inner;
        for (int64_t j = 0; j < l.inner; ++j) to[j] += updates[j];
      }
    }
  }
  /// Where rows get several updates on the whole, all have their sums in double; elsewhere those do that
  /// get more than a run, of which there are not many.
  static bool isDense(const Layout& l, int64_t size) {
    return l.count > kShortTerms && size <= l.count / 4;
  }
  static int64_t mostLong(int64_t updates) { return updates / (kShortTerms + 1); }
  static int64_t scratch(const ScratchCall& c, const Attrs& a) {
    if (c.out.dtype != DType::kF32) return 0;
    Layout l = layoutOf(c.in[1].shape, axisOf(a.axis, c.in[1].shape.rank()));
    if (isDense(l, a.size)) return a.size * l.inner * 8;
    return mostLong(l.count) > 0 ? mostLong(l.count) * l.inner * 8 + a.size * 4 : 0;
  }
  static void sumDense(const Call& c, const Layout& l, int64_t size) {
    double* totals = reinterpret_cast<double*>(c.scratch);
    for (int64_t o = 0; o < l.outer; ++o) {
      scatter({1, l.count, l.inner}, c.in[0].as<int32_t>(),
              c.in[1].as<float>() + o * l.count * l.inner, size, totals);
      std::copy_n(totals, size * l.inner, c.out.as<float>() + o * size * l.inner);
    }
  }
  /// What rows of many updates have become, once the others are done.
  static void sumLongRows(const Call& c, const Layout& l, int64_t size) {
    const int32_t* indices = c.in[0].as<int32_t>();
    double* totals = reinterpret_cast<double*>(c.scratch);
    int32_t* counts = reinterpret_cast<int32_t*>(totals + mostLong(l.count) * l.inner);
    auto inside = [&](int64_t i) { return indices[i] >= 0 && indices[i] < size; };
    std::fill_n(counts, size, 0);
    int32_t most = 0;
    for (int64_t i = 0; i < l.count; ++i) {
      if (inside(i)) most = std::max(most, ++counts[indices[i]]);
    }
    if (most <= kShortTerms) return;
    // The counts become the numbers of the rows' totals, or -1.
    int32_t rows = 0;
    for (int64_t i = 0; i < size; ++i) counts[i] = counts[i] > kShortTerms ? rows++ : -1;
    const float* updates = c.in[1].as<float>();
    for (int64_t o = 0; o < l.outer; ++o) {
      std::fill_n(totals, rows * l.inner, 0.0);
      for (int64_t i = 0; i < l.count; ++i, updates += l.inner) {
        int32_t row = inside(i) ? counts[indices[i]] : -1;
        for (int64_t j = 0; j < l.inner && row >= 0; ++j) totals[row * l.inner + j] += updates[j];
      }
      for (int64_t i = 0; i < size; ++i) {
        if (counts[i] < 0) continue;
        std::copy_n(totals + counts[i] * l.inner, l.inner,
                    c.out.as<float>() + (o * size + i) * l.inner);
      }
    }
  }
  static void run(const Call& c, const Attrs& a) {
    Layout l = layoutOf(c.in[1].shape(), axisOf(a.axis, c.in[1].shape().rank()));
    if (!areIndices(c, c.in[0], INT32_MIN, a.size)) return;
    const int32_t* indices = c.in[0].as<int32_t>();
    if (c.out.type.dtype == DType::kF32) {
      if (isDense(l, a.size)) return sumDense(c, l, a.size);
      scatter(l, indices, c.in[1].as<float>(), a.size, c.out.as<float>());
      if (mostLong(l.count) > 0) sumLongRows(c, l, a.size);
    } else {
      scatter(l, indices, c.in[1].as<int32_t>(), a.size, c.out.as<int32_t>());
    }
  }
  static std::vector<Value> grad(const GradCall& g, const Attrs& a) {
    // What was dropped has no derivative.
    if (a.size == 0) return {{}, {}};
    Shape along = Shape::filled(g.dy.shape().rank(), 1);
    along[axisOf(a.axis, along.rank())] = g.in[0].shape()[0];
    Value dropped = reshape(g.in[0] < 0.0, {.shape = along});
    Value taken = gather(g.dy, maximum(g.in[0], like(g.in[0], 0)), {.axis = a.axis});
    return {{}, where(dropped, 0.0, taken)};
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    Layout l = layoutOf(w.in(1).shape, axisOf(a.axis, w.in(1).shape.rank()));
    bool alone = l.count <= 64;
    if (alone) {
      w.elements(w.out().shape.size());
    } else {
      w.workgroupsOf("kRows", l.outer * a.size, (l.inner + 63) / 64, 64);
    }
    w.numbers(w.out());
    w.constant("kSize", a.size);
    w.constant("kInner", l.inner);
    w.constant("kN", l.count);
    if (alone) return w.text({kScatterAddWgsl});
    longSums(w, l.count);
    w.text({kScatterAddRowWgsl});
  }
  /// An update [before.., i, after..] is added to [before.., indices[i], after..], if that is not
  /// negative.
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.in[1].type.shape, [&](const Shape& update) {
      double index = valueAt(c.in[0], {update[a.axis]});
      if (index < 0) return;
      valueAt(c.out, replaced(update, a.axis, static_cast<int64_t>(index))) +=
          valueAt(c.in[1], update);
    });
  }
  static std::vector<Case> cases() {
    Input some = ints({6}, 0, 3);
    return {
        makeCase("rows", {some, floats({6, 5})}, Attrs{.size = 4}),
        makeCase("columns", {some, floats({3, 6})}, Attrs{.axis = 1, .size = 4}),
        makeCase("indices below 0", {ints({6}, -2, 2), floats({6, 5})}, Attrs{.size = 3}),
        makeCase("many", {ints({150}, -1, 8), floats({150, 70})}, Attrs{.size = 9}),
        makeCase("many columns", {ints({150}, 0, 4), floats({3, 150})},
                 Attrs{.axis = 1, .size = 5}),
        // On a GPU a thread alone for up to 64 updates, then windows of 64 indices and groups of 64
        // columns.
        makeCase("a window", {ints({64}, 0, 4), floats({64, 3})}, Attrs{.size = 5}),
        makeCase("more than a window", {ints({65}, 0, 4), floats({2, 65, 65})},
                 Attrs{.axis = -2, .size = 5}),
        makeCase("whole windows", {ints({128}, 0, 4), floats({128, 64})}, Attrs{.size = 5}),
        // Up to kShortTerms updates, and more: sums in double of all rows where these are few, else of
        // those with more than kShortTerms.
        makeCase("short", {ints({256}, -1, 0), floats({256, 3})}, Attrs{.size = 1}),
        makeCase("dense", {ints({1028}, -1, 256), floats({2, 1028, 3})},
                 Attrs{.axis = 1, .size = 257}),
        makeCase("long rows", {ints({700}, 180, 181), floats({2, 700, 3})},
                 Attrs{.axis = 1, .size = 200}),
        makeCase("a long row of dropped ones", {ints({600}, -1, 0), floats({600, 17})},
                 Attrs{.size = 200}),
        makeCase("no long row", {ints({300}, 0, 299), floats({300, 3})}, Attrs{.size = 300}),
        makeCase("integers", {ints({300}, -1, 4), ints({300, 3}, -99, 99)}, Attrs{.size = 5}),
        makeCase("nothing", {ints({0}, 0, 0), floats({0, 3})}, Attrs{.size = 2}),
        flatCase("to nothing", {ints({6}, -3, -1), floats({6, 3})}, Attrs{.size = 0}),
        flatCase("many to nothing", {ints({70}, -3, -1), floats({70, 3})}, Attrs{.size = 0})};
  }
};

/// x [size, ..], indices [n], updates [n, ..] -> x plus each update at its row. Where the result takes x's
/// place, the other rows are not touched: the time goes by n, not by the size.
struct AddRows {
  using Attrs = AddRowsAttrs;
  static constexpr bool kInPlace = true;
  static constexpr NoGrad grad{"what changes weights is not differentiated"};
  static constexpr NoGpu gpu{"shaders cannot read the array that they write: add scatterAdd"};
  static Result<Type> type(std::span<const Type> in, const Attrs&) {
    if (in[1].dtype != DType::kI32 || in[1].shape.rank() != 1)
      return fail("indices must be int32 of rank 1, got ", in[1]);
    if (in[0].shape.rank() < 1) return fail("needs rows, got ", in[0]);
    Type updates{DType::kF32, in[0].shape};
    updates.shape[0] = in[1].shape[0];
    if (in[0].dtype != DType::kF32 || in[2] != updates)
      return fail("needs updates ", updates, ", got ", in[2]);
    return in[0];
  }
  /// The positions of the updates by their rows, after the sums of one row.
  static int64_t scratch(const ScratchCall& c, const Attrs&) {
    return innerOf(c.in[0].shape) * 8 + c.in[1].shape.size() * 4;
  }
  static int64_t innerOf(const Shape& shape) { return layoutOf(shape, 0).inner; }
  static void run(const Call& c, const Attrs&) {
    const Shape& shape = c.in[0].shape();
    int64_t inner = innerOf(shape), count = c.in[1].size();
    if (!areIndices(c, c.in[1], INT32_MIN, shape[0])) return;
    if (c.out.data != c.in[0].data)
      std::memcpy(c.out.data, c.in[0].data, static_cast<size_t>(c.out.type.bytes()));
    const int32_t* indices = c.in[1].as<int32_t>();
    double* totals = reinterpret_cast<double*>(c.scratch);
    std::span<int32_t> order(reinterpret_cast<int32_t*>(totals + inner), count);
    for (int32_t i = 0; i < count; ++i) order[i] = i;
    sortFew(order, [&](int32_t a, int32_t b) {
      return indices[a] != indices[b] ? indices[a] < indices[b] : a < b;
    });
    for (int64_t i = 0; i < count;) {
      int32_t row = indices[order[i]];
      float* to = c.out.as<float>() + row * inner;
      std::fill_n(totals, inner, 0.0);
      for (; i < count && indices[order[i]] == row; ++i) {
        const float* update = c.in[2].as<float>() + order[i] * inner;
        for (int64_t j = 0; j < inner; ++j) totals[j] += update[j];
      }
      for (int64_t j = 0; j < inner && row >= 0; ++j) to[j] += static_cast<float>(totals[j]);
    }
  }
  static void reference(const ReferenceCall& c, const Attrs&) {
    c.out.values = c.in[0].values;
    forEachCoordinate(c.in[2].type.shape, [&](const Shape& update) {
      double row = valueAt(c.in[1], {update[0]});
      if (row < 0) return;
      valueAt(c.out, replaced(update, 0, static_cast<int64_t>(row))) += valueAt(c.in[2], update);
    });
  }
  static std::vector<Case> cases() {
    return {makeCase("rows", {floats({9, 5}), ints({6}, 0, 8), floats({6, 5})}, Attrs{}),
            makeCase("again and again", {floats({3, 2, 2}), ints({70}, 0, 2), floats({70, 2, 2})},
                     Attrs{}),
            makeCase("numbers", {floats({40}), ints({90}, -3, 39), floats({90})}, Attrs{}),
            makeCase("nothing", {floats({4, 3}), ints({0}, 0, 0), floats({0, 3})}, Attrs{})};
  }
};

/// A new last axis of `depth`: onValue at the index, offValue elsewhere.
struct OneHot {
  using Attrs = OneHotAttrs;
  static constexpr NoGrad grad{"its inputs are indices"};
  static Result<Type> type(std::span<const Type> in, const Attrs& a) {
    if (in[0].dtype != DType::kI32) return fail("indices must be int32, got ", in[0].dtype);
    if (a.depth < 1) return fail("depth must be at least 1, got ", a.depth);
    FJORD_CHECK(checkRank(in[0].shape.rank() + 1));
    Shape shape = in[0].shape;
    shape.push(a.depth);
    return Type{DType::kF32, shape};
  }
  static void run(const Call& c, const Attrs& a) {
    const int32_t* indices = c.in[0].as<int32_t>();
    float* out = c.out.as<float>();
    std::fill_n(out, c.out.size(), a.offValue);
    for (int64_t i = 0; i < c.in[0].size(); ++i, out += a.depth) {
      if (indices[i] >= 0 && indices[i] < a.depth) out[indices[i]] = a.onValue;
    }
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    w.elements(w.out().shape.size());
    w.constant("kDepth", a.depth);
    w.text({"fn element(i:u32){put(i,select(f32(", cat(wgslFloat(a.offValue)), "),",
            cat(wgslFloat(a.onValue)), ",in0(i/kDepth)==i32(i%kDepth)));}\n"});
  }
  /// y[i.., k] says whether indices[i..] is k.
  static void reference(const ReferenceCall& c, const Attrs& a) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& y) {
      valueAt(c.out, y) = valueAt(c.in[0], without(y, -1)) == y[-1] ? a.onValue : a.offValue;
    });
  }
  static std::vector<Case> cases() {
    return {
        makeCase("vector", {ints({9}, -1, 4)}, Attrs{.depth = 4}),
        makeCase("values", {ints({2, 3}, 0, 4)}, Attrs{.depth = 5, .onValue = 2, .offValue = -1}),
        makeCase("outside on both sides", {ints({70}, -20, 36)}, Attrs{.depth = 17}),
        makeCase("one index", {ints({}, 2, 2)}, Attrs{.depth = 3}),
        makeCase("depth of one", {ints({2, 1, 3}, 0, 1)}, Attrs{.depth = 1}),
        makeCase("eight axes", {ints({1, 2, 1, 2, 1, 2, 3}, 0, 2)}, Attrs{.depth = 3}),
        makeCase("infinities", {ints({5}, 0, 2)},
                 Attrs{.depth = 3, .onValue = INFINITY, .offValue = -INFINITY}),
        makeCase("nothing", {ints({2, 0}, 0, 0)}, Attrs{.depth = 3})};
  }
};

}  // namespace

FJORD_OP(Gather, gather)
FJORD_OP(ScatterAdd, scatterAdd)
FJORD_OP(AddRows, addRows)
FJORD_OP(OneHot, oneHot)

}  // namespace fjord
