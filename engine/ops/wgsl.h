// WGSL of a formula: the third type that the formulas of ir/elementwise.inc are instantiated with.
// Its operators write down what they are asked to compute, while the compiler runs: what is left in
// the program is text.
//
//   wgslOf<1, WgslF32, decltype(formula)>() == "(a*f_sigmoid(a))"
//
// Operands are named a, b and c. Functions that begin with f_ are those of ops/prelude.wgsl: WGSL's
// own are missing there, or too inexact (WGSL specification, 15.7.4), or undefined for infinities
// and for what is not a number.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fjord {

/// What std::string is at run time: not every library's is one for the compiler yet.
class WgslText {
 public:
  constexpr WgslText(const char* text) {
    for (; *text; ++text) chars_.push_back(*text);
  }
  constexpr WgslText& operator+=(const WgslText& other) {
    for (char c : other.chars_) chars_.push_back(c);
    return *this;
  }
  friend constexpr WgslText operator+(WgslText a, const WgslText& b) { return a += b; }
  constexpr bool operator==(const WgslText&) const = default;
  constexpr size_t size() const { return chars_.size(); }
  constexpr char operator[](size_t i) const { return chars_[i]; }
  friend void append(std::string& out, const WgslText& text) {
    out.append(text.chars_.data(), text.chars_.size());
  }

 private:
  std::vector<char> chars_;
};

/// A float32 in WGSL, exactly: a literal, or a call of the prelude for what has none, which no constant
/// expression takes.
constexpr WgslText wgslFloat(float value) {
  constexpr float kInfinity = std::bit_cast<float>(0x7f800000u);
  if (value != value) return "f_nan()";
  if (value == kInfinity) return "f_infinity()";
  if (value == -kInfinity) return "(-f_infinity())";
  float size = value < 0 ? -value : value;
  auto digits = [](uint32_t n) {
    char text[12] = {};
    int at = 11;
    do text[--at] = static_cast<char>('0' + n % 10);
    while (n /= 10);
    return WgslText(text + at);
  };
  WgslText text = value < 0 ? "(-" : "";
  if (size < 16777216.0f && static_cast<float>(static_cast<uint32_t>(size)) == size) {
    text += digits(static_cast<uint32_t>(size)) + ".0";
  } else {
    // A subnormal number keeps what fits the least exponent; formulas have none.
    uint32_t bits = std::bit_cast<uint32_t>(size);
    int exponent = static_cast<int>(bits >> 23) - 127;
    uint32_t fraction = (bits & 0x7fffff) << 1;
    text += "0x1.";
    for (int shift = 20; shift >= 0; shift -= 4) {
      char digit[2] = {"0123456789abcdef"[fraction >> shift & 15], 0};
      text += digit;
    }
    text += exponent < 0 ? "p-" : "p";
    text += digits(static_cast<uint32_t>(exponent < 0 ? -exponent : exponent)) + "f";
  }
  return value < 0 ? text + ")" : text;
}

struct WgslBool {
  WgslText text;
};

struct WgslF32 {
  WgslText text;
  constexpr WgslF32(WgslText text) : text(std::move(text)) {}
  constexpr WgslF32(double c) : text(wgslFloat(static_cast<float>(c))) {}
};

struct WgslI32 {
  WgslText text;
  constexpr WgslI32(WgslText text) : text(std::move(text)) {}
  constexpr WgslI32(double c) : text(WgslText("i32(") + wgslFloat(static_cast<float>(c)) + ")") {}
};

constexpr WgslText wgslInfix(const WgslText& a, const char* op, const WgslText& b) {
  return WgslText("(") + a + op + b + ")";
}
constexpr WgslText wgslCall(const char* f, const WgslText& a) {
  return WgslText(f) + "(" + a + ")";
}
constexpr WgslText wgslCall(const char* f, const WgslText& a, const WgslText& b) {
  return WgslText(f) + "(" + a + "," + b + ")";
}

#define FJORD_INFIX(T, R, op) \
  constexpr R operator op(const T& a, const T& b) { return R{wgslInfix(a.text, #op, b.text)}; }
FJORD_INFIX(WgslF32, WgslF32, +)
FJORD_INFIX(WgslF32, WgslF32, -)
FJORD_INFIX(WgslF32, WgslF32, *)
FJORD_INFIX(WgslF32, WgslF32, /)
FJORD_INFIX(WgslF32, WgslBool, <=)
FJORD_INFIX(WgslF32, WgslBool, >)
FJORD_INFIX(WgslF32, WgslBool, >=)
FJORD_INFIX(WgslI32, WgslI32, +)
FJORD_INFIX(WgslI32, WgslI32, -)
FJORD_INFIX(WgslI32, WgslI32, *)
FJORD_INFIX(WgslI32, WgslI32, &)
FJORD_INFIX(WgslI32, WgslI32, |)
FJORD_INFIX(WgslI32, WgslI32, ^)
FJORD_INFIX(WgslI32, WgslBool, <)
FJORD_INFIX(WgslI32, WgslBool, <=)
FJORD_INFIX(WgslI32, WgslBool, >)
FJORD_INFIX(WgslI32, WgslBool, >=)
FJORD_INFIX(WgslI32, WgslBool, ==)
FJORD_INFIX(WgslI32, WgslBool, !=)
FJORD_INFIX(WgslBool, WgslBool, &)
FJORD_INFIX(WgslBool, WgslBool, |)
#undef FJORD_INFIX
constexpr WgslF32 operator-(const WgslF32& a) { return wgslCall("-", a.text); }
constexpr WgslI32 operator-(const WgslI32& a) { return wgslCall("-", a.text); }
constexpr WgslI32 operator~(const WgslI32& a) { return wgslCall("~", a.text); }
constexpr WgslBool operator!(const WgslBool& a) { return {wgslCall("!", a.text)}; }

// A compiler of shaders may take it that no number is infinite and that each equals itself: the
// comparisons that ask for that look at the bits.
constexpr bool isInfinity(const WgslF32& a) { return a.text == "f_infinity()"; }
constexpr WgslBool operator==(const WgslF32& a, const WgslF32& b) {
  if (a.text == b.text) return {wgslCall("!f_is_nan", a.text)};
  if (isInfinity(b)) return {wgslCall("f_is_infinite", a.text)};
  return {wgslInfix(a.text, "==", b.text)};
}
constexpr WgslBool operator!=(const WgslF32& a, const WgslF32& b) {
  if (a.text == b.text) return {wgslCall("f_is_nan", a.text)};
  return {wgslInfix(a.text, "!=", b.text)};
}
constexpr WgslBool operator<(const WgslF32& a, const WgslF32& b) {
  if (isInfinity(b)) return {wgslCall("f_is_finite", a.text)};
  return {wgslInfix(a.text, "<", b.text)};
}

constexpr WgslF32 like(const WgslF32&, double c) { return c; }
constexpr WgslI32 like(const WgslI32&, double c) { return c; }
constexpr WgslBool truth(const WgslI32& bits) { return bits != WgslI32(0.0); }
constexpr WgslF32 where(const WgslBool& m, const WgslF32& a, const WgslF32& b) {
  return WgslText("select(") + b.text + "," + a.text + "," + m.text + ")";
}
constexpr WgslI32 where(const WgslBool& m, const WgslI32& a, const WgslI32& b) {
  return WgslText("select(") + b.text + "," + a.text + "," + m.text + ")";
}

#define FJORD_UNARY(name, wgsl) \
  constexpr WgslF32 name(const WgslF32& x) { return wgslCall(wgsl, x.text); }
FJORD_UNARY(absolute, "abs")
FJORD_UNARY(sqrt, "sqrt")
FJORD_UNARY(rsqrt, "inverseSqrt")
FJORD_UNARY(floor, "floor")
FJORD_UNARY(ceil, "ceil")
FJORD_UNARY(trunc, "trunc")
FJORD_UNARY(roundEven, "round")
FJORD_UNARY(exp, "f_exp")
FJORD_UNARY(exp2, "f_exp2")
FJORD_UNARY(expm1, "f_expm1")
FJORD_UNARY(log, "f_log")
FJORD_UNARY(log1p, "f_log1p")
FJORD_UNARY(log2, "f_log2")
FJORD_UNARY(log10, "f_log10")
FJORD_UNARY(sin, "f_sin")
FJORD_UNARY(cos, "f_cos")
FJORD_UNARY(tan, "f_tan")
FJORD_UNARY(asin, "f_asin")
FJORD_UNARY(acos, "f_acos")
FJORD_UNARY(atan, "f_atan")
FJORD_UNARY(sinh, "f_sinh")
FJORD_UNARY(cosh, "f_cosh")
FJORD_UNARY(tanh, "f_tanh")
FJORD_UNARY(asinh, "f_asinh")
FJORD_UNARY(acosh, "f_acosh")
FJORD_UNARY(atanh, "f_atanh")
FJORD_UNARY(erf, "f_erf")
FJORD_UNARY(cbrt, "f_cbrt")
FJORD_UNARY(sigmoid, "f_sigmoid")
FJORD_UNARY(softplus, "f_softplus")
#undef FJORD_UNARY
constexpr WgslI32 absolute(const WgslI32& x) { return wgslCall("abs", x.text); }
#define FJORD_BINARY(T, name, wgsl) \
  constexpr T name(const T& a, const T& b) { return wgslCall(wgsl, a.text, b.text); }
FJORD_BINARY(WgslF32, maximum, "f_max")
FJORD_BINARY(WgslF32, minimum, "f_min")
FJORD_BINARY(WgslF32, power, "f_pow")
FJORD_BINARY(WgslF32, atan2, "f_atan2")
FJORD_BINARY(WgslF32, modulo, "f_modulo")
FJORD_BINARY(WgslF32, floorDivide, "f_floor_quotient")
FJORD_BINARY(WgslI32, maximum, "max")
FJORD_BINARY(WgslI32, minimum, "min")
FJORD_BINARY(WgslI32, floorDivide, "f_floor_divide")
FJORD_BINARY(WgslI32, modulo, "f_int_modulo")
FJORD_BINARY(WgslI32, power, "f_int_pow")
#undef FJORD_BINARY
// ---- from a formula to text

template <int arity, class T, class F>
struct Recorded {
  static constexpr WgslText record() {
    if constexpr (arity == 1) return finished(F{}(T(WgslText("a"))));
    if constexpr (arity == 2) return finished(F{}(T(WgslText("a")), T(WgslText("b"))));
    if constexpr (arity == 3)
      return finished(F{}(T(WgslText("a")), T(WgslText("b")), T(WgslText("c"))));
  }
  static constexpr WgslText finished(const T& y) { return y.text; }
  static constexpr WgslText finished(const WgslBool& y) {
    return WgslText("select(0,1,") + y.text + ")";
  }

  static constexpr size_t kSize = record().size();
  static constexpr std::array<char, kSize> kChars = [] {
    std::array<char, kSize> chars{};
    WgslText text = record();
    for (size_t i = 0; i < kSize; ++i) chars[i] = text[i];
    return chars;
  }();
};

/// The formula as an expression in a, b and c; of bools as i32, 0 or 1.
template <int arity, class T, class F>
constexpr std::string_view wgslOf() {
  using R = Recorded<arity, T, F>;
  return {R::kChars.data(), R::kSize};
}

}  // namespace fjord
