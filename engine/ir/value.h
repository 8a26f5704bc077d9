// Value: a node of a graph under construction, with operators, and the builders of every op.
//
//   Graph graph;
//   Value x = graph.input({DType::kF32, {64, 784}}), w = graph.input({DType::kF32, {784, 10}});
//   Value y = softmax(matMul(x, w) * 0.5);
//
// A builder checks types and shapes at once. The first error stays with the graph (Graph::status)
// and every later builder on an invalid Value gives an invalid Value, so that formulas read as
// formulas. Elementwise builders broadcast by NumPy's rule and promote bool to int32 to float32
// where an op needs it.
#pragma once

#include <array>
#include <concepts>
#include <span>
#include <string_view>
#include <vector>

#include "ir/attrs.h"

namespace fjord {

class Graph;

struct Value {
  Graph* graph = nullptr;
  int32_t id = -1;

  explicit operator bool() const { return id >= 0; }
  const Type& type() const;
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }
  bool operator==(const Value&) const = default;
};

// ---- attribute types beyond bool, int32_t, float and Shape

/// A number for each of height and width.
struct Pair {
  int32_t h = 1, w = 1;
};

/// How a window operation treats the border. kSame pads as TensorFlow does: output = ceil(input /
/// stride), the odd element at the bottom and right.
struct Padding {
  enum Kind : int32_t { kValid, kSame, kExplicit };
  int32_t kind = kValid;
  int32_t top = 0, bottom = 0, left = 0, right = 0;
};

/// before0, after0, before1, after1, ...
using Paddings = Ints<2 * kMaxRank>;

/// A text that lies in place, as plain attributes do: at most kMost characters, of which none is 0.
struct ShortText {
  static constexpr size_t kMost = 111;
  std::array<char, kMost + 1> chars{};

  ShortText() = default;
  /// Of a text that is not too long.
  template <std::convertible_to<std::string_view> T>
  ShortText(const T& text) {
    std::string_view(text).copy(chars.data(), kMost);
  }
  std::string_view view() const { return chars.data(); }
};

enum class MirrorMode : int32_t { kReflect, kSymmetric };
/// What lies beyond the border of an image abcd: kkkk (a constant), dcba, abcd, or dddd.
enum class FillMode : int32_t { kConstant, kReflect, kWrap, kNearest };

// ---- op identities and attributes, from the lists

enum class OpId : int16_t {
  // Sources: bound from outside; a scalar, and an array, known when the graph is built.
  input,
  constant,
  array,
  // A body that runs again and again (ir/loop.h), and one of the results of a node that has several.
  loop,
  result,
  // Changes the element type. Elementwise, but its result type is an attribute.
  cast,
#define UNARY(name, ...) name,
#define BINARY(name, ...) name,
#define TERNARY(name, ...) name,
#include "ir/elementwise.inc"
#undef UNARY
#undef BINARY
#undef TERNARY
#define OP(Name, name, arity, attrs) name,
#define COMPOSED(Name, name, arity, attrs) name,
#include "ir/all.inc"
#undef OP
#undef COMPOSED
  kCount
};

struct ConstantAttrs {
  double value = 0;
};
struct InputAttrs {
  int32_t index = 0;
  bool isParameter = false;
};
struct ArrayAttrs {
  Tensor values;
};
struct ResultAttrs {
  int32_t index = 0;
};
struct CastAttrs {
  DType dtype = DType::kF32;
};

// struct MatMulAttrs { bool transposeA = false; bool transposeB = false; }; and so on.
#define ATTR(type, name, ...) type name = __VA_ARGS__;
#define OP(Name, name, arity, attrs) \
  struct Name##Attrs {               \
    attrs                            \
  };
#define COMPOSED OP
#include "ir/all.inc"
#undef OP
#undef COMPOSED
#undef ATTR

/// Visits each attribute as f("name", member), in the order of the list.
template <class F>
FJORD_ONCE void visitAttrs(CastAttrs& a, F&& f) {
  f("dtype", a.dtype);
}
template <class F>
void visitAttrs(ConstantAttrs& a, F&& f) {
  f("value", a.value);
}
template <class F>
void visitAttrs(InputAttrs& a, F&& f) {
  f("index", a.index);
  f("isParameter", a.isParameter);
}
template <class F>
void visitAttrs(ArrayAttrs& a, F&& f) {
  f("values", a.values);
}
template <class F>
void visitAttrs(ResultAttrs& a, F&& f) {
  f("index", a.index);
}
#define ATTR(type, name, ...) f(#name, a.name);
#define OP(Name, name, arity, attrs)                                                    \
  template <class F>                                                                    \
  FJORD_ONCE void visitAttrs([[maybe_unused]] Name##Attrs& a, [[maybe_unused]] F&& f) { \
    attrs                                                                               \
  }
#define COMPOSED OP
#include "ir/all.inc"
#undef OP
#undef COMPOSED
#undef ATTR

// ---- builders

/// Adds one node (or, for a composed op, its expansion) to the graph of the inputs. Every builder
/// comes here.
Value emit(OpId op, std::span<const Value> inputs, const Attrs& attrs);
/// The same of a row, which has no attributes. Formulas of losses and optimizers are mostly such calls: a
/// list of inputs made at each of them would be half of their code.
Value emitRow(OpId op, Value a);
Value emitRow(OpId op, Value a, Value b);
Value emitRow(OpId op, Value a, Value b, Value c);
/// A scalar in `graph`.
Value constant(Graph& graph, double value, DType dtype = DType::kF32);

Value cast(Value x, DType dtype);

#define UNARY(name, ...) \
  inline Value name(Value x) { return emitRow(OpId::name, x); }
#define BINARY(name, ...) \
  inline Value name(Value a, Value b) { return emitRow(OpId::name, a, b); }
#define TERNARY(name, ...) \
  inline Value name(Value a, Value b, Value c) { return emitRow(OpId::name, a, b, c); }
#include "ir/elementwise.inc"
#undef UNARY
#undef BINARY
#undef TERNARY

#define FJORD_BUILDER_1(Name, name)                       \
  inline Value name(Value x, const Name##Attrs& a = {}) { \
    return emit(OpId::name, {{x}}, Attrs::of(a));         \
  }
#define FJORD_BUILDER_2(Name, name)                                \
  inline Value name(Value x, Value y, const Name##Attrs& a = {}) { \
    return emit(OpId::name, {{x, y}}, Attrs::of(a));               \
  }
#define FJORD_BUILDER_3(Name, name)                                         \
  inline Value name(Value x, Value y, Value z, const Name##Attrs& a = {}) { \
    return emit(OpId::name, {{x, y, z}}, Attrs::of(a));                     \
  }
#define FJORD_BUILDER_5(Name, name)                                                           \
  inline Value name(Value x, Value y, Value z, Value u, Value v, const Name##Attrs& a = {}) { \
    return emit(OpId::name, {{x, y, z, u, v}}, Attrs::of(a));                                 \
  }
#define FJORD_BUILDER_N(Name, name)                                         \
  inline Value name(std::span<const Value> xs, const Name##Attrs& a = {}) { \
    return emit(OpId::name, xs, Attrs::of(a));                              \
  }
#define OP(Name, name, arity, attrs) FJORD_BUILDER_##arity(Name, name)
#define COMPOSED OP
#include "ir/all.inc"
#undef OP
#undef COMPOSED

/// `count` equal parts along `axis`.
std::vector<Value> split(Value x, int count, int axis);
/// 0, 1, .., count - 1 as float32 [count].
Value range(Graph& graph, int32_t count);
/// Adds up what broadcasting had repeated: the inverse of broadcastTo(., ) in the sense of
/// gradients.
Value sumTo(Value x, const Shape& shape);

// ---- formulas over values

/// A scalar with the element type of x.
Value like(Value x, double c);
inline Value truth(Value x) { return x && x.dtype() != DType::kBool ? cast(x, DType::kBool) : x; }
inline Value none(Value) { return {}; }

inline Value operator-(Value a) { return neg(a); }
inline Value operator~(Value a) { return bitwiseNot(a); }
#define FJORD_OPERATOR(symbol, name)                                              \
  inline Value operator symbol(Value a, Value b) { return name(a, b); }           \
  inline Value operator symbol(Value a, double b) { return name(a, like(a, b)); } \
  inline Value operator symbol(double a, Value b) { return name(like(b, a), b); }
FJORD_OPERATOR(+, add)
FJORD_OPERATOR(-, sub)
FJORD_OPERATOR(*, mul)
FJORD_OPERATOR(/, div)
FJORD_OPERATOR(<, less)
FJORD_OPERATOR(<=, lessEqual)
FJORD_OPERATOR(>, greater)
FJORD_OPERATOR(>=, greaterEqual)
#undef FJORD_OPERATOR
inline Value operator&(Value a, Value b) { return logicalAnd(a, b); }
inline Value operator|(Value a, Value b) { return logicalOr(a, b); }
inline Value operator==(Value a, double b) { return equal(a, like(a, b)); }
inline Value where(Value c, Value a, double b) { return where(c, a, like(a, b)); }
inline Value where(Value c, double a, Value b) { return where(c, like(b, a), b); }
// Formula names that the C library has taken for other types.
inline Value absolute(Value x) { return abs(x); }
inline Value power(Value a, Value b) { return pow(a, b); }
inline Value roundEven(Value x) { return round(x); }
inline Value floorDivide(Value a, Value b) { return floorDiv(a, b); }

}  // namespace fjord
