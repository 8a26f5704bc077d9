// What a graph, a planner and an executor know of an op, whatever its file says: the row of the table
// (OpInfo), what its kernel is called with (Call), and how attributes are read.
//
// The ops are above: they fill the table, which is all that is asked of them here (opInfo,
// opGradient, opArity, opNamed). ops/op.h says how an op is written.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "base/threads.h"
#include "ir/value.h"

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

// ---- the table

/// kLeftOut: this build is without the op (base/parts.h), and its row has nothing but the name.
enum class OpKind : uint8_t {
  kSource,
  kElementwise,
  kView,
  kStructured,
  kComposed,
  kSeveral,  // of several results, or one of those
  kLeftOut
};

/// Which element types an elementwise row takes and gives: see ir/elementwise.inc.
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
/// a count and the values, texts as a count and the characters, enumerations by number. What a number cannot be is an error that names the
/// attribute, the number and what is allowed.
using DecodeAttrs = Status (*)(std::span<const double> numbers, Attrs& attrs);

struct OpInfo {
  std::string_view name;
  OpKind kind = OpKind::kStructured;
  bool epilogue = false;
  /// The result may take the place of the first input.
  bool inPlace = false;
  Result<Type> (*type)(std::span<const Type> in, const Attrs&) = nullptr;
  /// Of a node that has several results, in place of `type`.
  Result<std::vector<Type>> (*results)(std::span<const Type> in, const Attrs&) = nullptr;
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
  // has none; or the one that an attribute chooses.
  RowKind row = RowKind::kFloat;
  TileKernel tileF32 = nullptr, tileI32 = nullptr;
  TileKernel (*chooseTile)(DType operand, const Attrs&) = nullptr;
};

// What only training asks for stands beside the row: a build that does not ask is linked without.

struct OpGradient {
  /// nullptr where there is none: `reason` says why, and is empty where the gradient is zero.
  std::vector<Value> (*grad)(const GradCall&, const Attrs&) = nullptr;
  std::string_view reason = {};
};

const OpInfo& opInfo(OpId id);
const OpGradient& opGradient(OpId id);
/// Number of inputs; -1 for any number.
int opArity(OpId id);
/// The op with TensorFlow.js's name, or OpId::kCount.
OpId opNamed(std::string_view name);

/// The kernel of an elementwise op for operands of the given type; nullptr where the row has none.
inline TileKernel tileKernel(OpId op, DType operand, const Attrs& attrs) {
  const OpInfo& info = opInfo(op);
  if (info.chooseTile) return info.chooseTile(operand, attrs);
  return operand == DType::kF32 && info.tileF32 ? info.tileF32 : info.tileI32;
}

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
  void operator()(const char* name, FillMode& v) {
    v = static_cast<FillMode>(
        whole(name, "constant (0), reflect (1), wrap (2) or nearest (3)", 0, 3));
  }
  void operator()(const char* name, Pair& v) { v = {integer(name), integer(name)}; }
  void operator()(const char* name, Padding& v);
  void operator()(const char* name, ShortText& v);
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
