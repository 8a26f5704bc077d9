// The functions that formulas are written with, for every type a formula is instantiated with:
//
//   double                 the reference
//   std::complex<double>   the complex-step derivative: f'(x) = Im f(x + ih) / h, for a tiny h
//                          exact to rounding
//   F32                    the CPU kernel
//
// A comparison of complex numbers looks at the real parts, and abs, min, max, floor follow: along
// the real line these are the functions we mean, and their derivative steps come out right.
#pragma once

#include <cmath>
#include <complex>
#include <limits>

#include "base/simd.h"

// After simd.h, which fixes the target.
#include <hwy/contrib/math/math-inl.h>

namespace fjord {

using Complex = std::complex<double>;

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kPi = 3.14159265358979323846;

// ---- double

using std::abs, std::acos, std::acosh, std::asin, std::asinh, std::atan, std::atan2, std::atanh,
    std::cbrt, std::ceil, std::cos, std::cosh, std::erf, std::exp, std::exp2, std::expm1,
    std::floor, std::log, std::log10, std::log1p, std::log2, std::pow, std::sin, std::sinh,
    std::sqrt, std::tan, std::tanh, std::trunc;

inline double where(bool c, double a, double b) { return c ? a : b; }
inline double maximum(double a, double b) { return a != a || a > b ? a : b; }
inline double minimum(double a, double b) { return a != a || a < b ? a : b; }
/// Half to even, as the default rounding mode.
inline double roundEven(double x) { return std::nearbyint(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }

// ---- std::complex<double>

inline bool operator<(Complex a, Complex b) { return a.real() < b.real(); }
inline bool operator<=(Complex a, Complex b) { return a.real() <= b.real(); }
inline bool operator>(Complex a, Complex b) { return a.real() > b.real(); }
inline bool operator>=(Complex a, Complex b) { return a.real() >= b.real(); }
inline bool isTrue(Complex a) { return a.real() != 0; }

inline Complex where(bool c, Complex a, Complex b) { return c ? a : b; }
inline Complex maximum(Complex a, Complex b) { return a.real() > b.real() ? a : b; }
inline Complex minimum(Complex a, Complex b) { return a.real() < b.real() ? a : b; }
// Piecewise constant: the derivative step vanishes.
inline Complex floor(Complex x) { return std::floor(x.real()); }
inline Complex ceil(Complex x) { return std::ceil(x.real()); }
inline Complex trunc(Complex x) { return std::trunc(x.real()); }
inline Complex roundEven(Complex x) { return roundEven(x.real()); }
inline Complex rsqrt(Complex x) { return 1.0 / std::sqrt(x); }
// std::abs of a complex number is its modulus, not what a formula along the real line means.
inline Complex absolute(Complex x) { return x.real() < 0 ? -x : x; }
inline double absolute(double x) { return std::abs(x); }
// First-order forms, which are all that a complex step looks at: f(x + ih) = f(x) + ih f'(x).
inline Complex alongReal(Complex x, double f, double df) { return {f, df * x.imag()}; }
inline Complex erf(Complex x) {
  double r = x.real();
  return alongReal(x, std::erf(r), 2 / std::sqrt(kPi) * std::exp(-r * r));
}
inline Complex expm1(Complex x) { return alongReal(x, std::expm1(x.real()), std::exp(x.real())); }
inline Complex log1p(Complex x) { return alongReal(x, std::log1p(x.real()), 1 / (1 + x.real())); }
inline Complex exp2(Complex x) {
  double y = std::exp2(x.real());
  return alongReal(x, y, y * std::log(2.0));
}
// The inverse functions of musl and libc++ lose a tiny imaginary part in a logarithm near 1.
// Kahan's forms keep it: "Branch Cuts for Complex Elementary Functions", 1987.
inline Complex asin(Complex x) {
  Complex a = std::sqrt(1.0 - x), b = std::sqrt(1.0 + x);
  return {std::atan2(x.real(), (a * b).real()), std::asinh((std::conj(a) * b).imag())};
}
inline Complex acos(Complex x) {
  Complex a = std::sqrt(1.0 - x), b = std::sqrt(1.0 + x);
  return {2 * std::atan2(a.real(), b.real()), std::asinh((std::conj(b) * a).imag())};
}
inline Complex acosh(Complex x) {
  Complex a = std::sqrt(x - 1.0), b = std::sqrt(x + 1.0);
  return {std::asinh((std::conj(a) * b).real()), 2 * std::atan2(a.imag(), b.real())};
}
/// asinh(x) = -i asin(ix)
inline Complex asinh(Complex x) {
  Complex y = asin(Complex(-x.imag(), x.real()));
  return {y.imag(), -y.real()};
}
inline Complex atanh(Complex x) {
  double r = x.real(), i = x.imag();
  return {std::log1p(4 * r / ((1 - r) * (1 - r) + i * i)) / 4,
          std::atan2(2 * i, (1 - r) * (1 + r) - i * i) / 2};
}
/// atan(x) = -i atanh(ix)
inline Complex atan(Complex x) {
  Complex y = atanh(Complex(-x.imag(), x.real()));
  return {y.imag(), -y.real()};
}
inline Complex log2(Complex x) { return std::log(x) / std::log(2.0); }
inline Complex cbrt(Complex x) {
  double y = std::cbrt(x.real());
  return alongReal(x, y, 1 / (3 * y * y));
}
inline Complex atan2(Complex a, Complex b) {
  double y = a.real(), x = b.real(), r = x * x + y * y;
  return {std::atan2(y, x), (x * a.imag() - y * b.imag()) / r};
}
/// Real powers, negative bases included (std::pow of complex numbers takes the principal branch).
inline Complex power(Complex a, Complex b) {
  double x = a.real(), n = b.real(), y = std::pow(x, n);
  return {y, n * std::pow(x, n - 1) * a.imag() + (b.imag() == 0 ? 0 : y * std::log(x) * b.imag())};
}
inline double power(double a, double b) { return std::pow(a, b); }

// ---- F32: vectors of floats

inline F32 absolute(F32 x) { return hn::Abs(x.v); }
inline I32 absolute(I32 x) { return where(x < I32(0.0), -x, x); }
inline F32 maximum(F32 a, F32 b) { return where((a != a) | (a > b), a, b); }
inline F32 minimum(F32 a, F32 b) { return where((a != a) | (a < b), a, b); }
inline I32 maximum(I32 a, I32 b) { return hn::Max(a.v, b.v); }
inline I32 minimum(I32 a, I32 b) { return hn::Min(a.v, b.v); }
inline F32 sqrt(F32 x) { return hn::Sqrt(x.v); }
inline F32 rsqrt(F32 x) { return F32(1.0) / sqrt(x); }
inline F32 floor(F32 x) { return hn::Floor(x.v); }
inline F32 ceil(F32 x) { return hn::Ceil(x.v); }
inline F32 trunc(F32 x) { return hn::Trunc(x.v); }
inline F32 roundEven(F32 x) { return hn::Round(x.v); }

/// Lane by lane through the C library: for functions too rare to earn a vector form. It is exact
/// where the library is.
template <class F>
F32 lanewise(F32 x, F f) {
  float lanes[kLanes];
  x.store(lanes);
  for (float& lane : lanes) lane = f(lane);
  return F32::load(lanes);
}
template <class F>
F32 lanewise(F32 a, F32 b, F f) {
  float x[kLanes], y[kLanes];
  a.store(x);
  b.store(y);
  for (int i = 0; i < kLanes; ++i) x[i] = f(x[i], y[i]);
  return F32::load(x);
}

/// exp, saturating to 0 and infinity and keeping NaN. Highway's polynomial is within 2 ulp between.
inline F32 exp(F32 x) {
  F32 y = hn::Exp(FloatTag(), x.v);
  y = where(x > F32(88.72283), F32(kInfinity), y);
  return where(x != x, x, y);
}
/// log with IEEE's values at the edges: log(0) = -inf, log(<0) = NaN, log(inf) = inf.
inline F32 log(F32 x) {
  F32 y = hn::Log(FloatTag(), x.v);
  y = where(x == F32(0.0), F32(-kInfinity), y);
  y = where(x < F32(0.0), F32(std::numeric_limits<double>::quiet_NaN()), y);
  return where((x == F32(kInfinity)) | (x != x), x, y);
}
/// tanh(x) = 1 - 2 / (exp(2x) + 1), and near 0, where that cancels, its odd Taylor polynomial
/// through x^9.
inline F32 tanh(F32 x) {
  F32 a = minimum(absolute(x), F32(10.0));  // tanh(10) rounds to 1
  F32 far = F32(1.0) - F32(2.0) / (exp(a + a) + F32(1.0));
  F32 s = a * a;
  F32 p = mulAdd(s, F32(62.0 / 2835), F32(-17.0 / 315));
  p = mulAdd(s, p, F32(2.0 / 15));
  p = mulAdd(s, p, F32(-1.0 / 3));
  F32 near = mulAdd(a * s, p, a);
  F32 y = where(a < F32(0.25), near, far);
  return where(x != x, x, hn::CopySign(y.v, x.v));
}
inline F32 erf(F32 x) {
  return lanewise(x, [](float v) { return std::erf(v); });
}
inline F32 expm1(F32 x) {
  return lanewise(x, [](float v) { return std::expm1(v); });
}
inline F32 log1p(F32 x) {
  return lanewise(x, [](float v) { return std::log1p(v); });
}
inline F32 exp2(F32 x) {
  return lanewise(x, [](float v) { return std::exp2(v); });
}
inline F32 log2(F32 x) {
  return lanewise(x, [](float v) { return std::log2(v); });
}
inline F32 log10(F32 x) {
  return lanewise(x, [](float v) { return std::log10(v); });
}
inline F32 cbrt(F32 x) {
  return lanewise(x, [](float v) { return std::cbrt(v); });
}
inline F32 sin(F32 x) {
  return lanewise(x, [](float v) { return std::sin(v); });
}
inline F32 cos(F32 x) {
  return lanewise(x, [](float v) { return std::cos(v); });
}
inline F32 tan(F32 x) {
  return lanewise(x, [](float v) { return std::tan(v); });
}
inline F32 asin(F32 x) {
  return lanewise(x, [](float v) { return std::asin(v); });
}
inline F32 acos(F32 x) {
  return lanewise(x, [](float v) { return std::acos(v); });
}
inline F32 atan(F32 x) {
  return lanewise(x, [](float v) { return std::atan(v); });
}
inline F32 sinh(F32 x) {
  return lanewise(x, [](float v) { return std::sinh(v); });
}
inline F32 cosh(F32 x) {
  return lanewise(x, [](float v) { return std::cosh(v); });
}
inline F32 asinh(F32 x) {
  return lanewise(x, [](float v) { return std::asinh(v); });
}
inline F32 acosh(F32 x) {
  return lanewise(x, [](float v) { return std::acosh(v); });
}
inline F32 atanh(F32 x) {
  return lanewise(x, [](float v) { return std::atanh(v); });
}
inline F32 power(F32 a, F32 b) {
  return lanewise(a, b, [](float x, float y) { return std::pow(x, y); });
}
inline F32 atan2(F32 a, F32 b) {
  return lanewise(a, b, [](float x, float y) { return std::atan2(x, y); });
}

}  // namespace fjord
