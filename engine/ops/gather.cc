// Ops that index: gather, its inverse scatterAdd, and one-hot.
//
// What an index outside of the axis does, as in TensorFlow: gather fails, and gives zero on a GPU,
// which cannot say so; scatterAdd drops what is negative, and fails beyond; oneHot marks nothing.
#include <algorithm>
#include <cstring>

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
  template <class T, class I>
  static void gatherRows(const Layout& l, const T* x, const I* indices, int64_t n, T* out) {
    for (int64_t o = 0; o < l.outer; ++o) {
      for (int64_t i = 0; i < n; ++i, out += l.inner) {
        int64_t at = static_cast<int64_t>(indices[i]);
        if (at >= 0 && at < l.count) {
          std::copy_n(x + (o * l.count + at) * l.inner, l.inner, out);
        } else {
          std::fill_n(out, l.inner, T{});
        }
      }
    }
  }
  static void run(const Call& c, const Attrs& a) {
    Layout l = layoutOf(c.in[0].shape(), axisOf(a.axis, c.in[0].shape().rank()));
    if (!areIndices(c, c.in[1], 0, static_cast<int32_t>(l.count))) return;
    gatherRows(l, c.in[0].as<uint32_t>(), c.in[1].as<int32_t>(), c.in[1].size(),
               c.out.as<uint32_t>());
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
  static void reference(const ReferenceCall& c, const Attrs& a) {
    Layout l = layoutOf(c.in[0].type.shape, axisOf(a.axis, c.in[0].type.shape.rank()));
    gatherRows(l, c.in[0].values.data(), c.in[1].values.data(), c.in[1].type.shape.size(),
               c.out.values.data());
  }
  static std::vector<Case> cases() {
    Input some{{DType::kI32, {6}}, 0, 5}, matrix{{DType::kI32, {2, 3}}, 0, 4};
    return {makeCase("rows", {floats({5, 7}), some}, Attrs{}),
            makeCase("columns", {floats({3, 5}), some}, Attrs{.axis = 1}),
            makeCase("matrix of indices", {floats({4, 3}), matrix}, Attrs{})};
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
  template <class S, class T, class I>
  static void scatter(const Layout& l, const I* indices, const S* updates, int64_t size, T* out) {
    std::fill_n(out, l.outer * size * l.inner, T{});
    for (int64_t o = 0; o < l.outer; ++o) {
      for (int64_t i = 0; i < l.count; ++i, updates += l.inner) {
        int64_t at = static_cast<int64_t>(indices[i]);
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
    if (a.size == 0) return {{}, {}};
    w.numbers(w.out());
    w.constant("kSize", a.size);
    w.constant("kInner", l.inner);
    w.constant("kN", l.count);
    if (alone) return w.text({kScatterAddWgsl});
    longSums(w, l.count);
    w.text({kScatterAddRowWgsl});
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    Layout l = layoutOf(c.in[1].type.shape, axisOf(a.axis, c.in[1].type.shape.rank()));
    scatter(l, c.in[0].values.data(), c.in[1].values.data(), a.size, c.out.values.data());
  }
  static std::vector<Case> cases() {
    Input some{{DType::kI32, {6}}, 0, 4};
    return {
        makeCase("rows", {some, floats({6, 5})}, Attrs{.size = 4}),
        makeCase("columns", {some, floats({3, 6})}, Attrs{.axis = 1, .size = 4}),
        makeCase("indices below 0", {Input{{DType::kI32, {6}}, -2, 3}, floats({6, 5})},
                 Attrs{.size = 3}),
        makeCase("many", {Input{{DType::kI32, {150}}, -1, 9}, floats({150, 70})}, Attrs{.size = 9}),
        makeCase("many columns", {Input{{DType::kI32, {150}}, 0, 5}, floats({3, 150})},
                 Attrs{.axis = 1, .size = 5})};
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
  template <class T, class I>
  static void mark(const I* indices, int64_t n, const Attrs& a, T* out) {
    std::fill_n(out, n * a.depth, static_cast<T>(a.offValue));
    for (int64_t i = 0; i < n; ++i) {
      int64_t at = static_cast<int64_t>(indices[i]);
      if (at >= 0 && at < a.depth) out[i * a.depth + at] = static_cast<T>(a.onValue);
    }
  }
  static void run(const Call& c, const Attrs& a) {
    mark(c.in[0].as<int32_t>(), c.in[0].size(), a, c.out.as<float>());
  }
  static void gpu(ShaderWriter& w, const Attrs& a) {
    w.elements(w.out().shape.size());
    w.constant("kDepth", a.depth);
    w.text({"fn element(i:u32){put(i,select(f32(", cat(wgslFloat(a.offValue)), "),",
            cat(wgslFloat(a.onValue)), ",in0(i/kDepth)==i32(i%kDepth)));}\n"});
  }
  static void reference(const ReferenceCall& c, const Attrs& a) {
    mark(c.in[0].values.data(), c.in[0].type.shape.size(), a, c.out.values.data());
  }
  static std::vector<Case> cases() {
    return {makeCase("vector", {Input{{DType::kI32, {9}}, -1, 5}}, Attrs{.depth = 4}),
            makeCase("values", {Input{{DType::kI32, {2, 3}}, 0, 5}},
                     Attrs{.depth = 5, .onValue = 2, .offValue = -1})};
  }
};

}  // namespace

FJORD_OP(Gather, gather)
FJORD_OP(ScatterAdd, scatterAdd)
FJORD_OP(OneHot, oneHot)

}  // namespace fjord
