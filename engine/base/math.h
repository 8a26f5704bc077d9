// The functions that formulas are written with, for every type a formula is instantiated with:
//
//   double                 the reference
//   std::complex<double>   the complex-step derivative: f'(x) = Im f(x + ih) / h, for a tiny h
//                          exact to rounding
//   F32                    the CPU kernel (what is not an instruction: base/vector_math.h)
//
// A comparison of complex numbers looks at the real parts, and abs, min, max, floor follow: along
// the real line these are the functions we mean, and their derivative steps come out right.
#pragma once

#include <cmath>
#include <complex>
#include <limits>

#include "base/simd.h"
#include "base/vector_math.h"

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

// ---- F32 and I32: vectors

inline F32 absolute(F32 x) { return hn::Abs(x.v); }
inline I32 absolute(I32 x) { return where(x < I32(0.0), -x, x); }
inline F32 maximum(F32 a, F32 b) { return where(a == a, greaterOf(a, b), a); }
inline F32 minimum(F32 a, F32 b) { return where(a == a, lesserOf(a, b), a); }
inline I32 maximum(I32 a, I32 b) { return hn::Max(a.v, b.v); }
inline I32 minimum(I32 a, I32 b) { return hn::Min(a.v, b.v); }
inline F32 sqrt(F32 x) { return hn::Sqrt(x.v); }
inline F32 rsqrt(F32 x) { return F32(1.0) / sqrt(x); }
inline F32 floor(F32 x) { return hn::Floor(x.v); }
inline F32 ceil(F32 x) { return hn::Ceil(x.v); }
inline F32 trunc(F32 x) { return hn::Trunc(x.v); }
inline F32 roundEven(F32 x) { return hn::Round(x.v); }

}  // namespace fjord
