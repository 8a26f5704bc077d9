// RapidJSON, and what stands between it and the values, against the other library, whose values these are;
// decimal numbers against the C library.
#include "base/json.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace fjord {
namespace {

/// Bits, so that -0 is not 0.
uint64_t bitsOf(double x) { return std::bit_cast<uint64_t>(x); }

uint64_t drawn(Random& random) {
  auto part = [&] { return static_cast<uint64_t>(random.uniform() * 65536); };
  return part() << 48 | part() << 32 | part() << 16 | part();
}

void expectNumber(const std::string& text) {
  Result<Json> j = parseJson(text);
  double want = std::strtod(text.c_str(), nullptr);
  if (want - want != 0) {
    EXPECT_FALSE(j) << text;
    return;
  }
  ASSERT_TRUE(j) << text << ": " << j.error().message;
  // A whole number has no sign of zero.
  if (want != 0) EXPECT_EQ(bitsOf(j->get<double>()), bitsOf(want)) << text;
}

TEST(Json, NumbersAreRoundedAsByTheCLibrary) {
  for (const char* text : {"0",
                           "-0",
                           "0.0",
                           "-0.0",
                           "1",
                           "-1",
                           "0.1",
                           "0.001",
                           "0.0010000000474974513",
                           "1e22",
                           "1e23",
                           "123456789012345678",
                           "9007199254740993",
                           "9007199254740993.0",
                           "9007199254740992.5",
                           "18446744073709551615",
                           "18446744073709551616",
                           "-9223372036854775808",
                           "-9223372036854775809",
                           "1.7976931348623157e308",
                           "1.7976931348623158e308",
                           "1.7976931348623159e308",
                           "1e309",
                           "-1e400",
                           "2.2250738585072014e-308",
                           "2.2250738585072011e-308",
                           "4.9406564584124654e-324",
                           "2.4703282292062327e-324",
                           "2.4703282292062328e-324",
                           "1e-400",
                           "1E+2",
                           "1e-0",
                           "0e308",
                           "1.3e-324",
                           "1.9e-324",
                           "2.4e-324",
                           "2.47e-324",
                           "2.9e-324",
                           "3e-324",
                           "7.4e-324",
                           "7.5e-324",
                           "9.9e-324",
                           "1.2e-323",
                           "1.3e-323",
                           "18446744073709551615.4",
                           "18446744073709551615.9",
                           "184467440737095516159",
                           "1.8e308",
                           "4e308",
                           "9999999999999999.9e308",
                           "1e-99999999999999999999",
                           "123e-2",
                           "0.30000000000000004"})
    expectNumber(text);
  // Halfway between two doubles, to the last digit and a little beside it.
  std::string half = "1.00000000000000011102230246251565404236316680908203125";
  for (const char* more : {"", "0", "1", "00000000000000000000000000000000000001"})
    expectNumber(half + more);
  expectNumber(half.substr(0, half.size() - 1) + "4999999");
  expectNumber(half + std::string(900, '0'));
  expectNumber(half + std::string(900, '0') + "1");
  expectNumber("0." + std::string(40, '0') + "1e-320");
  expectNumber("0." + std::string(2000, '3'));
  expectNumber("7" + std::string(300, '0') + "." + std::string(900, '0') + "1");
}

TEST(Json, RandomNumbersToo) {
  Random random(11);
  for (int i = 0; i < 20000; ++i) {
    uint64_t bits = drawn(random);
    double x = std::bit_cast<double>(bits);
    if (x - x != 0) continue;
    char text[64];
    int digits = 1 + static_cast<int>(bits % 20);
    std::snprintf(text, sizeof text, "%.*e", digits, x);
    expectNumber(text);
    // And back: what is written reads as the same number.
    std::string written = jsonText(Json(x));
    EXPECT_EQ(bitsOf(std::strtod(written.c_str(), nullptr)), bitsOf(x)) << written;
    float f = static_cast<float>(x);
    if (f - f == 0) EXPECT_EQ(std::strtof(cat(f).c_str(), nullptr), f) << cat(f);
  }
}

/// What the library makes of it, where it is no more tolerant than the standard.
void expectSame(const std::string& text) {
  Json want = Json::parse(text, nullptr, false);
  Result<Json> got = parseJson(text);
  ASSERT_EQ(!want.is_discarded(), got.has_value()) << text;
  if (!got) return;
  EXPECT_EQ(*got, want) << text;
  EXPECT_EQ(got->type(), want.type()) << text;
  Json again = Json::parse(jsonText(*got), nullptr, false);
  EXPECT_EQ(again, want) << text << " is written as " << jsonText(*got);
}

const std::string kTexts[] = {
    R"({"a": [1, -2.5e3, true, false, null], "b": {"c": "d\n\u00e9\ud83d\ude00\\\"\/"}, "": ""})",
    R"([[], {}, [[]], {"a": {}}, "\u0000\u001f\b\f\r\t", 0.1, 1e5, -0, 12345678901234567890])",
    R"( { "class_name" : "Dense" , "config":{"units":10,"rate":0.30000000000000004 } } )",
    "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
    "\xef\xbb\xbf[1]",
};

TEST(Json, TextsAreReadAsByTheLibrary) {
  for (const std::string& text : kTexts) expectSame(text);
  for (const char* text : {"",
                           " ",
                           "[",
                           "]",
                           "{",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{a:1}",
                           "{\"a\":1,}",
                           "01",
                           "-",
                           "+1",
                           "1.",
                           ".5",
                           "1e",
                           "1e+",
                           "0x10",
                           "nul",
                           "true false",
                           "\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\ud800\"",
                           "\"\\ud800\\u0041\"",
                           "\"\\udc00\"",
                           "\"\n\"",
                           "\"\x80\"",
                           "\"\xc0\xaf\"",
                           "\"\xed\xa0\x80\"",
                           "\"\xf5\x80\x80\x80\"",
                           "NaN",
                           "Infinity",
                           "[1]]",
                           "{\"a\":1,\"a\":2}",
                           "'a'",
                           "// a",
                           "[1]\n"})
    expectSame(text);
}

TEST(Json, SoAreTextsWithAByteChanged) {
  Random random(5);
  const std::string kBytes("{}[]:,\"\\utfnrlse0123456789.+-E \n\x80\xc3\xa9\xe2\xed\xf0\xff");
  for (const std::string& text : kTexts) {
    for (int i = 0; i < 4000; ++i) {
      std::string changed = text;
      size_t at = drawn(random) % changed.size();
      char byte = kBytes[drawn(random) % kBytes.size()];
      switch (drawn(random) % 3) {
        case 0:
          changed[at] = byte;
          break;
        case 1:
          changed.insert(at, 1, byte);
          break;
        default:
          changed.erase(at, 1);
      }
      expectSame(changed);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Json, WhatHasNoTextIsReplaced) {
  EXPECT_EQ(jsonText({2.0, -0.0, 2, -2, 0.5, 1e300}), "[2.0,-0.0,2,-2,0.5,1e+300]");
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(jsonText({std::nan(""), kInfinity, -kInfinity}), "[null,null,null]");
  // One for each byte that is part of no character, also at the end.
  EXPECT_EQ(
      jsonText("a\x80\xed\xa0\x80\xf0\x9f\x98"),
      "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  Json j;
  j["\xff\n"] = std::string("\0\"\\", 3);
  EXPECT_EQ(jsonText(j), "{\"\xef\xbf\xbd\\n\":\"\\u0000\\\"\\\\\"}");
}

TEST(Json, AZeroByteEndsNothing) {
  using namespace std::string_view_literals;
  for (std::string_view text : {"[1]\0"sv, "[1\0]"sv, "\0"sv, "\"a\0b\""sv, "1\0"sv, "[1]\0[2]"sv})
    EXPECT_FALSE(parseJson(text)) << text;
}

TEST(Json, ANameThatStandsTwiceIsTold) {
  std::string twice;
  Result<Json> j = parseJson(R"({"a": {"b": 1, "b": 2}, "c": 3})", &twice);
  ASSERT_TRUE(j);
  EXPECT_EQ(twice, "b");
  EXPECT_EQ((*j)["a"]["b"], 2);
  EXPECT_EQ(*parseJson(R"({"a": 1, "a": null})"), Json({{"a", nullptr}}));
  twice.clear();
  ASSERT_TRUE(parseJson(R"({"a": {"b": 1}, "b": 3})", &twice));
  EXPECT_EQ(twice, "");
}

TEST(Json, NestingHasAnEnd) {
  auto nested = [](int depth) {
    return std::string(static_cast<size_t>(depth), '[') +
           std::string(static_cast<size_t>(depth), ']');
  };
  EXPECT_TRUE(parseJson(nested(200)));
  EXPECT_EQ(parseJson(nested(201)).error().message, "JSON of more than 200 levels");
  EXPECT_FALSE(parseJson(std::string(1000000, '[')));
}

}  // namespace
}  // namespace fjord
