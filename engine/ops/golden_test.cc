// Values and gradients of the ops against TensorFlow's: check/goldens/ops_*.py made the files.
//
// A case: {"name", "op", "attrs": {..}, "inputs": [tensor, ..], "output": tensor, "rtol", "atol"}
// and, where derivatives are checked, "dy": tensor and "grads": [tensor or null, ..], the gradients
// of sum(dy * output).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/graph.h"
#include "run/cpu.h"
#include "testing/goldens.h"

namespace fjord::testing {
namespace {

/// Ops that have no case of their own, and why.
struct Exception {
  std::string_view op, reason;
};
constexpr Exception kExceptions[] = {
    {"conv2dInput", "the gradient of conv2d by its input"},
    {"conv2dFilter", "the gradient of conv2d by its filter"},
    {"depthwiseConv2dInput", "the gradient of depthwiseConv2d by its input"},
    {"depthwiseConv2dFilter", "the gradient of depthwiseConv2d by its filter"},
    {"maxPoolGrad", "the gradient of maxPool"},
    {"avgPoolGrad", "the gradient of avgPool"},
    {"stridedSliceGrad", "the gradient of stridedSlice"},
    {"mirrorPadGrad", "the gradient of mirrorPad"},
    {"randomUniform", "random: its distribution is tested, and Philox by its known answers"},
    {"randomNormal", "random: its distribution is tested"},
    {"truncatedNormal", "random: its distribution is tested"},
    {"dropout", "random: its expectation is tested"},
};

// ---- attributes from JSON

/// Fills attributes by name; what is left over or of the wrong kind is an error.
struct AttrsFromJson {
  const Json& given;
  size_t used = 0;
  bool ok = true;

  const Json* find(const char* name) {
    const Json& v = member(given, name);
    used += v.is_null() ? 0 : 1;
    return v.is_null() ? nullptr : &v;
  }
  void operator()(const char* name, bool& v) {
    if (const Json* j = find(name)) ok = ok && j->is_boolean(), v = j->get<bool>();
  }
  void operator()(const char* name, int32_t& v) {
    if (const Json* j = find(name)) ok = ok && j->is_number_integer(), v = j->get<int32_t>();
  }
  void operator()(const char* name, float& v) {
    if (const Json* j = find(name)) ok = ok && j->is_number(), v = j->get<float>();
  }
  void operator()(const char* name, DType& v) {
    if (const Json* j = find(name)) {
      v = *j == "int32" ? DType::kI32 : *j == "bool" ? DType::kBool : DType::kF32;
      ok = ok && *j == fjord::name(v);
    }
  }
  void operator()(const char* name, MirrorMode& v) {
    if (const Json* j = find(name)) {
      v = *j == "symmetric" ? MirrorMode::kSymmetric : MirrorMode::kReflect;
      ok = ok && j->is_string();
    }
  }
  void operator()(const char* name, FillMode& v) {
    constexpr const char* kModes[] = {"constant", "reflect", "wrap", "nearest"};
    if (const Json* j = find(name)) {
      auto mode = std::ranges::find_if(kModes, [&](const char* m) { return *j == m; });
      ok = ok && mode != std::end(kModes);
      v = static_cast<FillMode>(mode - std::begin(kModes));
    }
  }
  void operator()(const char* name, Pair& v) {
    if (const Json* j = find(name)) {
      ok = ok && j->is_array() && j->size() == 2;
      if (ok) v = {(*j)[0].get<int32_t>(), (*j)[1].get<int32_t>()};
    }
  }
  void operator()(const char* name, Padding& v) {
    const Json* j = find(name);
    if (!j) return;
    if (j->is_array() && j->size() == 4) {
      v = {Padding::kExplicit, (*j)[0].get<int32_t>(), (*j)[1].get<int32_t>(),
           (*j)[2].get<int32_t>(), (*j)[3].get<int32_t>()};
    } else {
      ok = ok && (*j == "same" || *j == "valid");
      v = {*j == "same" ? Padding::kSame : Padding::kValid};
    }
  }
  void operator()(const char* name, ShortText& v) {
    if (const Json* j = find(name)) {
      ok = ok && j->is_string();
      if (ok) v = j->get<std::string>();
    }
  }
  template <int N>
  void operator()(const char* name, Ints<N>& v) {
    if (const Json* j = find(name)) {
      auto list = intsOf<N>(*j);
      ok = ok && list;
      if (list) v = *list;
    }
  }
};

template <class A>
Result<Attrs> attrsOf(const Json& given) {
  A attrs;
  AttrsFromJson reader{given};
  visitAttrs(attrs, reader);
  if (!reader.ok || reader.used != given.size()) return fail("attributes ", given.dump());
  return Attrs::of(attrs);
}

Result<Attrs> attrsOf(OpId id, const Json& given) {
  if (id == OpId::cast) return attrsOf<CastAttrs>(given);
#define OP(Name, name, arity, attrs) \
  if (id == OpId::name) return attrsOf<Name##Attrs>(given);
#define COMPOSED OP
#include "ir/all.inc"
#undef OP
#undef COMPOSED
  if (!given.empty()) return fail("this op has no attributes");
  return Attrs();
}

// ---- cases

void expectGolden(const Tensor& got, const Tensor& want, const Json& c) {
  ASSERT_EQ(cat(got.type()), cat(want.type()));
  double rtol = numberOr(c, "rtol", 1e-5), atol = numberOr(c, "atol", 1e-6);
  for (int64_t i = 0; i < got.size(); ++i) {
    if (want.dtype() != DType::kF32) {
      ASSERT_EQ(got.data<int32_t>()[i], want.data<int32_t>()[i]) << "element " << i;
      continue;
    }
    float g = got.data<float>()[i], w = want.data<float>()[i];
    if (std::isfinite(w)) {
      ASSERT_NEAR(g, w, atol + rtol * std::fabs(w)) << "element " << i;
    } else {
      ASSERT_TRUE(std::isnan(w) ? std::isnan(g) : g == w)
          << "element " << i << ": " << g << ", want " << w;
    }
  }
}

/// Value and gradients of a case.
void check(const Goldens& file, const Json& c) {
  SCOPED_TRACE(stringOr(c, "name", "?"));
  OpId op = opNamed(stringOr(c, "op", ""));
  ASSERT_NE(op, OpId::kCount) << member(c, "op").dump();
  Result<Attrs> attrs = attrsOf(op, member(c, "attrs"));
  ASSERT_TRUE(attrs) << attrs.error().message;
  Graph graph;
  std::vector<Value> in, differentiated;
  std::vector<Tensor> tensors, want;
  for (const Json& name : member(c, "inputs")) {
    tensors.push_back(file.tensor(name));
    in.push_back(graph.input(tensors.back().type()));
  }
  Value y = emit(op, in, *attrs);
  ASSERT_TRUE(graph.status()) << graph.status().error().message;
  graph.output(y);
  want.push_back(file.tensor(member(c, "output")));
  const Json& grads = member(c, "grads");
  for (size_t i = 0; i < grads.size(); ++i) {
    if (grads[i].is_null()) continue;
    differentiated.push_back(in[i]);
    want.push_back(file.tensor(grads[i]));
  }
  if (!differentiated.empty()) {
    tensors.push_back(file.tensor(member(c, "dy")));
    Value dy = graph.input(tensors.back().type());
    for (Value d : grad(y, differentiated, dy)) graph.output(d);
  }
  ASSERT_TRUE(graph.status()) << graph.status().error().message;
  Result<std::vector<Tensor>> got = evaluate(graph, tensors, file.threads);
  ASSERT_TRUE(got) << got.error().message;
  for (size_t i = 0; i < want.size(); ++i) {
    SCOPED_TRACE(i ? cat("gradient ", i) : "value");
    expectGolden((*got)[i], want[i], c);
  }
}

constexpr std::string_view kFiles[] = {"ops_elementwise", "ops_reduce", "ops_conv",
                                       "ops_dims",        "ops_linear", "ops_move",
                                       "ops_attention",   "ops_image"};

class OpGoldens : public ::testing::TestWithParam<std::string_view> {};

TEST_P(OpGoldens, AgreeWithTensorFlow) {
  Goldens file(GetParam());
  for (const Json& c : file.cases) check(file, c);
}
INSTANTIATE_TEST_SUITE_P(Files, OpGoldens, ::testing::ValuesIn(kFiles),
                         [](const auto& info) { return std::string(info.param); });

/// Every op has a case, or a reason to have none.
TEST(OpGoldens, CoverEveryOp) {
  std::set<std::string, std::less<>> covered;
  for (std::string_view name : kFiles) {
    for (const Json& c : Goldens(name).cases) covered.insert(stringOr(c, "op", ""));
  }
  for (const Exception& e : kExceptions) {
    EXPECT_FALSE(covered.contains(e.op)) << e.op << " is covered: it is no exception any more";
    EXPECT_NE(opNamed(e.op), OpId::kCount) << e.op;
    covered.insert(std::string(e.op));
  }
  for (int i = static_cast<int>(OpId::cast); i < static_cast<int>(OpId::kCount); ++i) {
    std::string_view name = opInfo(static_cast<OpId>(i)).name;
    EXPECT_TRUE(covered.contains(name)) << name << " has no golden case";
  }
}

}  // namespace
}  // namespace fjord::testing
