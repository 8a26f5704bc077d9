// What an op is. A structured op is one struct in one .cc file:
//
//   struct MatMul {
//     using Attrs = MatMulAttrs;                                           // from ops/all.inc
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
// finished part of the output. `prepared` asks for bytes that `prepare` fills from the second
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

#include "base/result.h"
#include "base/tensor.h"
#include "base/threads.h"
#include "ops/gpu.h"
#include "ops/value.h"

namespace fjord {

// ---- what kernels get

/// Elements [begin, end) of an array, and of each further row of `rows`, which are `stride` apart.
struct Strip {
  int64_t begin, end, rows = 1, stride = 0;
};

/// Elementwise work to be done on each part of an op's output as soon as it is finished, while it
/// is in cache.
struct Epilogue {
  const void* chain = nullptr;
  void (*apply)(const Epilogue& self, const Strip& strip, int part) = nullptr;

  /// These elements of the output are final. `part` is Threads::run's index, or 0.
  void operator()(const Strip& strip, int part) const {
    if (apply) apply(*this, strip, part);
  }
  void operator()(int64_t begin, int64_t end, int part) const { (*this)(Strip{begin, end}, part); }
};

/// An index that is not in [0, size), at this position among the indices. A kernel that finds one
/// leaves the first here and does no more: the executor runs no later step, and its run fails.
struct OutOfRange {
  int64_t position = -1;
  int32_t index = 0, size = 0;
};

/// A part of a kernel's work: shares [begin, end) of `count`, which come in this order. What the first
/// has left in the scratch, the later ones find. A share gives the bits that the whole would: sums are
/// not cut.
struct Share {
  int32_t begin = 0, end = 1, count = 1;

  /// The part of [0, n) that it is, in whole multiples of `grain` but for the end.
  std::pair<int64_t, int64_t> of(int64_t n, int64_t grain = 1) const {
    // Nearly always, and divisions are slow.
    if (count == 1) return {0, n};
    int64_t grains = (n + grain - 1) / grain;
    return {std::min(n, grains * begin / count * grain), std::min(n, grains * end / count * grain)};
  }
  bool isFirst() const { return begin == 0; }
  bool isLast() const { return end == count; }
};

struct Call {
  std::span<const View> in;
  View out;
  std::byte* scratch = nullptr;
  Threads& threads;
  const Epilogue& epilogue;
  OutOfRange& outOfRange;
  std::byte* prepared = nullptr;
  bool winograd = false;
  Share share = {};
};

struct ScratchCall {
  std::span<const Type> in;
  Type out;
  int threads = 1;
  /// The second operand is prepared.
  bool prepared = false;
  /// A convolution that is prepared may be computed by Winograd's algorithm.
  bool winograd = false;
};

struct GradCall {
  std::span<const Value> in;
  Value y;
  Value dy;
};

struct NoGrad {
  std::string_view reason;
};
struct ZeroGrad {};

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

// ---- the table

/// kLeftOut: this build is without the op (base/parts.h), and its row has nothing but the name.
enum class OpKind : uint8_t { kSource, kElementwise, kView, kStructured, kComposed, kLeftOut };

/// Which element types an elementwise row takes and gives: see ops/elementwise.inc.
enum class RowKind : uint8_t {
  kFloat,
  kNumber,
  kWhole,
  kFirst,
  kTest,
  kCompare,
  kLogic,
  kBits,
  kSelect,
  kCast
};

/// out[i] = f(in[0][i], in[1][i], in[2][i]) for i in [0, n), n a multiple of kLanes. All arrays
/// hold four-byte elements.
using TileKernel = void (*)(void* out, const void* const* in, int n);

/// Attributes from numbers, for callers that have no struct: bool and integers as they are, lists as
/// a count and the values, enumerations by number. What a number cannot be is an error that names the
/// attribute, the number and what is allowed.
using DecodeAttrs = Status (*)(std::span<const double> numbers, Attrs& attrs);

struct OpInfo {
  std::string_view name;
  OpKind kind = OpKind::kStructured;
  bool epilogue = false;
  Result<Type> (*type)(std::span<const Type> in, const Attrs&) = nullptr;
  void (*run)(const Call&, const Attrs&) = nullptr;
  int64_t (*scratch)(const ScratchCall&, const Attrs&) = nullptr;
  int64_t (*work)(const ScratchCall&, const Attrs&) = nullptr;
  int64_t (*prepared)(const ScratchCall&, const Attrs&) = nullptr;
  void (*prepare)(const Call&, const Attrs&) = nullptr;
  /// Of composed ops. `check` is nullptr where the ops that they are made of see to it.
  Status (*check)(std::span<const Type> in, const Attrs&) = nullptr;
  Value (*expand)(std::span<const Value> in, const Attrs&) = nullptr;
  DecodeAttrs decode = nullptr;
  // Elementwise rows only: the kernels on float32 and on four-byte integers, nullptr where the kind
  // has none.
  RowKind row = RowKind::kFloat;
  TileKernel tileF32 = nullptr, tileI32 = nullptr;
};

// What only training and what only a GPU asks for stands beside the row: a build that does not ask is
// linked without.

struct OpGradient {
  /// nullptr where there is none: `reason` says why, and is empty where the gradient is zero.
  std::vector<Value> (*grad)(const GradCall&, const Attrs&) = nullptr;
  std::string_view reason = {};
};

struct OpShaders {
  /// nullptr where there is none: `reason` says why, if it could be wanted.
  void (*write)(ShaderWriter&, const Attrs&) = nullptr;
  std::string_view reason = {};
  /// The formulas of an elementwise row as WGSL (ops/wgsl.h), empty where the kind has none.
  std::string_view f32 = {}, i32 = {};
};

const OpInfo& opInfo(OpId id);
const OpGradient& opGradient(OpId id);
const OpShaders& opShaders(OpId id);
/// Number of inputs; -1 for any number.
int opArity(OpId id);
/// The op with TensorFlow.js's name, or OpId::kCount.
OpId opNamed(std::string_view name);

/// Only linked into tests and benchmarks.
struct OpChecks {
  std::string_view name;
  std::vector<Case> (*cases)() = nullptr;
  /// nullptr where the definition is that of the ops of which a composed op is made.
  void (*reference)(const ReferenceCall&, const Attrs&) = nullptr;
};

// ---- attributes from numbers

/// Takes the numbers of each attribute in turn. `status` has the first that it cannot be, by name.
struct AttrReader {
  std::span<const double> rest;
  Status status = {};

  void operator()(const char* name, bool& v) { v = whole(name, "false (0) or true (1)", 0, 1); }
  void operator()(const char* name, int32_t& v) { v = integer(name); }
  void operator()(const char* name, float& v);
  void operator()(const char* name, DType& v) {
    v = static_cast<DType>(whole(name, "float32 (0), int32 (1) or bool (2)", 0, 2));
  }
  void operator()(const char* name, MirrorMode& v) {
    v = static_cast<MirrorMode>(whole(name, "reflect (0) or symmetric (1)", 0, 1));
  }
  void operator()(const char* name, Pair& v) { v = {integer(name), integer(name)}; }
  void operator()(const char* name, Padding& v);
  template <int N>
  void operator()(const char* name, Ints<N>& v) {
    v = {};
    v.count = whole(name, cat("a list of at most ", N, " numbers"), 0, N);
    for (int32_t& entry : v) entry = integer(name);
  }

 private:
  double next(const char* name);
  /// A whole number in that range, or 0 and an error with what is allowed.
  int32_t whole(const char* name, std::string_view allowed, double least, double most);
  int32_t integer(const char* name);
};

/// The reader's status, or an error where it left some of so many numbers.
Status allRead(const AttrReader& reader, size_t numbers);

template <class A>
FJORD_ONCE Status decodeAttrs(std::span<const double> numbers, Attrs& attrs) {
  A a;
  AttrReader reader{numbers};
  visitAttrs(a, reader);
  attrs = Attrs::of(a);
  return allRead(reader, numbers.size());
}

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

// ---- small things that shape rules share

/// 0 <= result < rank, or an error. Negative axes count from the end.
inline Result<int> checkedAxis(int axis, int rank) {
  if (axis < -rank || axis >= rank)
    return fail("axis ", axis, " is outside a shape of rank ", rank);
  return axis < 0 ? axis + rank : axis;
}
/// An error unless value is finite and `fits`: "epsilon must be a finite number above 0, got -1".
Status checkNumber(std::string_view name, float value, bool fits, std::string_view allowed);
/// An error where an array would have that many axes.
Status checkRank(int rank);
/// checkedAxis for an axis that the shape rule has accepted.
inline int axisOf(int axis, int rank) { return axis < 0 ? axis + rank : axis; }

}  // namespace fjord
