// Softmax and its logarithm along one axis, and the cross-entropies that are built on them.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/along.wgsl.h"
#include "ops/definition.h"
#include "ops/long_sum.h"
#include "ops/op.h"
#include "ops/softmax.wgsl.h"
#include "ops/softmax_row.wgsl.h"

namespace fjord {

namespace {

struct Layout {
  int64_t outer = 1, count = 1, inner = 1;
};
Layout layoutOf(const Shape& shape, int axis) {
  Layout l;
  axis = axisOf(axis, shape.rank());
  for (int i = 0; i < shape.rank(); ++i)
    (i < axis ? l.outer : i == axis ? l.count : l.inner) *= shape[i];
  return l;
}

Result<Type> floatsAlong(const Type& x, int axis) {
  if (x.dtype != DType::kF32) return fail("needs float32: cast it first");
  FJORD_CHECK(checkedAxis(axis, x.shape.rank()));
  return x;
}

/// One column of n elements, `step` apart. Shifted by its maximum, so that nothing overflows.
template <bool logarithm>
void softmaxColumn(const float* x, float* y, int64_t n, int64_t step) {
  float top = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < n; ++i) top = std::max(top, x[i * step]);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    float e = std::exp(x[i * step] - top);
    sum += e;
    y[i * step] = e;
  }
  float total = static_cast<float>(sum);
  float scale = logarithm ? std::log(total) + top : 1.0f / total;
  for (int64_t i = 0; i < n; ++i)
    y[i * step] = logarithm ? x[i * step] - scale : y[i * step] * scale;
}

template <bool logarithm, class A>
struct SoftmaxOp {
  using Attrs = A;
  static Result<Type> type(std::span<const Type> in, const A& a) {
    return floatsAlong(in[0], a.axis);
  }
  static void run(const Call& c, const A& a) {
    Layout l = layoutOf(c.in[0].shape(), a.axis);
    const float* x = c.in[0].as<float>();
    float* y = c.out.as<float>();
    c.threads.forRange(l.outer * l.inner, 1 + 2048 / std::max<int64_t>(1, l.count),
                       [&](int64_t begin, int64_t end, int) {
                         for (int64_t i = begin; i < end; ++i) {
                           int64_t at = i / l.inner * l.count * l.inner + i % l.inner;
                           softmaxColumn<logarithm>(x + at, y + at, l.count, l.inner);
                         }
                       });
  }
  static void gpu(ShaderWriter& w, const A& a) {
    Layout l = layoutOf(w.in(0).shape, a.axis);
    // A thread is enough for the classes of a classifier.
    bool alone = l.count <= 128;
    constexpr int kThreads = 128;
    if (alone) {
      w.elements(l.outer * l.inner);
    } else {
      w.workgroupsOf("kColumns", l.outer * l.inner, 1, kThreads);
      w.constant("kThreads", kThreads);
      w.numbers(w.out());
      longSums(w, l.count / kThreads);
    }
    w.constant("kCount", l.count);
    w.constant("kInner", l.inner);
    w.flag("kLogarithm", logarithm);
    w.text({kAlongWgsl, alone ? kSoftmaxWgsl : kSoftmaxRowWgsl});
  }
  /// exp(x) / the sum of exp(x) along the axis, or the logarithm of that.
  static void reference(const ReferenceCall& c, const A& a) {
    const Shape& shape = c.out.type.shape;
    Shape columns = replaced(shape, a.axis, 1);
    Reference sums{{DType::kF32, columns}, std::vector<double>(columns.size())};
    forEachCoordinate(shape, [&](const Shape& at) {
      valueAt(sums, replaced(at, a.axis, 0)) += std::exp(valueAt(c.in[0], at));
    });
    forEachCoordinate(shape, [&](const Shape& at) {
      double x = valueAt(c.in[0], at), sum = valueAt(sums, replaced(at, a.axis, 0));
      valueAt(c.out, at) = logarithm ? x - std::log(sum) : std::exp(x) / sum;
    });
  }
  static std::vector<Case> cases() {
    return {
        makeCase("rows", {floats({5, 10}, -2, 2)}, A{}),
        makeCase("columns", {floats({7, 3}, -2, 2)}, A{.axis = 0}),
        makeCase("middle", {floats({2, 9, 4}, -2, 2)}, A{.axis = 1}),
        makeCase("batch of rows", {floats({3, 2, 33}, -2, 2)}, A{}),
        makeCase("many classes", {floats({3, 301}, -2, 2)}, A{}),
        makeCase("many in the middle", {floats({2, 130, 3}, -2, 2)}, A{.axis = 1}),
        flatCase("one class", {floats({3, 1, 2}, -2, 2)}, A{.axis = 1}),
        makeCase("vector", {floats({9}, -2, 2)}, A{.axis = 0}),
        // What exp() of float32 gives is infinity and zero.
        makeCase("far apart", {floats({3, 301}, -100, 100)}, A{}),
        // Three threads have a part each, which begins within an outer row; one column is more
        // than a part.
        makeCase("three parts", {floats({5, 33, 29}, -2, 2)}, A{.axis = 1}),
        makeCase("columns of a part", {floats({2049, 4}, -2, 2)}, A{.axis = 0}),
        // On a GPU a thread alone for up to 128 classes, then 128 threads; what each of these adds
        // up is a long sum from 65 * 128 on.
        makeCase("a thread's", {floats({3, 128}, -2, 2)}, A{}),
        makeCase("a workgroup's", {floats({3, 129}, -2, 2)}, A{}),
        makeCase("a long sum", {floats({1, 8321}, -2, 2)}, A{}),
        makeCase("nothing", {floats({3, 0}, -2, 2)}, A{}),
        makeCase("no rows", {floats({0, 3}, -2, 2)}, A{})};
  }
};

struct Softmax : SoftmaxOp<false, SoftmaxAttrs> {
  static std::vector<Value> grad(const GradCall& g, const SoftmaxAttrs& a) {
    Value weighted = g.dy * g.y;
    return {weighted - g.y * sum(weighted, {.axes = {a.axis}, .keepDims = true})};
  }
};

struct LogSoftmax : SoftmaxOp<true, LogSoftmaxAttrs> {
  static std::vector<Value> grad(const GradCall& g, const LogSoftmaxAttrs& a) {
    return {g.dy - exp(g.y) * sum(g.dy, {.axes = {a.axis}, .keepDims = true})};
  }
};

/// -sum(labels * logSoftmax(logits)) over the last axis.
struct SoftmaxCrossEntropy {
  using Attrs = SoftmaxCrossEntropyAttrs;
  static Status check(std::span<const Type> in, const Attrs&) {
    if (in[0].shape == in[1].shape) return {};
    return fail("logits and labels must have one shape");
  }
  static Value expand(std::span<const Value> in, const Attrs&) {
    Value logits = cast(in[0], DType::kF32), labels = cast(in[1], DType::kF32);
    return -sum(labels * logSoftmax(logits), {.axes = {-1}});
  }
  static std::vector<Case> cases() {
    return {makeCase("rows", {floats({6, 10}, -2, 2), floats({6, 10}, 0, 1)}, Attrs{})};
  }
};

/// max(x, 0) - x z + log(1 + exp(-|x|)), elementwise: -z log(sigmoid(x)) - (1 - z) log(1 -
/// sigmoid(x)) without overflow.
struct SigmoidCrossEntropy {
  using Attrs = SigmoidCrossEntropyAttrs;
  static Value expand(std::span<const Value> in, const Attrs&) {
    Value x = cast(in[0], DType::kF32);
    return softplus(x) - x * in[1];
  }
  static std::vector<Case> cases() {
    return {makeCase("elementwise", {floats({6, 5}, -2, 2), floats({6, 5}, 0, 1)}, Attrs{})};
  }
};

}  // namespace

FJORD_OP(Softmax, softmax)
FJORD_OP(LogSoftmax, logSoftmax)
FJORD_COMPOSED(SoftmaxCrossEntropy, softmaxCrossEntropy)
FJORD_COMPOSED(SigmoidCrossEntropy, sigmoidCrossEntropy)

}  // namespace fjord
