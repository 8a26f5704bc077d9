// What the rows of elementwise ops have beside kernels: gradients and shaders. Apart from these, because it runs once for a
// plan, and not once for a number.
#include "ops/elementwise.h"
#include "ops/formula.h"
#include "ops/wgsl.h"

namespace fjord {

namespace {

/// The row's backward lambda on graph values, its results summed down to the shapes of the inputs.
template <int arity, class B>
FJORD_ONCE std::vector<Value> rowGradient(const GradCall& g, const Attrs&) {
  auto reduced = [&](int i, Value dx) { return dx ? sumTo(dx, g.in[i].shape()) : dx; };
  if constexpr (arity == 1) {
    return {reduced(0, B{}(g.dy, g.in[0], g.y))};
  } else if constexpr (arity == 2) {
    auto d = B{}(g.dy, g.in[0], g.in[1], g.y);
    return {reduced(0, d[0]), reduced(1, d[1])};
  } else {
    auto d = B{}(g.dy, g.in[0], g.in[1], g.in[2], g.y);
    return {reduced(0, d[0]), reduced(1, d[1]), reduced(2, d[2])};
  }
}

template <int arity, class B>
constexpr OpGradient rowGradients() {
  OpGradient gradient;
  if constexpr (!std::same_as<B, Flat>) gradient.grad = rowGradient<arity, B>;
  return gradient;
}

template <int arity, RowKind kind, class F>
constexpr OpShaders rowShaders() {
  OpShaders shaders;
  if constexpr (takesFloats(kind)) shaders.f32 = wgslOf<arity, WgslF32, F>();
  if constexpr (takesInts(kind) && kind != RowKind::kSelect)
    shaders.i32 = wgslOf<arity, WgslI32, F>();
  return shaders;
}

}  // namespace

#define FJORD_ROW(arity, name, kind, forward, backward)                           \
  namespace {                                                                     \
  constexpr auto name##Forward = forward;                                         \
  constexpr auto name##Backward = backward;                                       \
  using name##Formula = std::remove_const_t<decltype(name##Forward)>;             \
  using name##Slope = std::remove_const_t<decltype(name##Backward)>;              \
  }                                                                               \
  extern const OpGradient name##Gradient;                                         \
  constinit const OpGradient name##Gradient = rowGradients<arity, name##Slope>(); \
  extern const OpShaders name##Shaders;                                           \
  constinit const OpShaders name##Shaders = rowShaders<arity, RowKind::kind, name##Formula>();
#define UNARY(name, kind, forward, backward, lo, hi) FJORD_ROW(1, name, kind, (forward), (backward))
#define BINARY(name, kind, forward, backward, lo, hi) \
  FJORD_ROW(2, name, kind, (forward), (backward))
#define TERNARY(name, kind, forward, backward, lo, hi) \
  FJORD_ROW(3, name, kind, (forward), (backward))
#include "ir/elementwise.inc"
#undef UNARY
#undef BINARY
#undef TERNARY

namespace {

std::vector<Value> gradientOfCast(const GradCall& g, const Attrs&) {
  bool floats = g.in[0].dtype() == DType::kF32 && g.y.dtype() == DType::kF32;
  return {floats ? g.dy : Value{}};
}

}  // namespace

extern const OpGradient castGradient;
constinit const OpGradient castGradient{.grad = gradientOfCast};
extern const OpShaders castShaders;
constinit const OpShaders castShaders;

}  // namespace fjord
