// Reductions over any set of axes.
//
// The input is seen as [outer, reduced, inner] after its axes have been collapsed; where the
// reduced axes are not neighbours, several levels of that. One output element is always summed by
// one thread in one order, so that a result does not depend on the number of threads.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/simd.h"
#include "ops/along.wgsl.h"
#include "ops/arg_extremum.wgsl.h"
#include "ops/cumsum.wgsl.h"
#include "ops/definition.h"
#include "ops/long_sum.h"
#include "ops/op.h"
#include "ops/reduce.wgsl.h"
#include "ops/reduce_alone.wgsl.h"

namespace fjord {

namespace {

/// Which axes of `rank` a reduction takes away: those named, or all where none is.
Result<uint32_t> reducedAxes(const Shape& axes, int rank) {
  if (axes.empty()) return (1u << rank) - 1;
  uint32_t mask = 0;
  for (int axis : axes) {
    FJORD_TRY(int at, checkedAxis(axis, rank));
    if (mask >> at & 1) return fail("axis ", axis, " is named twice");
    mask |= 1u << at;
  }
  return mask;
}

Shape reducedShape(const Shape& shape, uint32_t mask, bool keepDims) {
  Shape out;
  for (int i = 0; i < shape.rank(); ++i) {
    if (!(mask >> i & 1)) out.push(shape[i]);
    if (mask >> i & 1 && keepDims) out.push(1);
  }
  return out;
}

/// Axes of the input with neighbours of one kind merged and ones dropped.
struct Axes {
  Shape dims, strides;
};
struct Split {
  Axes kept, reduced;
};

Split splitAxes(const Shape& shape, uint32_t mask) {
  Split s;
  Shape strides = rowMajorStrides(shape);
  int last = -1;  // whether the axis before was a reduced one
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 1) continue;
    bool reduced = mask >> i & 1;
    Axes& a = reduced ? s.reduced : s.kept;
    if (last == static_cast<int>(reduced)) {
      a.dims[-1] *= shape[i];
      a.strides[-1] = strides[i];
    } else {
      a.dims.push(shape[i]);
      a.strides.push(strides[i]);
    }
    last = reduced;
  }
  return s;
}

/// Offset of element i of a row-major walk over the axes.
int64_t offsetOf(const Axes& a, int64_t i) {
  int64_t offset = 0;
  for (int d = a.dims.rank() - 1; d > 0; --d) {
    offset += i % a.dims[d] * a.strides[d];
    i /= a.dims[d];
  }
  return a.dims.rank() > 0 ? offset + i * a.strides[0] : 0;
}

// A reducer: identity, step on lanes and on one element, and whether long chains of steps are cut
// into runs (ops/long_sum.h).
template <class T>
struct Adds {
  static constexpr double kStart = 0;
  static constexpr bool kRuns = std::is_same_v<T, float>;
  static auto step(auto a, auto b) { return a + b; }
};
template <class T>
struct Multiplies {
  static constexpr double kStart = 1;
  // A product rounds at every step, in whatever order: runs are of no use.
  static constexpr bool kRuns = false;
  static auto step(auto a, auto b) { return a * b; }
};
template <class T>
struct Maxima {
  static constexpr bool kRuns = false;
  static constexpr double kStart =
      std::is_same_v<T, float> ? -std::numeric_limits<double>::infinity() : INT32_MIN;
  static float step(float a, float b) { return a != a || a > b ? a : b; }
  static int32_t step(int32_t a, int32_t b) { return a > b ? a : b; }
  static F32 step(F32 a, F32 b) { return where((a != a) | (a > b), a, b); }
  static I32 step(I32 a, I32 b) { return where(a > b, a, b); }
};
template <class T>
struct Minima {
  static constexpr bool kRuns = false;
  static constexpr double kStart =
      std::is_same_v<T, float> ? std::numeric_limits<double>::infinity() : INT32_MAX;
  static float step(float a, float b) { return a != a || a < b ? a : b; }
  static int32_t step(int32_t a, int32_t b) { return a < b ? a : b; }
  static F32 step(F32 a, F32 b) { return where((a != a) | (a < b), a, b); }
  static I32 step(I32 a, I32 b) { return where(a < b, a, b); }
};

template <class T>
using VectorOf = std::conditional_t<std::is_same_v<T, float>, F32, I32>;

/// What holds the results of runs.
template <class R, class T>
using TotalOf = std::conditional_t<R::kRuns, double, T>;

/// Elements of a run of neighbours: eight vectors, which hide the latency of the steps, of 32 steps.
constexpr int kWays = 8, kRunElements = 32 * kWays * kLanes;

/// Reduces n neighbouring elements, a run at most.
template <class R, class T>
T reduceRun(const T* x, int64_t n) {
  using V = VectorOf<T>;
  T total = static_cast<T>(R::kStart);
  const T* end = x + n;
  if (n >= kLanes) {
    V rest = R::kStart;
    if (n >= kWays * kLanes) {
      V acc[kWays];
      unrolled<kWays>([&](auto w) { acc[w] = V::load(x + w * kLanes); });
      x += kWays * kLanes;
      for (int64_t i = n / (kWays * kLanes); i > 1; --i, x += kWays * kLanes)
        unrolled<kWays>([&](auto w) { acc[w] = R::step(acc[w], V::load(x + w * kLanes)); });
      unrolled<4>([&](auto w) { acc[w] = R::step(acc[w], acc[w + 4]); });
      rest = R::step(R::step(acc[0], acc[1]), R::step(acc[2], acc[3]));
    }
    for (; end - x >= kLanes; x += kLanes) rest = R::step(rest, V::load(x));
    T lanes[kLanes];
    rest.store(lanes);
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int j = 0; j < half; ++j) lanes[j] = R::step(lanes[j], lanes[j + half]);
    }
    total = lanes[0];
  }
  for (; x < end; ++x) total = R::step(total, *x);
  return total;
}

/// Reduces n neighbouring elements.
template <class R, class T>
TotalOf<R, T> reduceRow(const T* x, int64_t n) {
  TotalOf<R, T> total = static_cast<T>(R::kStart);
  for (; n > 0; x += kRunElements, n -= kRunElements)
    total = R::step(total, TotalOf<R, T>{reduceRun<R>(x, std::min<int64_t>(n, kRunElements))});
  return total;
}

/// Joins out[j] with x[i * stride + j] for i < kRows, 1 or 4, and j < width.
template <class R, int kRows, class T>
void joinRows(const T* x, int64_t stride, int64_t width, T* out) {
  auto joined = [&](auto before, const auto& row) {
    if constexpr (kRows == 1)
      return R::step(before, row(0));
    else
      return R::step(before, R::step(R::step(row(0), row(1)), R::step(row(2), row(3))));
  };
  using V = VectorOf<T>;
  int64_t j = 0;
  auto vectors = [&](auto count) {
    for (; j + count * kLanes <= width; j += count * kLanes) {
      unrolled<count>([&](auto v) {
        const T* from = x + j + v * kLanes;
        joined(V::load(out + j + v * kLanes), [&](int i) {
          return V::load(from + i * stride);
        }).store(out + j + v * kLanes);
      });
    }
  };
  vectors(std::integral_constant<int, 4>());
  vectors(std::integral_constant<int, 1>());
  for (; j < width; ++j) out[j] = joined(out[j], [&](int i) { return x[i * stride + j]; });
}

// A run of rows: four at a time, 32 steps.
constexpr int64_t kRunRows = 128;

/// Reduces columns of neighbours: rows in any number of pieces join `out`, which goes to `totals` after
/// each run, unless there are none.
template <class R, class T>
class Columns {
 public:
  Columns(T* out, int64_t width, double* totals) : out_(out), width_(width), totals_(totals) {
    std::fill_n(out, width, static_cast<T>(R::kStart));
  }
  void add(const T* x, int64_t rows, int64_t stride) {
    while (rows > 0) {
      int64_t count = std::min(rows, kRunRows - rows_), i = 0;
      for (; i + 4 <= count; i += 4, x += 4 * stride) joinRows<R, 4>(x, stride, width_, out_);
      for (; i < count; ++i, x += stride) joinRows<R, 1>(x, stride, width_, out_);
      rows -= count;
      rows_ = (rows_ + count) % kRunRows;
      if (rows_ == 0) endRun(run_);
    }
  }
  void finish() { endRun(Run::kLast); }

 private:
  void endRun(Run run) {
    if constexpr (R::kRuns) {
      if (!totals_) return;
      addTotals(out_, totals_, width_, run);
      if (run != Run::kLast) std::fill_n(out_, width_, static_cast<T>(R::kStart));
      run_ = Run::kInner;
    }
  }
  T* out_;
  int64_t width_;
  double* totals_;
  int64_t rows_ = 0;
  Run run_ = Run::kFirst;
};

// A second thread is worth waking for this many elements.
constexpr int64_t kGrainElements = 16384;

/// Whether neighbours in memory are kept apart, so that columns are reduced.
bool reducesColumns(const Split& s) { return s.kept.dims.rank() > 0 && s.kept.strides[-1] == 1; }

/// Bytes of the totals of columns, which are as many as the results.
int64_t totalsBytes(const ScratchCall& c, const Shape& axes) {
  const Shape& shape = c.in[0].shape;
  Split s = splitAxes(shape, *reducedAxes(axes, shape.rank()));
  bool runs = s.reduced.dims.size() > kRunRows && reducesColumns(s);
  return runs && c.in[0].dtype == DType::kF32 ? c.out.shape.size() * 8 : 0;
}

template <class R, class T>
void reduce(const Call& c, const Shape& axes) {
  const Shape& shape = c.in[0].shape();
  Split s = splitAxes(shape, *reducedAxes(axes, shape.rank()));
  const T* x = c.in[0].as<T>();
  T* out = c.out.as<T>();
  if (c.out.size() == 0) return;
  int64_t reduced = s.reduced.dims.size();
  int64_t inner = s.reduced.dims.rank() ? s.reduced.dims[-1] : 1;
  int64_t grain = std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, reduced));
  if (reducesColumns(s)) {
    // Rows of kept elements lie side by side: walk down the columns.
    int64_t width = s.kept.dims[-1];
    Axes outer = s.kept;
    --outer.dims.count;
    --outer.strides.count;
    int64_t rows = outer.dims.size();
    int64_t stride = s.reduced.dims.rank() ? s.reduced.strides[-1] : 0;
    double* totals = reduced > kRunRows ? reinterpret_cast<double*>(c.scratch) : nullptr;
    auto strip = [&](int64_t row, int64_t begin, int64_t end) {
      const T* from = x + offsetOf(outer, row) + begin;
      int64_t at = row * width + begin;
      Columns<R, T> columns(out + at, end - begin, totals ? totals + at : nullptr);
      for (int64_t r = 0; r < reduced; r += inner)
        columns.add(from + offsetOf(s.reduced, r), inner, stride);
      columns.finish();
    };
    if (rows > 1) {
      c.threads.forRange(rows, (grain + width - 1) / width, [&](int64_t b, int64_t e, int) {
        for (int64_t row = b; row < e; ++row) strip(row, 0, width);
      });
    } else {
      int64_t lanes = (grain + kLanes - 1) / kLanes * kLanes;
      c.threads.forRange(width, lanes, [&](int64_t b, int64_t e, int) { strip(0, b, e); });
    }
    return;
  }
  c.threads.forRange(s.kept.dims.size(), grain, [&](int64_t b, int64_t e, int) {
    for (int64_t i = b; i < e; ++i) {
      const T* from = x + offsetOf(s.kept, i);
      TotalOf<R, T> total = static_cast<T>(R::kStart);
      for (int64_t r = 0; r < reduced; r += inner)
        total = R::step(total, reduceRow<R>(from + offsetOf(s.reduced, r), inner));
      out[i] = static_cast<T>(total);
    }
  });
}

/// reduce.wgsl, or reduce_alone.wgsl for few elements: `functions` define start(), join(a, b) and
/// last(a) of Number.
void reduceShader(ShaderWriter& w, const Shape& axes,
                  std::initializer_list<std::string_view> functions) {
  const Shape& shape = w.in(0).shape;
  Split s = splitAxes(shape, *reducedAxes(axes, shape.rank()));
  int64_t results = w.out().shape.size(), reduced = s.reduced.dims.size();
  // Neighbouring threads fetch neighbours: of several results where those lie side by side, otherwise
  // of one, and then 16 elements each before they wait for one another.
  constexpr int64_t kThreads = 256, kNeighbours = 16, kEach = 16;
  bool innerKept = reducesColumns(s);
  // A thread is enough for the samples of a batch.
  constexpr int64_t kAlone = 64;
  int64_t most = innerKept ? kThreads / std::clamp<int64_t>(results, 1, 64)
                           : std::clamp(reduced / kEach, kNeighbours, kThreads);
  int64_t lanes = 1;
  while (reduced > kAlone && 2 * lanes <= std::min(most, reduced)) lanes *= 2;
  int64_t outputs = kThreads / lanes;
  if (lanes == 1) {
    w.elements(results);
  } else {
    w.workgroupsOf("kGroups", (results + outputs - 1) / outputs, 1, kThreads);
    w.constant("kLanes", lanes);
    w.constant("kOutputs", outputs);
    w.constant("kResults", results);
    w.flag("kResultsAreNeighbours", innerKept);
  }
  w.numbers(w.in(0));
  w.walk("kept", s.kept.dims, s.kept.strides, 0);
  w.walk("reduced", s.reduced.dims, s.reduced.strides, 0);
  w.constant("kReduced", reduced);
  w.text(functions);
  if (lanes == 1) return w.text({kReduceAloneWgsl});
  longSums(w, reduced / lanes, "");
  w.text({kReduceWgsl});
}
/// start(), join() and last() of a reduction that gives what it joins.
void reduceShader(ShaderWriter& w, const Shape& axes, std::string_view start,
                  std::string_view join) {
  reduceShader(w, axes,
               {"fn start()->Number{return Number(", start,
                ");}\nfn join(a:Number,b:Number)->Number{return ", join,
                ";}\nfn last(a:Number)->Number{return a;}\n"});
}

/// The definition: fold(accumulator, element) over the reduced elements of each output, in double.
template <class Fold>
void referenceReduce(const ReferenceCall& c, const Shape& axes, double start, Fold fold) {
  const Shape& shape = c.in[0].type.shape;
  bool keepDims = c.out.type.shape.rank() == shape.rank();
  std::ranges::fill(c.out.values, start);
  forEachCoordinate(shape, [&](const Shape& x) {
    Shape y;
    for (int i = 0; i < x.rank(); ++i) {
      bool reduced = axes.empty() || std::ranges::any_of(axes, [&](int axis) {
                       return axisOf(axis, x.rank()) == i;
                     });
      if (!reduced || keepDims) y.push(reduced ? 0 : x[i]);
    }
    double& total = valueAt(c.out, y);
    total = fold(total, valueAt(c.in[0], x));
  });
}

template <class A>
std::vector<Case> reductionCases(double lo, double hi, bool distinct) {
  auto in = [&](const Shape& s) {
    return std::vector<Input>{{{DType::kF32, s}, lo, hi, distinct}};
  };
  return {
      makeCase("all", in({37}), A{}), makeCase("last", in({7, 65}), A{.axes = {-1}}),
      makeCase("first", in({33, 17}), A{.axes = {0}}),
      makeCase("many rows", in({130, 5}), A{.axes = {0}}),
      makeCase("many of two axes", in({3, 9, 31}), A{.axes = {1, 2}}),
      makeCase("middle", in({3, 9, 5}), A{.axes = {1}, .keepDims = true}),
      makeCase("outer two of three", in({4, 6, 19}), A{.axes = {0, 1}}),
      makeCase("inner two of three", in({5, 8, 9}), A{.axes = {1, 2}}),
      makeCase("first and last", in({5, 7, 6}), A{.axes = {0, 2}}),
      makeCase("alternating", in({3, 4, 5, 6}), A{.axes = {0, 2}}),
      makeCase("a dimension of one", in({1, 6, 1}), A{.axes = {0}}),
      // Rows of several steps of kWays vectors, of a vector and of what is left; columns of four
      // vectors, of one and of what is left, by four rows and by one.
      makeCase("parts of a row", in({3, 157}), A{.axes = {1}}),
      makeCase("parts of columns", in({10, 45}), A{.axes = {0}}),
      makeCase("no columns", in({3, 5, 0}), A{.axes = {1}}),
      makeCase("no rows", in({0, 5}), A{.axes = {1}}),
      makeCase("columns of nothing", in({0, 5}), A{.axes = {0}}),
      makeCase("rows of nothing", in({5, 0}), A{.axes = {1}})};
}

/// The gradient or the result, with the reduced axes back as ones, so that it broadcasts over the
/// input.
Value keptDims(Value v, const Shape& input, const Shape& axes) {
  return reshape(v, {.shape = reducedShape(input, *reducedAxes(axes, input.rank()), true)});
}

Result<Type> reducedType(std::span<const Type> in, const Shape& axes, bool keepDims, DType dtype) {
  FJORD_TRY(uint32_t mask, reducedAxes(axes, in[0].shape.rank()));
  return Type{dtype, reducedShape(in[0].shape, mask, keepDims)};
}

template <template <class> class R, class A>
struct NumberReduction {
  using Attrs = A;
  static Result<Type> type(std::span<const Type> in, const A& a) {
    // Bools are counted, as in TensorFlow.js; the largest and the smallest of them are bools.
    bool counts =
        in[0].dtype == DType::kBool && (std::same_as<A, SumAttrs> || std::same_as<A, ProdAttrs>);
    FJORD_TRY(Type y, reducedType(in, a.axes, a.keepDims, counts ? DType::kI32 : in[0].dtype));
    if (y.dtype == DType::kBool && in[0].shape.size() == 0)
      return fail("there are no bools to choose from");
    return y;
  }
  static void run(const Call& c, const A& a) {
    if (c.in[0].type.dtype == DType::kF32) {
      reduce<R<float>, float>(c, a.axes);
    } else {
      reduce<R<int32_t>, int32_t>(c, a.axes);
    }
  }
  static int64_t scratch(const ScratchCall& c, const A& a) {
    return R<float>::kRuns ? totalsBytes(c, a.axes) : 0;
  }
};

struct Sum : NumberReduction<Adds, SumAttrs> {
  static std::vector<Value> grad(const GradCall& g, const SumAttrs& a) {
    const Shape& shape = g.in[0].shape();
    return {broadcastTo(keptDims(g.dy, shape, a.axes), {.shape = shape})};
  }
  static void gpu(ShaderWriter& w, const SumAttrs& a) { reduceShader(w, a.axes, "0", "a+b"); }
  static void reference(const ReferenceCall& c, const SumAttrs& a) {
    referenceReduce(c, a.axes, 0, [](double s, double x) { return s + x; });
  }
  static std::vector<Case> cases() { return reductionCases<SumAttrs>(-1, 1, false); }
};

struct Mean : NumberReduction<Adds, MeanAttrs> {
  static Result<Type> type(std::span<const Type> in, const MeanAttrs& a) {
    if (in[0].dtype != DType::kF32)
      return fail("the mean of ", in[0].dtype, " is not one: cast to float32 first");
    return reducedType(in, a.axes, a.keepDims, DType::kF32);
  }
  static double count(const Shape& in, const Shape& out) {
    return static_cast<double>(in.size()) / static_cast<double>(out.size());
  }
  static void run(const Call& c, const MeanAttrs& a) {
    reduce<Adds<float>, float>(c, a.axes);
    float scale = static_cast<float>(1 / count(c.in[0].shape(), c.out.shape()));
    float* out = c.out.as<float>();
    for (int64_t i = 0; i < c.out.size(); ++i) out[i] *= scale;
  }
  static std::vector<Value> grad(const GradCall& g, const MeanAttrs& a) {
    const Shape& shape = g.in[0].shape();
    Value share = g.dy / count(shape, g.dy.shape());
    return {broadcastTo(keptDims(share, shape, a.axes), {.shape = shape})};
  }
  static void gpu(ShaderWriter& w, const MeanAttrs& a) {
    reduceShader(
        w, a.axes,
        {"fn start()->f32{return 0.0;}\nfn join(a:f32,b:f32)->f32{return a+b;}\n"
         "fn last(a:f32)->f32{return a*",
         cat(wgslFloat(static_cast<float>(1 / count(w.in(0).shape, w.out().shape)))), ";}\n"});
  }
  static void reference(const ReferenceCall& c, const MeanAttrs& a) {
    referenceReduce(c, a.axes, 0, [](double s, double x) { return s + x; });
    // Of nothing there is none: 0 / 0.
    double n = count(c.in[0].type.shape, c.out.type.shape);
    for (double& sum : c.out.values) sum /= n;
  }
  static std::vector<Case> cases() { return reductionCases<MeanAttrs>(-1, 1, false); }
};

/// dy goes to the elements that equal the extremum, in equal parts where several do.
std::vector<Value> extremumGradient(const GradCall& g, const Shape& axes) {
  const Shape& shape = g.in[0].shape();
  Value hit = cast(equal(g.in[0], keptDims(g.y, shape, axes)), DType::kF32);
  Value ties = sum(hit, {.axes = axes, .keepDims = true});
  return {hit * (keptDims(g.dy, shape, axes) / ties)};
}

struct Max : NumberReduction<Maxima, MaxAttrs> {
  static std::vector<Value> grad(const GradCall& g, const MaxAttrs& a) {
    return extremumGradient(g, a.axes);
  }
  static void gpu(ShaderWriter& w, const MaxAttrs& a) {
    bool floats = w.in(0).dtype == DType::kF32;
    reduceShader(w, a.axes, floats ? "-f_infinity()" : "-2147483647i-1i",
                 floats ? "f_max(a,b)" : "max(a,b)");
  }
  static void reference(const ReferenceCall& c, const MaxAttrs& a) {
    referenceReduce(c, a.axes, -INFINITY, [](double s, double x) { return s > x ? s : x; });
  }
  static std::vector<Case> cases() { return reductionCases<MaxAttrs>(-1, 1, true); }
};

struct Min : NumberReduction<Minima, MinAttrs> {
  static std::vector<Value> grad(const GradCall& g, const MinAttrs& a) {
    return extremumGradient(g, a.axes);
  }
  static void gpu(ShaderWriter& w, const MinAttrs& a) {
    bool floats = w.in(0).dtype == DType::kF32;
    reduceShader(w, a.axes, floats ? "f_infinity()" : "2147483647i",
                 floats ? "f_min(a,b)" : "min(a,b)");
  }
  static void reference(const ReferenceCall& c, const MinAttrs& a) {
    referenceReduce(c, a.axes, INFINITY, [](double s, double x) { return s < x ? s : x; });
  }
  static std::vector<Case> cases() { return reductionCases<MinAttrs>(-1, 1, true); }
};

struct Prod : NumberReduction<Multiplies, ProdAttrs> {
  /// The product of the others: all over x, but where zeros are among them. With one zero only that
  /// zero has a gradient, with more none has.
  static std::vector<Value> grad(const GradCall& g, const ProdAttrs& a) {
    Value x = g.in[0], isZero = x == 0.0;
    Value rest = prod(where(isZero, 1.0, x), {.axes = a.axes, .keepDims = true});
    Value zeros = sum(cast(isZero, DType::kF32), {.axes = a.axes, .keepDims = true});
    Value others =
        where(isZero, where(zeros == 1.0, rest, 0.0), where(zeros == 0.0, rest / x, 0.0));
    return {keptDims(g.dy, x.shape(), a.axes) * others};
  }
  static void gpu(ShaderWriter& w, const ProdAttrs& a) { reduceShader(w, a.axes, "1", "a*b"); }
  static void reference(const ReferenceCall& c, const ProdAttrs& a) {
    referenceReduce(c, a.axes, 1, [](double s, double x) { return s * x; });
  }
  static std::vector<Case> cases() { return reductionCases<ProdAttrs>(0.7, 1.4, false); }
};

// Bools are the integers 0 and 1, so "any" is their maximum and "all" their minimum.
template <template <class> class R, class A>
struct BoolReduction {
  using Attrs = A;
  static constexpr ZeroGrad grad{};
  static Result<Type> type(std::span<const Type> in, const A& a) {
    if (in[0].dtype != DType::kBool) return fail("only bools can be tested, got ", in[0].dtype);
    return reducedType(in, a.axes, a.keepDims, DType::kBool);
  }
  static void run(const Call& c, const A& a) {
    reduce<R<int32_t>, int32_t>(c, a.axes);
    // Nothing to reduce leaves the reducer's start, which is not a bool.
    int32_t* out = c.out.as<int32_t>();
    if (c.in[0].size() == 0) std::fill_n(out, c.out.size(), R<int32_t>::kStart > 0);
  }
  static std::vector<Case> cases() {
    auto in = [](const Shape& s) { return std::vector<Input>{{{DType::kBool, s}, 0, 2}}; };
    return {makeCase("rows", in({9, 3}), A{.axes = {1}}),
            makeCase("columns", in({3, 21}), A{.axes = {0}, .keepDims = true}),
            makeCase("all", in({2, 2}), A{})};
  }
};

struct Any : BoolReduction<Maxima, AnyAttrs> {
  static void gpu(ShaderWriter& w, const AnyAttrs& a) { reduceShader(w, a.axes, "0", "a|b"); }
  static void reference(const ReferenceCall& c, const AnyAttrs& a) {
    referenceReduce(c, a.axes, 0, [](double s, double x) { return s != 0 || x != 0 ? 1.0 : 0.0; });
  }
};
struct All : BoolReduction<Minima, AllAttrs> {
  static void gpu(ShaderWriter& w, const AllAttrs& a) { reduceShader(w, a.axes, "1", "a&b"); }
  static void reference(const ReferenceCall& c, const AllAttrs& a) {
    referenceReduce(c, a.axes, 1, [](double s, double x) { return s != 0 && x != 0 ? 1.0 : 0.0; });
  }
};

// ---- positions

struct AxisView {
  int64_t outer = 1, count = 1, inner = 1;
};
AxisView along(const Shape& shape, int axis) {
  AxisView v;
  axis = axisOf(axis, shape.rank());
  for (int i = 0; i < shape.rank(); ++i)
    (i < axis ? v.outer : i == axis ? v.count : v.inner) *= shape[i];
  return v;
}

/// along.wgsl's view of an axis of the input.
void alongShader(ShaderWriter& w, int axis, std::string_view element) {
  AxisView v = along(w.in(0).shape, axis);
  w.elements(v.outer * v.inner);
  w.numbers(w.in(0));
  w.constant("kCount", v.count);
  w.constant("kInner", v.inner);
  w.text({kAlongWgsl, element});
}

template <class A, class Better>
struct ArgExtremum {
  using Attrs = A;
  static constexpr NoGrad grad{"a position is piecewise constant"};
  static Result<Type> type(std::span<const Type> in, const A& a) {
    FJORD_TRY(int axis, checkedAxis(a.axis, in[0].shape.rank()));
    if (in[0].shape[axis] == 0) return fail("axis ", a.axis, " is empty");
    return Type{DType::kI32, reducedShape(in[0].shape, 1u << axis, false)};
  }
  /// The first of equals.
  template <class T>
  static void find(const T* x, const AxisView& v, int32_t* out) {
    for (int64_t o = 0; o < v.outer; ++o) {
      for (int64_t i = 0; i < v.inner; ++i) {
        const T* column = x + o * v.count * v.inner + i;
        int64_t best = 0;
        for (int64_t k = 1; k < v.count; ++k) {
          if (Better{}(column[k * v.inner], column[best * v.inner])) best = k;
        }
        out[o * v.inner + i] = static_cast<int32_t>(best);
      }
    }
  }
  static void run(const Call& c, const A& a) {
    AxisView v = along(c.in[0].shape(), a.axis);
    if (c.in[0].type.dtype == DType::kF32) {
      find(c.in[0].as<float>(), v, c.out.as<int32_t>());
    } else {
      find(c.in[0].as<int32_t>(), v, c.out.as<int32_t>());
    }
  }
  static void gpu(ShaderWriter& w, const A& a) {
    alongShader(w, a.axis, kArgExtremumWgsl);
    bool greater = std::same_as<Better, std::greater<>>;
    w.text({"fn better(a:Number,b:Number)->bool{return a", greater ? ">" : "<", "b;}\n"});
  }
  /// The position of an element that beats the one found so far, where those before it did not.
  static void reference(const ReferenceCall& c, const A& a) {
    forEachCoordinate(c.in[0].type.shape, [&](const Shape& at) {
      double& found = valueAt(c.out, without(at, a.axis));
      double best = valueAt(c.in[0], replaced(at, a.axis, static_cast<int64_t>(found)));
      double x = valueAt(c.in[0], at);
      if (std::same_as<A, ArgMaxAttrs> ? x > best : x < best) found = at[a.axis];
    });
  }
  static std::vector<Case> cases() {
    auto in = [](const Shape& s) { return std::vector<Input>{{{DType::kF32, s}, -1, 1, true}}; };
    return {
        makeCase("last", in({6, 11}), A{.axis = -1}), makeCase("first", in({6, 11}), A{.axis = 0}),
        makeCase("middle", in({2, 5, 3}), A{.axis = 1}), makeCase("vector", in({40}), A{.axis = 0}),
        makeCase("more than a workgroup", in({3, 7, 35}), A{.axis = 1}),
        makeCase("axis of one", in({3, 1, 5}), A{.axis = 1}),
        makeCase("eight axes", in({2, 1, 3, 2, 1, 5, 2, 2}), A{.axis = -3}),
        // The first of equals.
        makeCase("ties", {ints({9, 13}, 0, 2)}, A{.axis = 1}),
        makeCase("all equal", {ints({5, 4, 3}, 7, 7)}, A{.axis = 1}),
        makeCase("nothing", in({0, 3}), A{.axis = 1})};
  }
};

struct ArgMax : ArgExtremum<ArgMaxAttrs, std::greater<>> {};
struct ArgMin : ArgExtremum<ArgMinAttrs, std::less<>> {};

// ---- running sums

struct CumSum {
  using Attrs = CumSumAttrs;
  static Result<Type> type(std::span<const Type> in, const CumSumAttrs& a) {
    FJORD_CHECK(checkedAxis(a.axis, in[0].shape.rank()));
    return Type{in[0].dtype == DType::kBool ? DType::kI32 : in[0].dtype, in[0].shape};
  }
  template <class T>
  static void accumulate(const T* x, T* out, const AxisView& v, const CumSumAttrs& a) {
    using Total = std::conditional_t<std::is_same_v<T, float>, double, T>;
    const bool exclusive = a.exclusive;
    const int64_t first = a.reverse ? (v.count - 1) * v.inner : 0;
    const int64_t step = a.reverse ? -v.inner : v.inner;
    for (int64_t o = 0; o < v.outer; ++o) {
      int64_t i = 0;
      auto columns = [&](auto width) {
        for (; i + width <= v.inner; i += width) {
          Total totals[width] = {};
          int64_t at = o * v.count * v.inner + first + i;
          for (int64_t k = 0; k < v.count; ++k, at += step) {
            for (int j = 0; j < width; ++j) {
              Total next = totals[j] + x[at + j];
              out[at + j] = static_cast<T>(exclusive ? totals[j] : next);
              totals[j] = next;
            }
          }
        }
      };
      columns(std::integral_constant<int, 16>());
      columns(std::integral_constant<int, 1>());
    }
  }
  static void run(const Call& c, const CumSumAttrs& a) {
    AxisView v = along(c.in[0].shape(), a.axis);
    if (c.in[0].type.dtype == DType::kF32) {
      accumulate(c.in[0].as<float>(), c.out.as<float>(), v, a);
    } else {
      accumulate(c.in[0].as<int32_t>(), c.out.as<int32_t>(), v, a);
    }
  }
  static std::vector<Value> grad(const GradCall& g, const CumSumAttrs& a) {
    return {cumsum(g.dy, {.axis = a.axis, .exclusive = a.exclusive, .reverse = !a.reverse})};
  }
  static void gpu(ShaderWriter& w, const CumSumAttrs& a) {
    alongShader(w, a.axis, kCumsumWgsl);
    longSums(w, along(w.in(0).shape, a.axis).count);
    w.flag("kReverse", a.reverse);
    w.flag("kExclusive", a.exclusive);
  }
  /// The sum of the elements up to this one, or from it on, which itself counts or does not.
  static void reference(const ReferenceCall& c, const CumSumAttrs& a) {
    forEachCoordinate(c.out.type.shape, [&](const Shape& at) {
      int position = at[a.axis], last = c.out.type.shape[a.axis] - 1;
      int from = a.reverse ? position + a.exclusive : 0;
      int to = a.reverse ? last : position - a.exclusive;
      for (int k = from; k <= to; ++k)
        valueAt(c.out, at) += valueAt(c.in[0], replaced(at, a.axis, k));
    });
  }
  static std::vector<Case> cases() {
    using A = CumSumAttrs;
    return {
        makeCase("vector", {floats({19})}, A{}),
        makeCase("exclusive", {floats({3, 7})}, A{.axis = 1, .exclusive = true}),
        makeCase("reverse", {floats({4, 3, 2})}, A{.axis = 1, .reverse = true}),
        // 16 columns at once, then one by one, in each direction.
        makeCase("columns", {floats({3, 5, 35})}, A{.axis = 1}),
        makeCase("columns, exclusive", {floats({2, 5, 17})}, A{.axis = -2, .exclusive = true}),
        makeCase("columns, reverse", {floats({7, 33})}, A{.axis = 0, .reverse = true}),
        makeCase("columns, both", {floats({2, 3, 5, 19})},
                 A{.axis = 2, .exclusive = true, .reverse = true}),
        // A long sum on a GPU: runs of 32, of which some are whole.
        makeCase("long", {floats({2, 101})}, A{.axis = 1}),
        makeCase("long, exclusive", {floats({65, 3})}, A{.axis = 0, .exclusive = true}),
        makeCase("long, both", {floats({128})}, A{.exclusive = true, .reverse = true}),
        makeCase("integers", {ints({5, 18}, -99, 99)}, A{.axis = 0}),
        makeCase("bools", {Input{{DType::kBool, {3, 21}}, 0, 2}}, A{.axis = 1, .reverse = true}),
        makeCase("axis of one", {floats({3, 1, 2})}, A{.axis = 1}),
        flatCase("of nothing before it", {floats({3, 1, 2})}, A{.axis = 1, .exclusive = true}),
        makeCase("nothing", {floats({3, 0})}, A{.axis = 1})};
  }
};

/// log(sum(exp(x))), shifted by the maximum so that nothing overflows.
struct LogSumExp {
  using Attrs = LogSumExpAttrs;
  static Value expand(std::span<const Value> in, const LogSumExpAttrs& a) {
    Value x = cast(in[0], DType::kF32);
    Value top = max(x, {.axes = a.axes, .keepDims = true});
    // An infinite maximum shifts nothing: infinity minus infinity is no number.
    Value shift = where(isFinite(top), top, 0.0);
    Value y = log(sum(exp(x - shift), {.axes = a.axes, .keepDims = true})) + shift;
    Value shaped = sum(x, {.axes = a.axes, .keepDims = a.keepDims});  // for its shape; not computed
    return shaped ? reshape(y, {.shape = shaped.shape()}) : shaped;
  }
  static std::vector<Case> cases() { return reductionCases<LogSumExpAttrs>(-2, 2, false); }
};

}  // namespace

FJORD_OP(Sum, sum)
FJORD_OP(Mean, mean)
FJORD_OP(Max, max)
FJORD_OP(Min, min)
FJORD_OP(Prod, prod)
FJORD_OP(Any, any)
FJORD_OP(All, all)
FJORD_OP(ArgMax, argMax)
FJORD_OP(ArgMin, argMin)
FJORD_OP(CumSum, cumsum)
FJORD_COMPOSED(LogSumExp, logSumExp)

}  // namespace fjord
