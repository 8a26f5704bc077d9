// What the formulas of ir/elementwise.inc may use beside base/math.h, for every type that is not a
// graph Value.
#pragma once

#include <array>
#include <cmath>
#include <concepts>

#include "base/math.h"
#include "ir/value.h"

namespace fjord {

inline constexpr double kLn2 = 0.693147180559945309, kLn10 = 2.302585092994045684;
inline constexpr double kSqrtHalf = 0.707106781186547524, kTwoOverSqrtPi = 1.128379167095512574;
inline constexpr double kInvSqrtTwoPi = 0.398942280401432678, kSqrtTwoOverPi = 0.797884560802865356;
// Klambauer et al. 2017, equation 14.
inline constexpr double kSeluScale = 1.0507009873554804934, kSeluAlpha = 1.6732632423543772848;

/// A constant of x's type.
inline double like(double, double c) { return c; }
inline Complex like(Complex, double c) { return c; }
inline F32 like(F32, double c) { return c; }
inline I32 like(I32, double c) { return c; }
inline int32_t like(int32_t, double c) { return static_cast<int32_t>(c); }

inline bool truth(double x) { return x != 0; }
inline bool truth(Complex x) { return x.real() != 0; }
inline bool truth(int32_t x) { return x != 0; }

/// Lane by lane, for what no instruction does.
template <class V, class F>
inline V eachLane(V a, V b, F f) {
  std::conditional_t<std::same_as<V, F32>, float, int32_t> x[kLanes], y[kLanes];
  a.store(x);
  b.store(y);
  for (int i = 0; i < kLanes; ++i) x[i] = f(x[i], y[i]);
  return V::load(x);
}

/// What is left of a after whole b, with the sign of b, as in Python. fmod is exact; a - b floor(a / b) is not:
/// where the quotient is beyond the digits of a number, nothing is left of the remainder.
template <std::floating_point T>
T moduloOf(T a, T b) {
  T r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
/// How often b is whole in a: the quotient that is rounded may already be the next integer.
template <std::floating_point T>
T floorQuotientOf(T a, T b) {
  double quotient = (static_cast<double>(a) - moduloOf(a, b)) / b;
  return static_cast<T>(std::isfinite(quotient) ? std::round(quotient) : std::floor(a / b));
}
inline double modulo(double a, double b) { return moduloOf(a, b); }
inline Complex modulo(Complex a, Complex b) { return a - std::floor((a / b).real()) * b; }
inline F32 modulo(F32 a, F32 b) { return eachLane(a, b, moduloOf<float>); }
inline double floorDivide(double a, double b) { return floorQuotientOf(a, b); }
inline Complex floorDivide(Complex a, Complex b) { return std::floor((a / b).real()); }
inline F32 floorDivide(F32 a, F32 b) { return eachLane(a, b, floorQuotientOf<float>); }
/// Towards minus infinity; 0 where the divisor is 0, since integers have no infinity.
inline I32 floorDivide(I32 a, I32 b) {
  return eachLane(a, b, [](int32_t x, int32_t y) {
    if (y == 0 || (x == INT32_MIN && y == -1)) return y == 0 ? 0 : x;
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
  });
}
inline I32 modulo(I32 a, I32 b) { return a - floorDivide(a, b) * b; }
/// Modulo 2^32 as all products of integers; the reciprocals that negative exponents give are cut
/// towards zero, also that of zero.
inline I32 power(I32 a, I32 b) {
  return eachLane(a, b, [](int32_t x, int32_t n) {
    if (n < 0) return x == 1 || (x == -1 && n % 2 == 0) ? 1 : x == -1 ? -1 : 0;
    uint32_t y = 1;
    for (uint32_t square = static_cast<uint32_t>(x); n > 0; n >>= 1, square *= square)
      y *= n & 1 ? square : 1;
    return static_cast<int32_t>(y);
  });
}

template <class T>
concept Scalar = !std::same_as<T, Value>;

template <Scalar T>
constexpr T sigmoid(T x) {
  return 1.0 / (1.0 + exp(-x));
}
template <Scalar T>
constexpr T softplus(T x) {
  return maximum(x, like(x, 0.0)) + log1p(exp(-absolute(x)));
}

/// x, but `bound` where x is beyond it; NaN stays.
template <Scalar T>
constexpr T atLeast(T x, double bound) {
  return where(x < bound, like(x, bound), x);
}
template <Scalar T>
constexpr T atMost(T x, double bound) {
  return where(x > bound, like(x, bound), x);
}

/// The derivative of a piecewise constant function.
struct Flat {};
inline constexpr Flat kFlat;

template <class T>
std::array<T, 2> both(T a, T b) {
  return {a, b};
}
template <class T>
std::array<T, 3> triple(T a, T b, T c) {
  return {a, b, c};
}
inline double none(double) { return 0; }

}  // namespace fjord
