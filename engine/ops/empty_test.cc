// Arrays of no elements: every case of every op with each axis of each input made 0, alone and with the
// axes of the same size in the others. What the op's rule allows is computed, and its gradient, for any
// number of threads; what it does not is refused in words.
#include <gtest/gtest.h>

#include <cmath>

#include "run/cpu.h"
#include "testing/reference.h"

namespace fjord::testing {
namespace {

struct Tried {
  int computed = 0, refused = 0;
};

std::vector<Case> emptied(const Case& k) {
  std::vector<Case> all;
  for (size_t i = 0; i < k.in.size(); ++i) {
    for (int axis = 0; axis < k.in[i].type.shape.rank(); ++axis) {
      int32_t size = k.in[i].type.shape[axis];
      Case alone = k, together = k;
      for (Input& in : together.in) {
        for (int32_t& d : std::span(in.type.shape.values).first(in.type.shape.rank()))
          if (d == size) d = 0;
      }
      alone.in[i].type.shape[axis] = 0;
      all.push_back(alone);
      all.push_back(together);
    }
  }
  return all;
}

void expectDefined(const Tensor& got, const std::vector<double>& want) {
  ASSERT_EQ(got.size(), static_cast<int64_t>(want.size()));
  for (int64_t i = 0; i < got.size(); ++i) {
    double g = got.dtype() == DType::kF32 ? got.data<float>()[i] : got.data<int32_t>()[i];
    double w = want[i];
    ASSERT_TRUE(std::isfinite(w) ? std::fabs(g - w) <= 1e-5 * (1 + std::fabs(w))
                : std::isnan(w)  ? std::isnan(g)
                                 : g == w)
        << "element " << i << ": " << g << ", want " << w;
  }
}

void tryOne(OpId op, const Case& k, Tried& tried) {
  Graph graph;
  std::vector<Value> in;
  std::vector<Reference> references;
  std::vector<Tensor> tensors;
  for (const Input& input : k.in) {
    in.push_back(graph.input(input.type));
    references.push_back(draw(input, 1));
    tensors.push_back(toTensor(references.back()));
  }
  Value y = emit(op, in, k.attrs);
  if (!graph.status()) {
    EXPECT_FALSE(graph.status().error().message.empty());
    ++tried.refused;
    return;
  }
  ++tried.computed;
  graph.output(y);
  if (y.dtype() == DType::kF32 && (opGradient(op).grad || opInfo(op).kind == OpKind::kComposed)) {
    std::vector<Value> xs;
    for (Value x : in) {
      if (x.dtype() == DType::kF32) xs.push_back(x);
    }
    for (Value d : grad(y, xs)) graph.output(d);
    ASSERT_TRUE(graph.status()) << graph.status().error().message;
  }
  for (int threads : {1, 3}) {
    Threads pool(threads);
    auto got = evaluate(graph, tensors, pool);
    if (!got) {
      // No index is right.
      EXPECT_TRUE(got.error().message.ends_with(" is not in [0, -1]")) << got.error().message;
      return;
    }
    expectDefined((*got)[0], evaluateReference(graph, references)[y.id].values);
  }
}

TEST(Empty, AxesOfEveryCaseAreComputedOrRefused) {
  Tried tried;
  for (const NamedChecks& named : opChecks()) {
    for (const Case& k : named.checks->cases()) {
      for (const Case& empty : emptied(k)) {
        std::string shapes;
        for (const Input& in : empty.in) shapes += cat(" ", in.type.shape);
        SCOPED_TRACE(cat(opInfo(named.op).name, ", ", k.name, ":", shapes));
        tryOne(named.op, empty, tried);
      }
    }
  }
  EXPECT_GT(tried.computed, 300);
  EXPECT_GT(tried.refused, 100);
}

}  // namespace
}  // namespace fjord::testing
