#include "report/format.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fjord::study {
namespace {

TEST(Format, NumbersHaveThreeDigits) {
  EXPECT_EQ(number(9.3149), "9.31");
  EXPECT_EQ(number(93.149), "93.1");
  EXPECT_EQ(number(931.49), "931");
  EXPECT_EQ(number(1511.2), "1,511");
  EXPECT_EQ(number(1234567), "1,234,567");
  EXPECT_EQ(number(0.00041239), "0.000412");
  EXPECT_EQ(number(-1234), "-1,234");
  EXPECT_EQ(number(0), "0");
  EXPECT_EQ(number(NAN), "–");
  EXPECT_EQ(number(INFINITY), "–");
}

/// What rounds up to the next power of ten has no fourth digit.
TEST(Format, NumbersThatRoundUp) {
  EXPECT_EQ(number(9.996), "10.0");
  EXPECT_EQ(number(99.96), "100");
  EXPECT_EQ(number(999.6), "1,000");
  EXPECT_EQ(number(0.09996), "0.100");
}

TEST(Format, CountsAndUnits) {
  EXPECT_EQ(count(0), "0");
  EXPECT_EQ(count(999), "999");
  EXPECT_EQ(count(20000), "20,000");
  EXPECT_EQ(counted(1, "trial"), "1 trial");
  EXPECT_EQ(counted(3, "trial"), "3 trials");
  EXPECT_EQ(megabytes(203560), "0.20");
  EXPECT_EQ(megabytes(14239897), "14.24");
  EXPECT_EQ(duration(1.36e-5), "13.6 ns");
  EXPECT_EQ(duration(0.0004), "0.400 µs");
  EXPECT_EQ(duration(9.31), "9.31 ms");
  EXPECT_EQ(duration(1511), "1.51 s");
}

TEST(Format, IntervalsOfNoWidthAreLeftOut) {
  EXPECT_EQ(between({8.9, 9.3, 10.1}), "8.90–10.1");
  EXPECT_EQ(between({5, 5, 5}), "");
  // Nothing that three digits would tell apart.
  EXPECT_EQ(between({5.0001, 5.0002, 5.0003}), "");
}

TEST(Format, ClipsBetweenCharacters) {
  EXPECT_EQ(clipped("short", 5), "short");
  EXPECT_EQ(clipped("ééé", 2), "éé…");
  EXPECT_EQ(clipped("a\nb\x01", 9), "a b ");
}

}  // namespace
}  // namespace fjord::study
