// SIMD values with operators, so that a formula written for `double` is also the kernel.
//
//   F32 y = x * 2.0 + where(x > 0.0, x, F32(0.0));
//
// F32, I32: one vector of floats or int32 of the build's width (4 lanes in WebAssembly, 8 with
// AVX2, 16 with AVX-512). Mask: the result of a comparison. Google Highway supplies the
// instructions. One build is one instruction set, natively as in WebAssembly, so there is no
// run-time dispatch in any kernel.
//
// Highway has no relaxed SIMD: mulAdd is the one place that uses WebAssembly's relaxed
// multiply-add.
#pragma once

#include <hwy/highway.h>

#include <cstdint>
#include <utility>
#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif

namespace fjord {

namespace hn = hwy::HWY_NAMESPACE;
using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::ScalableTag<int32_t>;

/// Lanes of a vector of this build.
inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(FloatTag()));

/// f(0) ... f(N - 1), each index a constant, so that an array of vectors that they index stays in
/// registers. (A loop is unrolled too late for that, or not at all.)
template <int N, class F>
[[gnu::always_inline]] inline void unrolled(const F& f) {
  [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
    (f(std::integral_constant<int, I>()), ...);
  }(std::make_integer_sequence<int, N>());
}

/// Before a loop over what is left of a row after its vectors, fewer than kLanes elements: it is not worth
/// vectors of its own, which the compiler would make, and a page download.
#define FJORD_REST _Pragma("clang loop vectorize(disable) unroll(disable)")

struct Mask {
  hn::Mask<FloatTag> m;
  friend Mask operator&(Mask a, Mask b) { return {hn::And(a.m, b.m)}; }
  friend Mask operator|(Mask a, Mask b) { return {hn::Or(a.m, b.m)}; }
  friend Mask operator!(Mask a) { return {hn::Not(a.m)}; }
};

struct F32 {
  hn::Vec<FloatTag> v;
  F32() = default;
  F32(hn::Vec<FloatTag> v) : v(v) {}
  F32(double c) : v(hn::Set(FloatTag(), static_cast<float>(c))) {}
  static F32 load(const void* p) { return hn::LoadU(FloatTag(), static_cast<const float*>(p)); }
  void store(void* p) const { hn::StoreU(v, FloatTag(), static_cast<float*>(p)); }

  friend F32 operator+(F32 a, F32 b) { return hn::Add(a.v, b.v); }
  friend F32 operator-(F32 a, F32 b) { return hn::Sub(a.v, b.v); }
  friend F32 operator*(F32 a, F32 b) { return hn::Mul(a.v, b.v); }
  friend F32 operator/(F32 a, F32 b) { return hn::Div(a.v, b.v); }
  friend F32 operator-(F32 a) { return hn::Neg(a.v); }
  friend Mask operator<(F32 a, F32 b) { return {hn::Lt(a.v, b.v)}; }
  friend Mask operator<=(F32 a, F32 b) { return {hn::Le(a.v, b.v)}; }
  friend Mask operator>(F32 a, F32 b) { return {hn::Gt(a.v, b.v)}; }
  friend Mask operator>=(F32 a, F32 b) { return {hn::Ge(a.v, b.v)}; }
  friend Mask operator==(F32 a, F32 b) { return {hn::Eq(a.v, b.v)}; }
  /// Of NaN too: not by hn::Ne, which in AVX2 is false for NaN.
  friend Mask operator!=(F32 a, F32 b) { return !(a == b); }
};

struct I32 {
  hn::Vec<IntTag> v;
  I32() = default;
  I32(hn::Vec<IntTag> v) : v(v) {}
  I32(double c) : v(hn::Set(IntTag(), static_cast<int32_t>(c))) {}
  I32(Mask m)
      : v(hn::And(hn::BitCast(IntTag(), hn::VecFromMask(FloatTag(), m.m)), hn::Set(IntTag(), 1))) {}
  static I32 load(const void* p) { return hn::LoadU(IntTag(), static_cast<const int32_t*>(p)); }
  void store(void* p) const { hn::StoreU(v, IntTag(), static_cast<int32_t*>(p)); }

  friend I32 operator+(I32 a, I32 b) { return hn::Add(a.v, b.v); }
  friend I32 operator-(I32 a, I32 b) { return hn::Sub(a.v, b.v); }
  friend I32 operator*(I32 a, I32 b) { return hn::Mul(a.v, b.v); }
  friend I32 operator-(I32 a) { return hn::Neg(a.v); }
  friend I32 operator&(I32 a, I32 b) { return hn::And(a.v, b.v); }
  friend I32 operator|(I32 a, I32 b) { return hn::Or(a.v, b.v); }
  friend I32 operator^(I32 a, I32 b) { return hn::Xor(a.v, b.v); }
  friend I32 operator~(I32 a) { return hn::Not(a.v); }
  static Mask mask(hn::Mask<IntTag> m) { return {hn::RebindMask(FloatTag(), m)}; }
  friend Mask operator<(I32 a, I32 b) { return mask(hn::Lt(a.v, b.v)); }
  friend Mask operator<=(I32 a, I32 b) { return !mask(hn::Gt(a.v, b.v)); }
  friend Mask operator>(I32 a, I32 b) { return mask(hn::Gt(a.v, b.v)); }
  friend Mask operator>=(I32 a, I32 b) { return !mask(hn::Lt(a.v, b.v)); }
  friend Mask operator==(I32 a, I32 b) { return mask(hn::Eq(a.v, b.v)); }
  friend Mask operator!=(I32 a, I32 b) { return mask(hn::Ne(a.v, b.v)); }
};

/// A bool in memory is an int32, true where it is not 0.
inline Mask truth(I32 bits) { return bits != I32(0.0); }

inline F32 where(Mask m, F32 a, F32 b) { return hn::IfThenElse(m.m, a.v, b.v); }
inline I32 where(Mask m, I32 a, I32 b) {
  return hn::IfThenElse(hn::RebindMask(IntTag(), m.m), a.v, b.v);
}

/// a > b ? a : b, and a < b ? a : b: one instruction, which gives b where either is NaN. (On x64 the
/// compiler finds it by itself.)
inline F32 greaterOf(F32 a, F32 b) {
#if defined(__wasm_simd128__)
  return hn::Vec<FloatTag>{wasm_f32x4_pmax(b.v.raw, a.v.raw)};
#else
  return where(a > b, a, b);
#endif
}
inline F32 lesserOf(F32 a, F32 b) {
#if defined(__wasm_simd128__)
  return hn::Vec<FloatTag>{wasm_f32x4_pmin(b.v.raw, a.v.raw)};
#else
  return where(a < b, a, b);
#endif
}
/// x, but `bound` where x is beyond it; NaN stays.
inline F32 atLeast(F32 x, double bound) { return greaterOf(F32(bound), x); }
inline F32 atMost(F32 x, double bound) { return lesserOf(F32(bound), x); }

/// a * b + c, in one rounding where the build has a fused form, in two elsewhere.
inline F32 mulAdd(F32 a, F32 b, F32 c) {
#if defined(__wasm_relaxed_simd__)
  return hn::Vec<FloatTag>{wasm_f32x4_relaxed_madd(a.v.raw, b.v.raw, c.v.raw)};
#else
  return hn::MulAdd(a.v, b.v, c.v);
#endif
}

/// The 4 x 4 numbers of four bytes in rows `fromStep` apart, transposed into rows `toStep` apart.
template <class T>
inline void transposeQuad(const T* from, int64_t fromStep, T* to, int64_t toStep) {
  using Quad = hn::FixedTag<T, 4>;
  using Pairs = hn::FixedTag<uint64_t, 2>;
  static_assert(sizeof(T) == 4);
  auto a = hn::LoadU(Quad(), from), b = hn::LoadU(Quad(), from + fromStep);
  auto c = hn::LoadU(Quad(), from + 2 * fromStep), d = hn::LoadU(Quad(), from + 3 * fromStep);
  auto pairs = [](auto v) { return hn::BitCast(Pairs(), v); };
  auto lowAB = pairs(hn::InterleaveLower(Quad(), a, b)),
       lowCD = pairs(hn::InterleaveLower(Quad(), c, d));
  auto highAB = pairs(hn::InterleaveUpper(Quad(), a, b)),
       highCD = pairs(hn::InterleaveUpper(Quad(), c, d));
  auto store = [](auto v, T* row) { hn::StoreU(hn::BitCast(Quad(), v), Quad(), row); };
  store(hn::InterleaveLower(Pairs(), lowAB, lowCD), to);
  store(hn::InterleaveUpper(Pairs(), lowAB, lowCD), to + toStep);
  store(hn::InterleaveLower(Pairs(), highAB, highCD), to + 2 * toStep);
  store(hn::InterleaveUpper(Pairs(), highAB, highCD), to + 3 * toStep);
}

inline F32 toFloat(I32 a) { return hn::ConvertTo(FloatTag(), a.v); }
/// Towards zero, as a C cast; out of range saturates.
inline I32 toInt(F32 a) { return hn::ConvertTo(IntTag(), a.v); }

}  // namespace fjord
