// How an op is written. A structured op is one struct in one .cc file:
//
//   struct MatMul {
//     using Attrs = MatMulAttrs;                                           // from ir/all.inc
//     static Result<Type> type(std::span<const Type> in, const Attrs& a);  // shape rule
//     static void run(const Call& c, const Attrs& a);                      // kernel
//     static std::vector<Value> grad(const GradCall& g, const Attrs& a);   // of each input
//     static void reference(const ReferenceCall& c, const Attrs& a);       // ops/definition.h
//     static std::vector<Case> cases();                                    // to test it on
//   };
//   FJORD_OP(MatMul, matMul)
//
// Optional: `static int64_t scratch(const ScratchCall&, const Attrs&)` asks for bytes that live as
// long as the call; `static constexpr bool kEpilogue = true` promises to run c.epilogue over every
// finished part of the output; `static constexpr bool kInPlace = true` that the output may lie where the
// first input does. `prepared` asks for bytes that `prepare` fills from the second
// operand alone (weights in the order in which the kernel reads them) where that seldom changes: run
// finds them at c.prepared, or nullptr where nothing was prepared. `work` tells how many multiply-adds a
// call takes, and promises that run does c.share of them only: so that a page need not wait for all.
//
// `gpu` writes its shaders, or `static constexpr NoGpu gpu{..}` says why there are none: ops/gpu.h.
//
// In place of a gradient that cannot exist: `static constexpr NoGrad grad{"a position is piecewise
// constant"}`, and for one that is zero wherever it exists: `static constexpr ZeroGrad grad{}`. A
// missing part is a compile error that names it. A composed op has `expand` and `cases` instead,
// and FJORD_COMPOSED; `static Status check(std::span<const Type> in, const Attrs& a)` refuses what
// the ops that it is made of would take. What they are made of defines them, or a `reference`.
#pragma once

#include <algorithm>
#include <concepts>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/op.h"
#include "ops/gpu.h"

namespace fjord {

// ---- what tests and benchmarks get

/// An array in double, the currency of the reference.
struct Reference {
  Type type;
  std::vector<double> values;
};

struct ReferenceCall {
  std::span<const Reference> in;
  Reference& out;  // type set, values sized and zero
};

/// How a test fills an input. Floats are uniform in [lo, hi), or with `distinct` a permutation of
/// evenly spaced values there (no ties, for max); integers uniform in [lo, hi).
struct Input {
  Type type;
  double lo = -1, hi = 1;
  bool distinct = false;
};

struct Case {
  std::string_view name;
  std::vector<Input> in;
  Attrs attrs;
  double tolerance = 2e-6;  // times the magnitude of the sum of terms: see ops/op_test.cc
  /// No input has a derivative that is not zero.
  bool flat = false;
};

template <class A>
Case makeCase(std::string_view name, std::vector<Input> in, const A& attrs,
              double tolerance = 2e-6) {
  return {name, std::move(in), Attrs::of(attrs), tolerance};
}
template <class A>
Case flatCase(std::string_view name, std::vector<Input> in, const A& attrs) {
  Case k = makeCase(name, std::move(in), attrs);
  k.flat = true;
  return k;
}
inline Input floats(const Shape& shape, double lo = -1, double hi = 1) {
  return {{DType::kF32, shape}, lo, hi};
}
/// Whole numbers from lo to hi.
inline Input ints(const Shape& shape, int lo, int hi) {
  return {{DType::kI32, shape}, static_cast<double>(lo), static_cast<double>(hi) + 1};
}

// What only a GPU asks for stands beside the row, too.

struct OpShaders {
  /// nullptr where there is none: `reason` says why, if it could be wanted.
  void (*write)(ShaderWriter&, const Attrs&) = nullptr;
  std::string_view reason = {};
  /// The formulas of an elementwise row as WGSL (ops/wgsl.h), empty where the kind has none.
  std::string_view f32 = {}, i32 = {};
};

const OpShaders& opShaders(OpId id);

/// Only linked into tests and benchmarks.
struct OpChecks {
  std::string_view name;
  std::vector<Case> (*cases)() = nullptr;
  /// nullptr where the definition is that of the ops of which a composed op is made.
  void (*reference)(const ReferenceCall&, const Attrs&) = nullptr;
};

// ---- from a struct to its row of the table

template <class T>
concept HasGradient =
    requires(const GradCall& g, const typename T::Attrs& a) {
      { T::grad(g, a) } -> std::same_as<std::vector<Value>>;
    } || std::same_as<std::remove_cvref_t<decltype(T::grad)>, NoGrad> ||
    std::same_as<std::remove_cvref_t<decltype(T::grad)>, ZeroGrad>;

template <class T>
concept HasGpu = requires(ShaderWriter& w, const typename T::Attrs& a) { T::gpu(w, a); } ||
                 std::same_as<std::remove_cvref_t<decltype(T::gpu)>, NoGpu>;

template <class T>
concept StructuredOp = requires(std::span<const Type> in, const typename T::Attrs& a, const Call& c,
                                const ReferenceCall& r) {
  { T::type(in, a) } -> std::same_as<Result<Type>>;
  T::run(c, a);
  T::reference(r, a);
  { T::cases() } -> std::same_as<std::vector<Case>>;
};

template <class T>
concept ComposedOp = requires(std::span<const Value> in, const typename T::Attrs& a) {
  { T::expand(in, a) } -> std::same_as<Value>;
  { T::cases() } -> std::same_as<std::vector<Case>>;
};

template <class T>
FJORD_ONCE Result<Type> typeOf(std::span<const Type> in, const Attrs& a) {
  return T::type(in, a.as<typename T::Attrs>());
}
template <class T>
FJORD_ONCE int64_t scratchOf(const ScratchCall& s, const Attrs& a) {
  return T::scratch(s, a.as<typename T::Attrs>());
}
template <class T>
FJORD_ONCE int64_t workOf(const ScratchCall& s, const Attrs& a) {
  return T::work(s, a.as<typename T::Attrs>());
}
template <class T>
FJORD_ONCE int64_t preparedOf(const ScratchCall& s, const Attrs& a) {
  return T::prepared(s, a.as<typename T::Attrs>());
}
template <class T>
FJORD_ONCE std::vector<Value> gradOf(const GradCall& g, const Attrs& a) {
  return T::grad(g, a.as<typename T::Attrs>());
}
template <class T>
FJORD_ONCE void gpuOf(ShaderWriter& w, const Attrs& a) {
  T::gpu(w, a.as<typename T::Attrs>());
}
template <class T>
FJORD_ONCE Status checkOf(std::span<const Type> in, const Attrs& a) {
  return T::check(in, a.as<typename T::Attrs>());
}
template <class T>
FJORD_ONCE Value expandOf(std::span<const Value> in, const Attrs& a) {
  return T::expand(in, a.as<typename T::Attrs>());
}

template <class T>
constexpr OpInfo structuredOp(std::string_view name, OpKind kind = OpKind::kStructured) {
  using A = typename T::Attrs;
  OpInfo info{.name = name, .kind = kind};
  info.type = typeOf<T>;
  info.run = [](const Call& c, const Attrs& a) { T::run(c, a.as<A>()); };
  if constexpr (requires(const ScratchCall& s, const A& a) { T::scratch(s, a); }) {
    info.scratch = scratchOf<T>;
  }
  if constexpr (requires(const ScratchCall& s, const A& a) { T::work(s, a); }) {
    info.work = workOf<T>;
  }
  if constexpr (requires(const ScratchCall& s, const A& a) { T::prepared(s, a); }) {
    info.prepared = preparedOf<T>;
    info.prepare = [](const Call& c, const Attrs& a) { T::prepare(c, a.as<A>()); };
  }
  if constexpr (requires { T::kEpilogue; }) info.epilogue = T::kEpilogue;
  if constexpr (requires { T::kInPlace; }) info.inPlace = T::kInPlace;
  info.decode = decodeAttrs<A>;
  return info;
}

/// nullptr where a composed op has no definition of its own.
template <class T>
constexpr auto referenceOf() {
  using A = typename T::Attrs;
  void (*reference)(const ReferenceCall&, const Attrs&) = nullptr;
  if constexpr (requires(const ReferenceCall& c, const A& a) { T::reference(c, a); }) {
    reference = [](const ReferenceCall& c, const Attrs& a) { T::reference(c, a.as<A>()); };
  }
  return reference;
}

template <class T>
constexpr OpGradient structuredGradient() {
  if constexpr (requires { T::grad.reason; }) {
    return {.reason = T::grad.reason};
  } else if constexpr (requires(const GradCall& g, const typename T::Attrs& a) { T::grad(g, a); }) {
    return {.grad = gradOf<T>};
  } else {
    return {};
  }
}

template <class T>
constexpr OpShaders structuredShaders() {
  if constexpr (requires { T::gpu.reason; }) {
    return {.reason = T::gpu.reason};
  } else {
    return {.write = gpuOf<T>};
  }
}

template <class T>
constexpr OpInfo composedOp(std::string_view name) {
  using A = typename T::Attrs;
  OpInfo info{.name = name, .kind = OpKind::kComposed};
  if constexpr (requires(std::span<const Type> in, const A& a) { T::check(in, a); }) {
    info.check = checkOf<T>;
  }
  info.expand = expandOf<T>;
  info.decode = decodeAttrs<A>;
  return info;
}

#define FJORD_OP_OF_KIND(Name, op, kind)                                                          \
  static_assert(StructuredOp<Name>, #Name " lacks type, run, reference or cases: see ops/op.h");  \
  static_assert(HasGradient<Name>, #Name " lacks grad: write it, or declare NoGrad or ZeroGrad"); \
  static_assert(HasGpu<Name>, #Name " lacks gpu: write it, or declare NoGpu");                    \
  extern const OpInfo op##Info;                                                                   \
  constinit const OpInfo op##Info = structuredOp<Name>(#op, kind);                                \
  extern const OpGradient op##Gradient;                                                           \
  constinit const OpGradient op##Gradient = structuredGradient<Name>();                           \
  extern const OpShaders op##Shaders;                                                             \
  constinit const OpShaders op##Shaders = structuredShaders<Name>();                              \
  extern const OpChecks op##Checks;                                                               \
  constinit const OpChecks op##Checks = {#op, Name::cases, referenceOf<Name>()};
#define FJORD_OP(Name, op) FJORD_OP_OF_KIND(Name, op, OpKind::kStructured)
#define FJORD_COMPOSED(Name, op)                                                 \
  static_assert(ComposedOp<Name>, #Name " lacks expand or cases: see ops/op.h"); \
  extern const OpInfo op##Info;                                                  \
  constinit const OpInfo op##Info = composedOp<Name>(#op);                       \
  extern const OpGradient op##Gradient;                                          \
  constinit const OpGradient op##Gradient;                                       \
  extern const OpShaders op##Shaders;                                            \
  constinit const OpShaders op##Shaders;                                         \
  extern const OpChecks op##Checks;                                              \
  constinit const OpChecks op##Checks = {#op, Name::cases, referenceOf<Name>()};

}  // namespace fjord
