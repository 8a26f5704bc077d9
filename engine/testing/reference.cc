#include "testing/reference.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "base/random.h"
#include "ir/loop.h"
#include "ops/formula.h"

namespace fjord {

#define OP(Name, name, arity, attrs) extern const OpChecks name##Checks;
#define COMPOSED OP
#include "ir/all.inc"
#undef OP
#undef COMPOSED

namespace testing {

const std::vector<NamedChecks>& opChecks() {
  static const std::vector<NamedChecks> kChecks = {
#define OP(Name, name, arity, attrs) {OpId::name, &name##Checks},
#define COMPOSED OP
#include "ir/all.inc"
#undef OP
#undef COMPOSED
  };
  return kChecks;
}

namespace {

double number(double x) { return x; }
double number(bool x) { return x; }
double number(int32_t x) { return x; }
Complex complexNumber(Complex x) { return x; }

constexpr bool isIntegral(RowKind k) { return k == RowKind::kLogic || k == RowKind::kBits; }

template <int arity, class T, class F>
auto apply(F f, const T* in) {
  if constexpr (arity == 1) return f(in[0]);
  if constexpr (arity == 2) return f(in[0], in[1]);
  if constexpr (arity == 3) return f(in[0], in[1], in[2]);
}

template <int arity, RowKind kind, class F>
double valueOf(const double* in) {
  if constexpr (isIntegral(kind)) {
    int32_t integers[3] = {};
    for (int i = 0; i < arity; ++i) integers[i] = static_cast<int32_t>(in[i]);
    return number(apply<arity>(F{}, integers));
  } else {
    return number(apply<arity>(F{}, in));
  }
}

// Small enough that the second-order term vanishes beside the first, large enough to stay above the
// denormals.
constexpr double kStep = 1e-30;

template <int arity, class F>
double derivativeOf(const double* in, int i) {
  Complex shifted[3];
  for (int k = 0; k < arity; ++k) shifted[k] = Complex(in[k], k == i ? kStep : 0);
  return complexNumber(apply<arity>(F{}, shifted)).imag() / kStep;
}

template <int arity, class B>
void backwardOf(const double* in, double y, double* d) {
  if constexpr (arity == 1) d[0] = B{}(1.0, in[0], y);
  if constexpr (arity == 2) {
    auto r = B{}(1.0, in[0], in[1], y);
    std::ranges::copy(r, d);
  }
  if constexpr (arity == 3) {
    auto r = B{}(1.0, in[0], in[1], in[2], y);
    std::ranges::copy(r, d);
  }
}

template <int arity, RowKind kind, class F, class B>
RowChecks checksOf(OpId op, double lo, double hi) {
  RowChecks c{op, arity, kind, lo, hi, valueOf<arity, kind, F>, nullptr, nullptr};
  if constexpr (!std::same_as<B, Flat>) {
    c.derivative = derivativeOf<arity, F>;
    c.backward = backwardOf<arity, B>;
  }
  return c;
}

}  // namespace

const std::vector<RowChecks>& rowChecks() {
  static const std::vector<RowChecks> kRows = [] {
    std::vector<RowChecks> rows;
#define FJORD_ROW(arity, name, kind, forward, backward, lo, hi)                                   \
  {                                                                                               \
    auto f = forward;                                                                             \
    auto b = backward;                                                                            \
    rows.push_back(checksOf<arity, RowKind::kind, decltype(f), std::remove_const_t<decltype(b)>>( \
        OpId::name, lo, hi));                                                                     \
  }
#define UNARY(name, kind, f, b, lo, hi) FJORD_ROW(1, name, kind, (f), (b), lo, hi)
#define BINARY(name, kind, f, b, lo, hi) FJORD_ROW(2, name, kind, (f), (b), lo, hi)
#define TERNARY(name, kind, f, b, lo, hi) FJORD_ROW(3, name, kind, (f), (b), lo, hi)
#include "ir/elementwise.inc"
#undef UNARY
#undef BINARY
#undef TERNARY
    return rows;
  }();
  return kRows;
}

namespace {

double castTo(double x, DType dtype) {
  if (dtype == DType::kBool) return x != 0;
  if (dtype == DType::kF32) return x;
  return x != x ? 0 : std::trunc(std::clamp<double>(x, INT32_MIN, INT32_MAX));
}

/// Index of the element of a broadcast operand that element i of `space` sees.
int64_t broadcastIndex(const Shape& source, const Shape& space, int64_t i) {
  Shape strides = rowMajorStrides(source);
  int64_t at = 0;
  for (int d = 1; d <= space.rank(); ++d) {
    int64_t index = i % space[-d];
    i /= space[-d];
    if (d <= source.rank() && source[-d] != 1) at += index * strides[-d];
  }
  return at;
}

void evaluateRow(const Node& node, const std::vector<Reference>& nodes, Reference& out) {
  auto row = std::ranges::find(rowChecks(), node.op, &RowChecks::op);
  for (int64_t i = 0; i < node.type.shape.size(); ++i) {
    double in[3] = {};
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      const Reference& from = nodes[node.inputs[k]];
      in[k] = from.values[broadcastIndex(from.type.shape, node.type.shape, i)];
    }
    out.values[i] = node.op == OpId::cast ? castTo(in[0], node.type.dtype) : row->value(in);
  }
}

/// Element i of an array in double.
Reference referenceOf(const Tensor& t) {
  Reference r{t.type(), {}};
  for (int64_t i = 0; i < t.size(); ++i)
    r.values.push_back(t.dtype() == DType::kF32 ? t.data<float>()[i] : t.data<int32_t>()[i]);
  return r;
}

/// The results of a loop, trip by trip as its definition says.
std::vector<Reference> evaluateLoop(const Node& node, const std::vector<Reference>& in) {
  const auto& loop = node.attrs.as<LoopAttrs>();
  std::vector<int32_t> nexts = nextsOf(*loop.body);
  std::vector<Reference> given = in, results;
  size_t carried = node.results.size() - loop.reversed.size();
  for (size_t i = carried; i < node.results.size(); ++i)
    results.push_back({node.results[i], std::vector<double>(node.results[i].shape.size())});
  for (int32_t trip = 0; trip < loop.trips; ++trip) {
    std::vector<Reference> here = given;
    for (size_t i = 0; i < in.size(); ++i) {
      if (!isScanned(loop.inputs[i])) continue;
      bool reversed = loop.inputs[i] == LoopInput::kScannedReversed;
      here[i].type = sliceOf(in[i].type);
      int64_t size = here[i].type.shape.size(), at = reversed ? loop.trips - 1 - trip : trip;
      here[i].values.assign(in[i].values.begin() + at * size,
                            in[i].values.begin() + (at + 1) * size);
    }
    std::vector<Reference> nodes = evaluateReference(*loop.body, here);
    for (size_t i = 0; i < in.size(); ++i) {
      if (nexts[i] >= 0) given[i] = nodes[nexts[i]];
    }
    for (size_t i = 0; i < results.size(); ++i) {
      const Reference& slice = nodes[loop.body->outputs()[i]];
      int64_t at = loop.reversed[i] ? loop.trips - 1 - trip : trip;
      std::ranges::copy(slice.values,
                        results[i].values.begin() + at * static_cast<int64_t>(slice.values.size()));
    }
  }
  std::vector<Reference> all;
  for (size_t i = 0; i < in.size(); ++i) {
    if (nexts[i] >= 0) all.push_back(given[i]);
  }
  all.insert(all.end(), results.begin(), results.end());
  return all;
}

}  // namespace

std::vector<Reference> evaluateReference(const Graph& graph, const std::vector<Reference>& inputs,
                                         size_t count) {
  std::vector<Reference> nodes;
  std::unordered_map<int32_t, std::vector<Reference>> results;  // of each node that has several
  for (const Node& node : graph.nodes()) {
    if (nodes.size() == count) break;
    Reference out{node.type, std::vector<double>(node.type.shape.size())};
    if (node.op == OpId::input) {
      out = inputs[node.attrs.as<InputAttrs>().index];
    } else if (node.op == OpId::constant) {
      out.values[0] = castTo(node.attrs.as<ConstantAttrs>().value, node.type.dtype);
    } else if (node.op == OpId::array) {
      out = referenceOf(node.attrs.as<ArrayAttrs>().values);
    } else if (node.op == OpId::result) {
      out = results[node.inputs[0]][node.attrs.as<ResultAttrs>().index];
    } else if (node.op == OpId::loop) {
      std::vector<Reference> in;
      for (int32_t id : node.inputs) in.push_back(nodes[id]);
      results[static_cast<int32_t>(nodes.size())] = evaluateLoop(node, in);
    } else if (opInfo(node.op).kind == OpKind::kElementwise) {
      evaluateRow(node, nodes, out);
    } else {
      std::vector<Reference> in;
      for (int32_t id : node.inputs) in.push_back(nodes[id]);
      auto named = std::ranges::find(opChecks(), node.op, &NamedChecks::op);
      named->checks->reference({in, out}, node.attrs);
    }
    nodes.push_back(std::move(out));
  }
  return nodes;
}

Reference draw(const Input& input, uint64_t seed) {
  Random random(seed);
  Reference r{input.type, std::vector<double>(input.type.shape.size())};
  size_t n = r.values.size();
  for (size_t i = 0; i < n; ++i) {
    double unit =
        input.distinct ? (static_cast<double>(i) + 0.5) / static_cast<double>(n) : random.uniform();
    double v = input.lo + (input.hi - input.lo) * unit;
    r.values[i] = input.type.dtype == DType::kF32 ? static_cast<float>(v) : std::floor(v);
  }
  if (input.distinct) {
    for (size_t i = n; i > 1; --i)
      std::swap(r.values[i - 1], r.values[random.below(static_cast<uint32_t>(i))]);
  }
  return r;
}

Tensor toTensor(const Reference& r) {
  Tensor t = *Tensor::empty(r.type);
  for (size_t i = 0; i < r.values.size(); ++i) {
    if (r.type.dtype == DType::kF32) {
      t.data<float>()[i] = static_cast<float>(r.values[i]);
    } else {
      t.data<int32_t>()[i] = static_cast<int32_t>(r.values[i]);
    }
  }
  return t;
}

}  // namespace testing
}  // namespace fjord
