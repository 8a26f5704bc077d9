// The functions for vectors against the C library in double: the largest error of each over all
// magnitudes of floats, and the values at the edges.
#include "base/math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cfloat>
#include <random>
#include <vector>

namespace fjord {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// How far y is from what the exact result rounds to, in units in the last place of it: 0 where
/// both are NaN, zeros of one sign, or the same infinity.
double ulps(float y, double exact) {
  if (std::isnan(exact)) return std::isnan(y) ? 0 : kInfinity;
  // Exactly what lies half a unit beyond the largest float rounds to infinity.
  if (std::abs(exact) >= 0x1.ffffffp127) return y == static_cast<float>(exact) ? 0 : kInfinity;
  if (exact == 0) return y == 0 && std::signbit(y) == std::signbit(exact) ? 0 : kInfinity;
  if (!std::isfinite(y)) {
    // Next to the largest float infinity is one unit further.
    return std::abs(exact) > FLT_MAX * (1 - 0x1p-22) && y == std::copysign(kInf, exact) ? 1
                                                                                        : kInfinity;
  }
  int exponent = std::max(std::ilogb(exact), -126);
  return std::abs(y - exact) / std::ldexp(1.0, exponent - 23);
}

struct Function {
  const char* name;
  F32 (*vector)(F32);
  double (*exact)(double);
  double bound;
};
#define FUNCTION(name, bound) \
  {#name, [](F32 x) { return name(x); }, [](double x) { return std::name(x); }, bound}
/// musl's has values below the domain.
double acoshInDomain(double x) { return x < 1 ? kNaN : std::acosh(x); }
// The bounds that base/vector_math.h states.
const Function kFunctions[] = {
    FUNCTION(exp, 1.1),
    FUNCTION(exp2, 1.1),
    FUNCTION(expm1, 1.75),
    FUNCTION(log, 1),
    FUNCTION(log2, 1.5),
    FUNCTION(log10, 2),
    FUNCTION(log1p, 1.5),
    FUNCTION(cbrt, 1),
    FUNCTION(sin, 1.6),
    FUNCTION(cos, 1.6),
    FUNCTION(tan, 4),
    FUNCTION(asin, 2),
    FUNCTION(acos, 1.5),
    FUNCTION(atan, 1.75),
    FUNCTION(tanh, 2.75),
    FUNCTION(sinh, 2.5),
    FUNCTION(cosh, 2),
    FUNCTION(asinh, 2.25),
    {"acosh", [](F32 x) { return acosh(x); }, acoshInDomain, 2.25},
    FUNCTION(atanh, 2.5),
    FUNCTION(erf, 2.25),
};
#undef FUNCTION

/// Floats of all magnitudes and both signs, dense where functions change their form or vanish.
std::vector<float> arguments() {
  std::vector<float> x;
  // A pattern's exponent is in its high bits: equal steps through all patterns are equal steps in
  // the logarithm. The step is odd, so that the low bits take all values.
  for (uint64_t bits = 77; bits < 1ull << 32; bits += 8191) {
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  }
  std::mt19937 random(5);
  for (float range : {1.f, 10.f, 100.f, 1e5f}) {
    std::uniform_real_distribution<float> near(-range, range);
    for (int i = 0; i < 200000; ++i) x.push_back(near(random));
  }
  for (double center :
       {0.25,      0.5,     std::sqrt(0.5), 1.0,     std::sqrt(2.0), 2.0,   4.0,
        10.0,      20.0,    87.34,          88.02,   88.73,          89.42, 103.3,
        104.0,     126.0,   128.0,          149.0,   150.0,          1e5,   0x1p-126,
        0x1p-25,   0x1p-13, 0x1p28,         kPi / 4, kPi / 2,        kPi,   3 * kPi / 2,
        1000 * kPi}) {
    uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(center));
    for (int i = -500; i <= 500; ++i) {
      float v = std::bit_cast<float>(bits + i);
      x.push_back(v);
      x.push_back(-v);
    }
  }
  for (float v : {0.f, kInf, kNaN, FLT_MAX, FLT_MIN, FLT_TRUE_MIN}) {
    x.push_back(v);
    x.push_back(-v);
  }
  while (x.size() % kLanes) x.push_back(1);
  return x;
}

TEST(VectorMath, ErrorsAreWithinTheirBounds) {
  std::vector<float> x = arguments();
  for (const Function& f : kFunctions) {
    double worst = 0;
    float where = 0, got = 0;
    for (size_t i = 0; i < x.size(); i += kLanes) {
      float y[kLanes];
      f.vector(F32::load(&x[i])).store(y);
      for (int lane = 0; lane < kLanes; ++lane) {
        double error = ulps(y[lane], f.exact(x[i + lane]));
        if (error > worst) worst = error, where = x[i + lane], got = y[lane];
      }
    }
    EXPECT_LE(worst, f.bound) << f.name << "(" << where << ") = " << f.exact(where) << ", got "
                              << got;
    RecordProperty(f.name, std::to_string(worst));
  }
}

// A vector whose lanes need different ways must not mix them up.
TEST(VectorMath, LanesAreIndependent) {
  const float mixed[] = {0,    -0.f,  1, kInf, 3e7f, -2,      kNaN, 1e-40f,
                         0.3f, -kInf, 9, -1,   100,  -1e-20f, 5e4f, 7};
  for (const Function& f : kFunctions) {
    for (int shift = 0; shift < 16; ++shift) {
      float x[kLanes], y[kLanes];
      for (int i = 0; i < kLanes; ++i) x[i] = mixed[(shift + i) % 16];
      f.vector(F32::load(x)).store(y);
      for (int i = 0; i < kLanes; ++i) {
        EXPECT_LE(ulps(y[i], f.exact(x[i])), f.bound) << f.name << "(" << x[i] << ") = " << y[i];
      }
    }
  }
}

TEST(VectorMath, ExactWhereTheResultIsRound) {
  auto at = [](F32 y) {
    float lanes[kLanes];
    y.store(lanes);
    return lanes[0];
  };
  for (int n = -149; n < 128; ++n) {
    EXPECT_EQ(at(exp2(F32(n))), std::ldexp(1.f, n));
    EXPECT_EQ(at(log2(F32(std::ldexp(1.0, n)))), n);
  }
  EXPECT_EQ(at(exp(F32(0.0))), 1);
  EXPECT_EQ(at(cosh(F32(0.0))), 1);
  EXPECT_EQ(at(erf(F32(4.0))), 1);
  EXPECT_EQ(at(tanh(F32(10.0))), 1);
  // Powers that are integers below 2^24.
  for (int base = -12; base <= 12; ++base) {
    double exact = 1;
    for (int n = 0; std::abs(exact) <= 0x1p24 && n < 25; ++n, exact *= base) {
      EXPECT_EQ(at(power(F32(base), F32(n))), exact) << base << "^" << n;
    }
  }
}

template <class F, class Exact>
void expectWithin(double bound, const std::vector<std::pair<float, float>>& arguments, F f,
                  Exact exact) {
  for (auto [a, b] : arguments) {
    float y[kLanes];
    f(F32(a), F32(b)).store(y);
    ASSERT_LE(ulps(y[kLanes - 1], exact(a, b)), bound)
        << "(" << a << ", " << b << ") -> " << exact(a, b) << ", got " << y[kLanes - 1];
  }
}

/// Every pair of the values at which std::pow and std::atan2 have a rule of their own.
std::vector<std::pair<float, float>> edges() {
  std::vector<std::pair<float, float>> pairs;
  std::vector<float> values;
  for (float v : {0.f, 0.5f, 1.f, 1.5f, 2.f, 3.f, 8388609.f, 16777215.f, 3e9f, FLT_MAX, FLT_MIN,
                  FLT_TRUE_MIN, std::nextafter(1.f, 2.f), std::nextafter(1.f, 0.f), kInf, kNaN}) {
    values.push_back(v);
    values.push_back(-v);
  }
  for (float a : values) {
    for (float b : values) pairs.push_back({a, b});
  }
  return pairs;
}

TEST(VectorMath, PowerIsWithinItsBound) {
  auto vector = [](F32 a, F32 b) { return power(a, b); };
  auto exact = [](double a, double b) { return std::pow(a, b); };
  std::vector<std::pair<float, float>> pairs = edges();
  std::mt19937 random(6);
  std::uniform_real_distribution<float> exponent(-126, 127), unit(-1, 1);
  for (int i = 0; i < 200000; ++i) {
    float a = std::exp2(exponent(random));
    // Powers over all of the range, of numbers of all sizes and of numbers near 1.
    pairs.push_back({a, 150 * unit(random) / std::log2(a)});
    float near = 1 + 0.5f * unit(random);
    pairs.push_back({near, 150 * unit(random) / std::log2(near)});
    pairs.push_back({-4 * unit(random), std::round(40 * unit(random))});
  }
  expectWithin(0.51, pairs, vector, exact);
}

TEST(VectorMath, Atan2IsWithinItsBound) {
  auto vector = [](F32 a, F32 b) { return atan2(a, b); };
  auto exact = [](double a, double b) { return std::atan2(a, b); };
  std::vector<std::pair<float, float>> pairs = edges();
  std::mt19937 random(7);
  std::uniform_real_distribution<float> exponent(-20, 20), unit(-1, 1);
  for (int i = 0; i < 200000; ++i) {
    pairs.push_back({unit(random) * std::exp2(exponent(random)), unit(random)});
  }
  expectWithin(1.75, pairs, vector, exact);
}

}  // namespace
}  // namespace fjord
