// What the formulas of ops/elementwise.inc may use beside base/math.h, for every type that is not a
// graph Value.
#pragma once

#include <array>

#include "base/math.h"
#include "ops/value.h"

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

inline double floorDivide(double a, double b) { return std::floor(a / b); }
inline Complex floorDivide(Complex a, Complex b) { return std::floor((a / b).real()); }
inline F32 floorDivide(F32 a, F32 b) { return floor(a / b); }
/// Towards minus infinity; 0 where the divisor is 0, since integers have no infinity.
inline I32 floorDivide(I32 a, I32 b) {
  int32_t x[kLanes], y[kLanes];
  a.store(x);
  b.store(y);
  for (int i = 0; i < kLanes; ++i) {
    if (y[i] == 0 || (x[i] == INT32_MIN && y[i] == -1)) {
      x[i] = y[i] == 0 ? 0 : x[i];
    } else {
      int32_t q = x[i] / y[i];
      x[i] = q - (x[i] % y[i] != 0 && (x[i] < 0) != (y[i] < 0));
    }
  }
  return I32::load(x);
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
