// Every op against its definition, from the same cases: values against the double reference,
// gradients against central differences of that reference, equal bits for any number of threads,
// with and without fusion.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/random.h"
#include "run/cpu.h"
#include "testing/reference.h"

namespace fjord::testing {
namespace {

/// Of those that are finite.
double largest(const std::vector<double>& values) {
  double m = 0;
  for (double v : values) {
    if (std::isfinite(v)) m = std::max(m, std::fabs(v));
  }
  return m;
}

double element(const Tensor& t, int64_t i) {
  return t.dtype() == DType::kF32 ? t.data<float>()[i] : t.data<int32_t>()[i];
}

void expectClose(const Tensor& got, const std::vector<double>& want, double tolerance) {
  ASSERT_EQ(got.size(), static_cast<int64_t>(want.size()));
  double scale = tolerance * (1 + largest(want));
  for (int64_t i = 0; i < got.size(); ++i) {
    double w = want[i], g = element(got, i);
    if (std::isnan(w) || std::isinf(w)) {
      ASSERT_TRUE(std::isnan(w) ? std::isnan(g) : g == w)
          << "element " << i << ": " << g << ", want " << w;
    } else {
      ASSERT_NEAR(g, w, scale) << "element " << i;
    }
  }
}

int64_t indexOfLargest(std::span<const float> values) {
  auto byMagnitude = [](float a, float b) { return std::fabs(a) < std::fabs(b); };
  return std::max_element(values.begin(), values.end(), byMagnitude) - values.begin();
}

bool sameBits(const Tensor& a, const Tensor& b) {
  return a.type() == b.type() && std::memcmp(a.view().data, b.view().data, a.type().bytes()) == 0;
}

/// A graph of one op, its inputs, and where `live` says so the derivatives of sum(dy * y).
struct Problem {
  Graph graph;
  std::vector<Value> in;
  Value y, dy;
  std::vector<int> live;  // inputs with a derivative
  std::vector<Reference> references;
  std::vector<Tensor> tensors;

  void add(const Reference& r) {
    in.push_back(graph.input(r.type));
    references.push_back(r);
    tensors.push_back(toTensor(r));
  }
  void differentiate(uint64_t seed) {
    for (size_t i = 0; i < in.size(); ++i) {
      if (in[i].dtype() == DType::kF32) live.push_back(static_cast<int>(i));
    }
    Reference weights = draw({y.type(), 0.5, 1.5}, seed);
    dy = graph.input(weights.type);
    references.push_back(weights);
    tensors.push_back(toTensor(weights));
    std::vector<Value> xs;
    for (int i : live) xs.push_back(in[i]);
    for (Value d : grad(y, xs, dy)) graph.output(d);
  }
};

void checkValue(const NamedChecks& named, const Case& k, uint64_t seed) {
  Problem s;
  for (size_t i = 0; i < k.in.size(); ++i) s.add(draw(k.in[i], seed + i));
  s.y = emit(named.op, s.in, k.attrs);
  s.graph.output(s.y);
  ASSERT_TRUE(s.graph.status()) << s.graph.status().error().message;
  Reference want{s.y.type(), std::vector<double>(s.y.shape().size())};
  if (named.checks->reference) {
    named.checks->reference({s.references, want}, k.attrs);
  } else {
    want = evaluateReference(s.graph, s.references)[s.y.id];
  }
  Threads one(1), three(3);
  auto got = evaluate(s.graph, s.tensors, one);
  ASSERT_TRUE(got) << got.error().message;
  expectClose((*got)[0], want.values, k.tolerance);
  auto threaded = evaluate(s.graph, s.tensors, three);
  ASSERT_TRUE(threaded);
  EXPECT_TRUE(sameBits((*got)[0], (*threaded)[0])) << "the result depends on the number of threads";
}

/// sum(dy * y) of the reference with one input element moved.
double weightedSum(const Problem& s, const std::vector<Reference>& inputs) {
  Reference y = evaluateReference(s.graph, inputs, s.y.id + 1)[s.y.id];
  const std::vector<double>& dy = inputs.back().values;
  double total = 0;
  // What is infinite or no number is so whatever the inputs are: padding, say.
  for (size_t i = 0; i < dy.size(); ++i) {
    if (std::isfinite(y.values[i])) total += dy[i] * y.values[i];
  }
  return total;
}

void checkGradient(OpId op, const Case& k, uint64_t seed) {
  Problem s;
  for (size_t i = 0; i < k.in.size(); ++i) s.add(draw(k.in[i], seed + i));
  s.y = emit(op, s.in, k.attrs);
  int32_t forward = static_cast<int32_t>(s.graph.nodes().size());
  s.differentiate(seed + 100);
  ASSERT_TRUE(s.graph.status()) << s.graph.status().error().message;
  Threads two(2);
  auto got = evaluate(s.graph, s.tensors, two);
  ASSERT_TRUE(got) << got.error().message;
  // Differences look at the forward nodes alone.
  ASSERT_LT(s.y.id, forward);
  constexpr double kStep = 1e-4;
  constexpr int kProbes = 32;
  Random random(seed);
  for (size_t o = 0; o < s.live.size(); ++o) {
    int input = s.live[o];
    std::vector<double> want, have;
    int64_t n = s.references[input].type.shape.size();
    for (int p = 0; p < std::min<int64_t>(kProbes, n); ++p) {
      int64_t at = n <= kProbes ? p : random.below(static_cast<uint32_t>(n));
      // One probe where the derivative is largest, since an extremum has only few that are not
      // zero.
      if (n > kProbes && p == 0) at = indexOfLargest((*got)[o].span<float>());
      std::vector<Reference> moved = s.references;
      moved[input].values[at] += kStep;
      double above = weightedSum(s, moved);
      moved[input].values[at] -= 2 * kStep;
      want.push_back((above - weightedSum(s, moved)) / (2 * kStep));
      have.push_back((*got)[o].data<float>()[at]);
    }
    double top = largest(want);
    if (k.flat || n == 0) {
      ASSERT_LT(top, 1e-9) << "input " << input << ": the case says that its derivative is zero";
    } else {
      ASSERT_GT(top, 0) << "input " << input
                        << ": a derivative that is zero everywhere proves nothing";
    }
    for (size_t i = 0; i < want.size(); ++i)
      ASSERT_NEAR(have[i], want[i], 3e-5 * (1 + top)) << "input " << input;
  }
}

bool hasGradient(OpId op) { return opGradient(op).grad || opInfo(op).kind == OpKind::kComposed; }

/// Whether it makes a float of floats: integers and bools have no derivatives.
bool isContinuous(OpId op, const Case& k) {
  Graph graph;
  std::vector<Value> in;
  for (const Input& input : k.in) in.push_back(graph.input(input.type));
  auto isFloat = [](Value v) { return v && v.dtype() == DType::kF32; };
  return std::ranges::any_of(in, isFloat) && isFloat(emit(op, in, k.attrs));
}

TEST(Ops, ValuesMatchTheDefinition) {
  int checked = 0;
  for (const NamedChecks& named : opChecks()) {
    for (const Case& k : named.checks->cases()) {
      SCOPED_TRACE(cat(opInfo(named.op).name, ", ", k.name));
      checkValue(named, k, 1000 + checked++);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(checked, 100);
}

/// What an op prepares of its second operand where that is a parameter is kept from run to run, and
/// changes no bit.
TEST(Ops, PreparedOperandsChangeNoBit) {
  Threads two(2);
  int preparing = 0, seed = 5000;
  for (const NamedChecks& named : opChecks()) {
    for (const Case& k : named.checks->cases()) {
      if (!opInfo(named.op).prepared) continue;
      SCOPED_TRACE(cat(opInfo(named.op).name, ", ", k.name));
      Problem plain;
      Graph graph;
      std::vector<Value> in;
      for (size_t i = 0; i < k.in.size(); ++i) {
        plain.add(draw(k.in[i], ++seed));
        in.push_back(i == 1 ? graph.parameter(k.in[i].type) : graph.input(k.in[i].type));
      }
      plain.graph.output(emit(named.op, plain.in, k.attrs));
      graph.output(emit(named.op, in, k.attrs));
      auto want = evaluate(plain.graph, plain.tensors, two);
      auto plan = compile(graph, {.threads = 2});
      ASSERT_TRUE(want && plan);
      preparing += plan->steps[0].prepares;
      auto executor = Executor::make(std::move(*plan), two);
      ASSERT_TRUE(executor);
      for (size_t i = 0; i < in.size(); ++i)
        executor->bindInput(static_cast<int>(i), plain.tensors[i].view().data);
      auto got = Tensor::empty((*want)[0].type());
      executor->bindOutput(0, got->view().data);
      for (int run = 0; run < 2; ++run) {
        executor->run();
        ASSERT_TRUE(sameBits(*got, (*want)[0]));
      }
    }
  }
  EXPECT_GT(preparing, 30);
}

struct Way {
  int threads;
  bool winograd, prepared;
};

/// A convolution or its input's gradient, plus a quarter; its filter is a parameter if it is to be
/// prepared.
Tensor convolved(OpId op, const Case& k, const std::vector<Tensor>& tensors, const Way& way) {
  Threads pool(way.threads);
  Graph graph;
  Value x = graph.input(k.in[0].type);
  Value filter = way.prepared ? graph.parameter(k.in[1].type) : graph.input(k.in[1].type);
  graph.output(emit(op, {{x, filter}}, k.attrs) + 0.25);
  Plan plan = *compile(graph, {.threads = way.threads, .winograd = way.winograd});
  auto executor = Executor::make(std::move(plan), pool);
  for (int i = 0; i < 2; ++i) executor->bindInput(i, tensors[i].view().data);
  Tensor y = *Tensor::empty(executor->plan().outputs[0]);
  executor->bindOutput(0, y.view().data);
  executor->run();
  return y;
}

/// Whether there is so much to do that transforming the filters each time pays as well.
void expectWinograd(OpId op, const Case& k, int seed, bool unprepared) {
  SCOPED_TRACE(cat(opInfo(op).name, ", ", k.name));
  Problem s;
  for (const Input& in : k.in) s.add(draw(in, ++seed));
  s.y = emit(op, s.in, k.attrs) + 0.25;
  s.graph.output(s.y);
  std::vector<double> want = evaluateReference(s.graph, s.references)[s.y.id].values;
  Tensor direct = convolved(op, k, s.tensors, {1, false, true});
  for (bool prepared : {true, false}) {
    Tensor one = convolved(op, k, s.tensors, {1, true, prepared});
    Tensor three = convolved(op, k, s.tensors, {3, true, prepared});
    expectClose(one, want, 2e-5);
    EXPECT_TRUE(sameBits(one, three)) << "the result depends on the number of threads";
    EXPECT_EQ(!sameBits(one, direct), prepared || unprepared) << "prepared: " << prepared;
  }
}

TEST(Ops, WinogradMatchesTheDefinition) {
  Padding same{Padding::kSame}, uneven{Padding::kExplicit, 2, 0, 1, 3};
  struct {
    const char* name;
    Shape x, filter;
    Padding padding;
    bool unprepared;
  } cases[] = {
      {"same", {1, 14, 13, 32}, {3, 3, 32, 48}, same, false},
      {"valid", {2, 19, 11, 16}, {3, 3, 16, 16}, {}, false},
      {"wide", {1, 3, 50, 16}, {3, 3, 16, 32}, same, false},
      {"uneven padding", {3, 9, 8, 16}, {3, 3, 16, 16}, uneven, false},
      {"deep", {1, 16, 13, 560}, {3, 3, 560, 16}, same, false},
      {"a batch", {9, 13, 12, 16}, {3, 3, 16, 32}, same, true},
      {"a batch, uneven padding", {11, 12, 11, 32}, {3, 3, 32, 16}, uneven, true},
  };
  int seed = 7000;
  for (const auto& k : cases) {
    Case forward =
        makeCase(k.name, {floats(k.x), floats(k.filter)}, Conv2DAttrs{.padding = k.padding});
    expectWinograd(OpId::conv2d, forward, seed += 10, k.unprepared);
    Graph shapes;
    Value x = shapes.input({DType::kF32, k.x}), filter = shapes.input({DType::kF32, k.filter});
    Shape y = emit(OpId::conv2d, {{x, filter}}, forward.attrs).shape();
    Conv2DInputAttrs back{{}, {}, k.padding, 1, k.x};
    expectWinograd(OpId::conv2dInput, makeCase(k.name, {floats(y), floats(k.filter)}, back),
                   seed += 10, k.unprepared);
  }
}

TEST(Ops, GradientsMatchDifferences) {
  int checked = 0;
  for (const NamedChecks& named : opChecks()) {
    if (!hasGradient(named.op)) continue;
    for (const Case& k : named.checks->cases()) {
      if (!isContinuous(named.op, k)) continue;
      SCOPED_TRACE(cat(opInfo(named.op).name, ", ", k.name));
      checkGradient(named.op, k, 2000 + checked++);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_GT(checked, 100);
}

// Sizes on both sides of a vector and of a tile.
const int kSizes[] = {1, 3, 4, 7, 17, 511, 512, 513, 1500};

Reference rowInput(const RowChecks& row, int i, int n, uint64_t seed) {
  DType dtype = DType::kF32;
  if (row.kind == RowKind::kLogic || (row.kind == RowKind::kSelect && i == 0)) dtype = DType::kBool;
  if (row.kind == RowKind::kBits) dtype = DType::kI32;
  double lo = dtype == DType::kBool ? 0 : row.lo, hi = dtype == DType::kBool ? 2 : row.hi;
  return draw({{dtype, {n}}, lo, hi}, seed);
}

TEST(Elementwise, KernelsMatchTheFormulas) {
  Threads one(1);
  for (const RowChecks& row : rowChecks()) {
    SCOPED_TRACE(opInfo(row.op).name);
    for (int n : kSizes) {
      Problem s;
      for (int i = 0; i < row.arity; ++i) s.add(rowInput(row, i, n, 17 * n + i));
      s.y = emit(row.op, s.in, {});
      s.graph.output(s.y);
      ASSERT_TRUE(s.graph.status()) << s.graph.status().error().message;
      auto got = evaluate(s.graph, s.tensors, one);
      ASSERT_TRUE(got) << got.error().message;
      auto want = evaluateReference(s.graph, s.references)[s.y.id].values;
      for (int i = 0; i < n; ++i) {
        ASSERT_NEAR(element((*got)[0], i), want[i], 1e-6 * (1 + std::fabs(want[i])))
            << "element " << i << " of " << n;
      }
    }
  }
}

TEST(Elementwise, BackwardFormulasMatchTheComplexStep) {
  int alive = 0;
  for (const RowChecks& row : rowChecks()) {
    if (!row.derivative) continue;
    SCOPED_TRACE(opInfo(row.op).name);
    std::vector<Reference> in;
    constexpr int kPoints = 64;
    for (int i = 0; i < row.arity; ++i) in.push_back(rowInput(row, i, kPoints, 31 + i));
    double most[3] = {};
    for (int p = 0; p < kPoints; ++p) {
      double x[3] = {}, d[3] = {};
      for (int i = 0; i < row.arity; ++i) x[i] = in[i].values[p];
      row.backward(x, row.value(x), d);
      for (int i = 0; i < row.arity; ++i) {
        if (in[i].type.dtype != DType::kF32) continue;
        double want = row.derivative(x, i);
        most[i] = std::max(most[i], std::fabs(want));
        ASSERT_NEAR(d[i], want, 1e-11 * (1 + std::fabs(want)))
            << "input " << i << " at " << x[0] << ", " << x[1];
      }
    }
    for (int i = 0; i < row.arity; ++i) alive += most[i] > 1e-3;
    ASSERT_GT(std::max({most[0], most[1], most[2]}), 1e-2)
        << "dead on its domain: the check proves nothing";
  }
  EXPECT_GT(alive, 60);
}

TEST(Elementwise, GraphGradientsMatchTheComplexStep) {
  Threads one(1);
  for (const RowChecks& row : rowChecks()) {
    if (!row.derivative) continue;
    SCOPED_TRACE(opInfo(row.op).name);
    Problem s;
    constexpr int kPoints = 40;
    for (int i = 0; i < row.arity; ++i) s.add(rowInput(row, i, kPoints, 77 + i));
    s.y = emit(row.op, s.in, {});
    s.differentiate(5);
    ASSERT_TRUE(s.graph.status()) << s.graph.status().error().message;
    auto got = evaluate(s.graph, s.tensors, one);
    ASSERT_TRUE(got) << got.error().message;
    for (int p = 0; p < kPoints; ++p) {
      double x[3] = {};
      for (int i = 0; i < row.arity; ++i) x[i] = s.references[i].values[p];
      for (size_t o = 0; o < s.live.size(); ++o) {
        double want = s.references.back().values[p] * row.derivative(x, s.live[o]);
        ASSERT_NEAR((*got)[o].data<float>()[p], want, 4e-6 * (1 + std::fabs(want)))
            << "input " << s.live[o] << " at " << x[0] << ", " << x[1];
      }
    }
  }
}

}  // namespace
}  // namespace fjord::testing
