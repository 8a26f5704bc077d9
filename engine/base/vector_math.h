// The functions of base/math.h for vectors of floats.
//
//   F32 y = tanh(F32::load(p));
//
// Each names a bound of its error in units in the last place (ulp) of the result, in builds with
// and without a fused multiply-add; math_test.cc holds it to that in a sweep of its whole domain.
// Zeros and their signs, infinities, NaN and arguments outside the domain give what the C library
// gives; results that are subnormal are rounded and not flushed. What is hot is inlined, the rest
// is there once.
//
// Polynomials without another source are the best of their degree for the relative error of the
// function (Remez exchange), with that error beside them: 2^-24 is half a unit.
// The reductions are those of Cody and Waite, "Software Manual for the Elementary Functions", 1980.
#pragma once

#include <bit>
#include <cmath>
#include <limits>

#include "base/simd.h"

namespace fjord {

namespace vector {

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
/// t + kRound has the integer nearest to t in its low bits, for |t| < 2^22.
inline constexpr double kRound = 0x1.8p23;
inline constexpr double kLog2E = 1.44269504088896340736, kLog10E = 0.434294481903251827651;
inline constexpr double kLn2 = 0.693147180559945309417, kLog10Of2 = 0.301029995663981195214;
// The leading bits of a constant, so few that a product with an exponent is exact, and the rest.
inline constexpr double kLn2High = 0xb.17p-4, kLn2Low = kLn2 - kLn2High;
inline constexpr double kLog10Of2High = 0x4.dp-4, kLog10Of2Low = kLog10Of2 - kLog10Of2High;
inline constexpr double kHalfPi = 1.57079632679489661923;
inline constexpr double kHalfPiHigh = static_cast<float>(kHalfPi),
                        kHalfPiLow = kHalfPi - kHalfPiHigh;

inline I32 bitsOf(F32 x) { return hn::BitCast(IntTag(), x.v); }
inline F32 floatOf(I32 bits) { return hn::BitCast(FloatTag(), bits.v); }
/// 2^n, for n from -126 to 127.
inline F32 power2(I32 n) { return floatOf(hn::ShiftLeft<23>((n + I32(127)).v)); }
inline F32 absolute(F32 x) { return hn::Abs(x.v); }
inline F32 squareRoot(F32 x) { return hn::Sqrt(x.v); }
inline F32 copySign(F32 magnitude, F32 sign) { return hn::CopySign(magnitude.v, sign.v); }

/// c[0] + c[1] x + c[2] x^2 + ...
template <size_t N>
[[gnu::always_inline]] inline F32 polynomial(F32 x, const double (&c)[N]) {
  F32 y(c[N - 1]);
  for (size_t i = N - 1; i-- > 0;) y = mulAdd(y, x, F32(c[i]));
  return y;
}

/// Lane by lane through the C library: for arguments too rare to earn a vector form.
template <class F>
[[gnu::noinline]] F32 lanewise(F32 x, F f) {
  float lanes[kLanes];
  x.store(lanes);
  for (float& lane : lanes) lane = f(lane);
  return F32::load(lanes);
}

/// e^x = 2^n (1 + p), with p within 0.75 ulp of e^r - 1, for |r| <= ln 2 / 2.
struct Exponential {
  I32 n;
  F32 p;
  /// (e^x - 1) / 2^down, for n from down - 126 to down + 127.
  F32 minus1(int down) const {
    F32 s = power2(n - I32(down));
    return mulAdd(p, s, s - power2(I32(-down)));
  }
};
/// For |x| < 2^21.
inline Exponential exponential(F32 x) {
  F32 t = mulAdd(x, F32(kLog2E), F32(kRound));
  F32 n = t - F32(kRound);
  F32 r = mulAdd(n, F32(-kLn2Low), mulAdd(n, F32(-kLn2High), x));
  // 2^-26
  F32 q =
      polynomial(r, {0.4999999814, 0.1666654318, 0.04166720184, 0.008366580287, 0.001388250573});
  return {bitsOf(t) - bitsOf(F32(kRound)), mulAdd(r * r, q, r)};
}
/// 2^n (1 + p), for n from -252 to 254.
inline F32 scaled(Exponential e) {
  I32 half = hn::ShiftRight<1>(e.n.v);
  return (e.p + F32(1.0)) * power2(half) * power2(e.n - half);
}

/// log x = e ln 2 + f + rest, with 1 + f from sqrt(1/2) to sqrt(2).
struct Logarithm {
  F32 e, f, rest;
  F32 natural() const { return mulAdd(e, F32(kLn2High), f + mulAdd(e, F32(kLn2Low), rest)); }
};
/// log(1 + f) - f: 2^-27 of the logarithm.
inline F32 logarithmRest(F32 f) {
  F32 q = polynomial(f, {0.3333333171, -0.2500082106, 0.200012271, -0.1662335653, 0.1420175162,
                         -0.1316018352, 0.127616211, -0.07634547292});
  F32 s = f * f;
  return mulAdd(s * f, q, s * F32(-0.5));
}
/// The exponent of a positive normal number, so chosen that x / 2^n is between sqrt(1/2) and
/// sqrt(2).
inline I32 exponentOf(F32 x) { return hn::ShiftRight<23>((bitsOf(x) - I32(0x3f3504f3)).v); }
/// x = (1 + f) 2^e. What log does at 0, at infinity, with NaN and below 0 is in e.
struct Split {
  F32 e, f;
};
inline Split split(F32 x) {
  Mask subnormal = x < F32(0x1p-126);
  F32 normal = where(subnormal, x * F32(0x1p24), x);
  I32 n = exponentOf(normal);
  F32 f = floatOf(bitsOf(normal) - I32(hn::ShiftLeft<23>(n.v))) - F32(1.0);
  F32 e = toFloat(n) - where(subnormal, F32(24), F32(0.0));
  e = where(x > F32(0.0), e, where(x == F32(0.0), F32(-kInf), F32(kNaN)));
  return {where(x < F32(kInf), e, x), f};
}
inline Logarithm logarithm(F32 x) {
  auto [e, f] = split(x);
  return {e, f, logarithmRest(f)};
}

}  // namespace vector

// ---- exponentials and logarithms

/// 1.1 ulp.
inline F32 exp(F32 x) {
  using namespace vector;
  return scaled(exponential(atMost(atLeast(x, -104), 89)));
}
/// 1.1 ulp; exact for integers.
[[gnu::noinline]] inline F32 exp2(F32 x) {
  using namespace vector;
  F32 a = atMost(atLeast(x, -151), 129);
  F32 t = a + F32(kRound);
  Exponential e = exponential((a - (t - F32(kRound))) * F32(kLn2));
  return scaled({e.n + bitsOf(t) - bitsOf(F32(kRound)), e.p});
}
/// 1.75 ulp.
inline F32 expm1(F32 x) {
  using namespace vector;
  // Half of it does not overflow before the whole does. Where e^x - 1 rounds to x, halves of
  // subnormal numbers and the sign of 0 would be lost.
  F32 half = exponential(atMost(atLeast(x, -20), 89)).minus1(1);
  return where(absolute(x) < F32(0x1p-25), x, half + half);
}
/// 1 ulp.
inline F32 log(F32 x) { return vector::logarithm(x).natural(); }
/// 1.5 ulp; exact for powers of two.
[[gnu::noinline]] inline F32 log2(F32 x) {
  using namespace vector;
  auto [e, f, rest] = logarithm(x);
  F32 c(kLog2E - 1);
  return e + (f + mulAdd(f, c, mulAdd(rest, c, rest)));
}
/// 2 ulp.
[[gnu::noinline]] inline F32 log10(F32 x) {
  using namespace vector;
  auto [e, f, rest] = logarithm(x);
  F32 high(0x6.fp-4), low(kLog10E - 0x6.fp-4);
  F32 y = mulAdd(f + rest, low, e * F32(kLog10Of2Low));
  return mulAdd(e, F32(kLog10Of2High), mulAdd(f, high, mulAdd(rest, high, y)));
}
/// 1.5 ulp.
inline F32 log1p(F32 x) {
  using namespace vector;
  // The exponent of 1 + x; then f = x / 2^n + (1 / 2^n - 1) is rounded once, and near 0 it is x.
  // A quarter of x, since 2^-n may be subnormal.
  I32 n = exponentOf(x + F32(1.0));
  F32 s = power2(I32(2) - n);
  F32 f = mulAdd(x * F32(0.25), s, mulAdd(s, F32(0.25), F32(-1.0)));
  F32 y = Logarithm{toFloat(n), f, logarithmRest(f)}.natural();
  y = where(x > F32(-1.0), y, where(x == F32(-1.0), F32(-kInf), F32(kNaN)));
  return where((absolute(x) < F32(0x1p-25)) | (x == F32(kInf)), x, y);
}

// ---- powers

/// 1 ulp.
[[gnu::noinline]] inline F32 cbrt(F32 x) {
  using namespace vector;
  F32 a = absolute(x);
  Mask small = a < F32(1.0);
  F32 s = a * where(small, F32(0x1p24), F32(0x1p-24));
  // A third of the exponent, a first value within 4 %; then Halley's iteration, which cubes the
  // error, and Newton's.
  F32 y = floatOf(toInt(toFloat(bitsOf(s)) * F32(1.0 / 3)) + I32(0x2a5137a0));
  F32 cube = y * y * y;
  y = y * ((cube + s + s) / (cube + cube + s));
  y = y - (y - s / (y * y)) * F32(1.0 / 3);
  y = y * where(small, F32(0x1p-8), F32(0x1p8));
  return where((a > F32(0.0)) & (a < F32(kInf)), copySign(y, x), x);
}

namespace vector {

// As many doubles as a vector has floats. They are the compiler's vectors: Highway has no
// arithmetic of doubles in WebAssembly. By reference, since vectors wider than a register have no
// settled way to be passed.
using Float = float __attribute__((vector_size(kLanes * 4)));
using Double = double __attribute__((vector_size(kLanes * 8)));
using Long = int64_t __attribute__((vector_size(kLanes * 8)));
[[gnu::always_inline]] inline void widen(F32 x, Double& y) {
  y = __builtin_convertvector(std::bit_cast<Float>(x.v.raw), Double);
}
[[gnu::always_inline]] inline F32 narrow(const Double& x) {
  return hn::Vec<FloatTag>{std::bit_cast<decltype(F32().v.raw)>(__builtin_convertvector(x, Float))};
}
template <size_t N>
[[gnu::always_inline]] inline void evaluate(const Double& x, const double (&c)[N], Double& y) {
#pragma clang fp contract(fast)
  y = x * c[N - 1] + c[N - 2];
  for (size_t i = N - 2; i-- > 0;) y = y * x + c[i];
}
/// 2^(b (e + log2(1 + f))).
inline F32 powerOf(F32 exponent, Split base) {
#pragma clang fp contract(fast)
  Double b, e, f, log2, y;
  widen(exponent, b), widen(base.e, e), widen(base.f, f);
  // log2(1 + f) = 2 / ln 2 atanh(f / (2 + f)): 2^-45
  Double s = f / (f + 2);
  evaluate(s * s,
           {2.8853900817778495, 0.96179669411425946, 0.5770779420747359, 0.4122092838779623,
            0.31990432210527458, 0.28292090595468832},
           log2);
  Double t = b * (s * log2 + e);
  // What is beyond is 0 or infinity as a float. NaN stays.
  Double least = Double{} - 200, most = Double{} + 200;
  t = t < least ? least : t;
  t = t > most ? most : t;
  Double rounded = t + 0x1.8p52, r = t - (rounded - 0x1.8p52);
  // 2^r: 2^-40
  evaluate(r,
           {0.99999999999976072, 0.69314718054639118, 0.24022650698893436, 0.055504109398421653,
            0.0096181285420745561, 0.001333345157747026, 0.00015403851025082901,
            1.5309867438113766e-5, 1.3176253068449795e-6},
           y);
  Long power = (reinterpret_cast<Long>(rounded) + 1023) << 52;
  return narrow(y * reinterpret_cast<Double>(power));
}

}  // namespace vector

/// std::pow. 0.51 ulp, so exact where the power is a float.
[[gnu::noinline]] inline F32 power(F32 a, F32 b) {
  using namespace vector;
  F32 one(1.0), size = absolute(a);
  F32 y = powerOf(b, split(size));
  // 1^b and a^0 are 1 even with NaN, and (-1)^infinity is.
  y = where((b == F32(0.0)) | (a == one) | ((size == one) & (absolute(b) == F32(kInf))), one, y);
  F32 half = b * F32(0.5);
  Mask integer = F32(hn::Trunc(b.v)) == b, odd = integer & !(F32(hn::Trunc(half.v)) == half);
  y = where((a < F32(0.0)) & (size < F32(kInf)) & !integer & !(b != b), F32(kNaN), y);
  return where(odd, copySign(y, a), y);
}

// ---- trigonometry

namespace vector {

/// x = r + n pi / 2, with |r| <= pi / 4: the quarter turns n in the low bits, sin r and cos r.
struct Quarters {
  I32 n;
  F32 sine, cosine;
};
// 33 bits of pi / 2 and the rest. Below the largest angle n has 16 bits, so that n times the first
// part is exact as a double.
inline constexpr double kHalfPi33 = 0x1.921fb544p0, kHalfPiRest = 6.07710050650619224932e-11;
inline constexpr double kLargestAngle = 1e5;
inline bool anyLarge(F32 x) {
  return !hn::AllTrue(FloatTag(), (absolute(x) <= F32(kLargestAngle)).m);
}
inline Quarters quarters(F32 x) {
  F32 t = mulAdd(x, F32(1 / kHalfPi), F32(kRound));
  Double n, wide;
  widen(t - F32(kRound), n), widen(x, wide);
  F32 r = narrow((wide - n * kHalfPi33) - n * kHalfPiRest);
  F32 s = r * r;
  // 2^-28 and 2^-33
  F32 sine = polynomial(s, {-0.1666665457, 0.008332158429, -0.0001951495589});
  F32 cosine = polynomial(s, {0.04166664562, -0.001388731307, 2.443278614e-5});
  return {bitsOf(t), mulAdd(r * s, sine, r), mulAdd(s * s, cosine, mulAdd(s, F32(-0.5), F32(1.0)))};
}
inline F32 turned(Quarters q, I32 n) {
  F32 y = where((n & I32(1)) == I32(1), q.cosine, q.sine);
  return floatOf(bitsOf(y) ^ I32(hn::ShiftLeft<30>((n & I32(2)).v)));
}

}  // namespace vector

/// 1.6 ulp; beyond 1e5 the C library.
[[gnu::noinline]] inline F32 sin(F32 x) {
  using namespace vector;
  if (anyLarge(x)) return lanewise(x, [](float v) { return std::sin(v); });
  Quarters q = quarters(x);
  return where(x == F32(0.0), x, turned(q, q.n));
}
/// 1.6 ulp; beyond 1e5 the C library.
[[gnu::noinline]] inline F32 cos(F32 x) {
  using namespace vector;
  if (anyLarge(x)) return lanewise(x, [](float v) { return std::cos(v); });
  Quarters q = quarters(x);
  return turned(q, q.n + I32(1));
}
/// 4 ulp; beyond 1e5 the C library.
[[gnu::noinline]] inline F32 tan(F32 x) {
  using namespace vector;
  if (anyLarge(x)) return lanewise(x, [](float v) { return std::tan(v); });
  Quarters q = quarters(x);
  Mask odd = (q.n & I32(1)) == I32(1);
  F32 y = where(odd, -q.cosine, q.sine) / where(odd, q.sine, q.cosine);
  return where(x == F32(0.0), x, y);
}

namespace vector {

/// asin(a) for a <= 1/2, else asin of sqrt((1 - a) / 2), which is (pi / 2 - asin(a)) / 2.
struct HalfArc {
  Mask far;
  F32 arc;
};
inline HalfArc halfArc(F32 a) {
  Mask far = a > F32(0.5);
  F32 s = where(far, mulAdd(a, F32(-0.5), F32(0.5)), a * a);
  F32 r = where(far, squareRoot(s), a);
  // 2^-27
  F32 q = polynomial(s, {0.1666675248, 0.07495297619, 0.04547037837, 0.02417950378, 0.04216632633});
  return {far, mulAdd(r * s, q, r)};
}
inline F32 fromHalfPi(F32 x) { return (F32(kHalfPiHigh) - x) + F32(kHalfPiLow); }

/// The angle of (x, y) in the first quadrant.
inline F32 angle(F32 y, F32 x) {
  Mask steep = y > x;
  F32 low = where(steep, x, y), high = where(steep, y, x);
  // 0 / 0 is taken as 0, infinity / infinity as 1.
  F32 t = where(low == high, where(low == F32(0.0), low, F32(1.0)), low / high);
  F32 s = t * t;
  // 2^-28
  F32 q = polynomial(s, {-0.3333329909, 0.1999854846, -0.1426424343, 0.1095219423, -0.08403473215,
                         0.05795795966, -0.03117818999, 0.01091478148, -0.001793659303});
  F32 arc = mulAdd(t * s, q, t);
  return where(steep, fromHalfPi(arc), arc);
}

}  // namespace vector

/// 2 ulp.
[[gnu::noinline]] inline F32 asin(F32 x) {
  using namespace vector;
  auto [far, arc] = halfArc(absolute(x));
  return copySign(where(far, fromHalfPi(arc + arc), arc), x);
}
/// 1.5 ulp.
[[gnu::noinline]] inline F32 acos(F32 x) {
  using namespace vector;
  auto [far, arc] = halfArc(absolute(x));
  F32 twice = arc + arc, pi(2 * kHalfPiHigh);
  F32 y = where(x < F32(0.0), (pi - twice) + F32(2 * kHalfPiLow), twice);
  return where(far, y, fromHalfPi(copySign(arc, x)));
}
/// 1.75 ulp.
[[gnu::noinline]] inline F32 atan(F32 x) {
  using namespace vector;
  return copySign(angle(absolute(x), F32(1.0)), x);
}
/// 1.75 ulp.
[[gnu::noinline]] inline F32 atan2(F32 y, F32 x) {
  using namespace vector;
  F32 arc = angle(absolute(y), absolute(x));
  F32 left = (F32(2 * kHalfPiHigh) - arc) + F32(2 * kHalfPiLow);
  arc = copySign(where(I32::mask(hn::Lt(bitsOf(x).v, I32(0.0).v)), left, arc), y);
  return where((x == x) & (y == y), arc, x + y);
}

// ---- hyperbolic functions and erf

/// 2.75 ulp. With p = e^2a - 1: tanh(a) = p / (p + 2).
inline F32 tanh(F32 x) {
  using namespace vector;
  F32 a = atMost(absolute(x), 10);  // tanh(10) rounds to 1
  F32 p = exponential(a + a).minus1(0);
  return copySign(p / (p + F32(2.0)), x);
}
/// 2.5 ulp. With p = e^a - 1: sinh(a) = (p + p / (p + 1)) / 2, in quarters since e^a overflows
/// before sinh.
[[gnu::noinline]] inline F32 sinh(F32 x) {
  using namespace vector;
  F32 p = exponential(atMost(absolute(x), 89.6)).minus1(2);
  F32 half = p + p / mulAdd(p, F32(4.0), F32(1.0));
  return where(absolute(x) < F32(0x1p-13), x, copySign(half + half, x));
}
/// 2 ulp. (e^a + 1 / e^a) / 2, in quarters.
[[gnu::noinline]] inline F32 cosh(F32 x) {
  using namespace vector;
  F32 p = exponential(atMost(absolute(x), 89.6)).minus1(2) + F32(0.25);
  return p + p + F32(0.125) / p;
}
/// 2.25 ulp. log(a + sqrt(a^2 + 1)), so written that nothing cancels near 0.
[[gnu::noinline]] inline F32 asinh(F32 x) {
  using namespace vector;
  F32 a = absolute(x);
  Mask large = a > F32(0x1p28);
  F32 s = a * a, z = a + s / (squareRoot(s + F32(1.0)) + F32(1.0));
  F32 y = log1p(where(large, a, z)) + where(large, F32(kLn2), F32(0.0));
  return copySign(y, x);
}
/// 2.25 ulp.
[[gnu::noinline]] inline F32 acosh(F32 x) {
  using namespace vector;
  Mask large = x > F32(0x1p28);
  F32 t = x - F32(1.0), z = t + squareRoot(t * (t + F32(2.0)));
  F32 y = log1p(where(large, x, z)) + where(large, F32(kLn2), F32(0.0));
  return where(x < F32(1.0), F32(kNaN), y);
}
/// 2.5 ulp.
[[gnu::noinline]] inline F32 atanh(F32 x) {
  using namespace vector;
  F32 a = absolute(x);
  return copySign(F32(0.5) * log1p((a + a) / (F32(1.0) - a)), x);
}
/// 2.25 ulp. 1 - e^(-a - a g(a)), where the best polynomial g for erf on [0, 4] has an error of
/// 2^-28; beyond, erf rounds to 1.
inline F32 erf(F32 x) {
  using namespace vector;
  F32 a = atMost(absolute(x), 4);
  F32 g = polynomial(a, {0.128379172, 0.636619382, 0.102777831, -0.01915306795, -0.0001603846261,
                         0.001667012534, -0.0006328270868, 0.0001176381698, -9.255886285e-6});
  return copySign(-exponential(-mulAdd(a, g, a)).minus1(0), x);
}

}  // namespace fjord
