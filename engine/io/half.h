// The two 16-bit floating-point types, in which weights are stored: conversions to and from
// float32, rounded to nearest, ties to even; NaN stays NaN.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace fjord {

/// bfloat16: the upper half of a float32.
inline float fromBfloat16(uint16_t b) { return std::bit_cast<float>(uint32_t{b} << 16); }

inline uint16_t toBfloat16(float x) {
  uint32_t bits = std::bit_cast<uint32_t>(x);
  if (std::isnan(x)) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits.
inline float fromFloat16(uint16_t h) {
  uint32_t sign = uint32_t{h & 0x8000u} << 16, exponent = h >> 10 & 31, fraction = h & 1023;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  // Multiplying by a power of two is exact, for subnormal numbers too.
  float value = exponent == 0 ? static_cast<float>(fraction) * 0x1p-24f
                              : std::bit_cast<float>((exponent + 112) << 23 | fraction << 13);
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
}

inline uint16_t toFloat16(float x) {
  uint32_t bits = std::bit_cast<uint32_t>(x), sign = bits >> 16 & 0x8000;
  float magnitude = std::fabs(x);
  if (std::isnan(x)) return static_cast<uint16_t>(sign | 0x7e00);
  if (magnitude >= 65520) return static_cast<uint16_t>(sign | 0x7c00);
  if (magnitude < 0x1p-14f) {
    // Subnormal: units of 2^-24. Adding 2^23 rounds to an integer as the processor rounds.
    float units = magnitude * 0x1p24f + 0x1p23f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(units) & 0x7fffff));
  }
  uint32_t m = std::bit_cast<uint32_t>(magnitude);
  m += 0xfff + (m >> 13 & 1);
  return static_cast<uint16_t>(sign | ((m >> 13) - (112u << 10)));
}

}  // namespace fjord
