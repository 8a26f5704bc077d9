#include "io/idx.h"

#include <gtest/gtest.h>

#include <string>

namespace fjord {
namespace {

/// A file of these bytes.
std::string fileOf(std::initializer_list<int> bytes) {
  std::string file;
  for (int b : bytes) file += static_cast<char>(b);
  return file;
}

Result<IdxArray> read(const std::string& file) { return readIdx(std::as_bytes(std::span(file))); }

TEST(Idx, ReadsBytes) {
  std::string file = fileOf({0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 51, 102, 153, 204, 255});
  auto a = read(file);
  ASSERT_TRUE(a) << a.error().message;
  EXPECT_EQ(a->shape, (Shape{2, 3}));
  auto pixels = a->floats(1 / 255.0f);
  auto numbers = a->integers();
  ASSERT_TRUE(pixels && numbers);
  EXPECT_EQ(numbers->type(), (Type{DType::kI32, {2, 3}}));
  EXPECT_EQ(pixels->type(), (Type{DType::kF32, {2, 3}}));
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(numbers->data<int32_t>()[i], 51 * i);
    EXPECT_NEAR(pixels->data<float>()[i], 0.2 * i, 1e-7);
  }
}

/// Elements of more than one byte are big-endian, and signed where the format says so.
TEST(Idx, ReadsEveryElementType) {
  struct Case {
    std::string file;
    double first, second;
  };
  const Case cases[] = {
      {fileOf({0, 0, 9, 1, 0, 0, 0, 2, 0x80, 0x7f}), -128, 127},
      {fileOf({0, 0, 11, 1, 0, 0, 0, 2, 0xff, 0xfe, 0x01, 0x02}), -2, 258},
      {fileOf({0, 0, 12, 1, 0, 0, 0, 2, 0x80, 0, 0, 0, 0, 1, 0, 1}), -2147483648.0, 65537},
      {fileOf({0, 0, 13, 1, 0, 0, 0, 2, 0xbf, 0xc0, 0, 0, 0x42, 0x28, 0, 0}), -1.5, 42},
      {fileOf({0,    0,    14, 1, 0, 0, 0, 2, 0xbf, 0xf8, 0, 0, 0, 0, 0, 0,  //
               0x40, 0x45, 0,  0, 0, 0, 0, 0}),
       -1.5, 42},
  };
  for (const Case& c : cases) {
    auto a = read(c.file);
    ASSERT_TRUE(a) << a.error().message;
    auto floats = a->floats();
    ASSERT_TRUE(floats);
    EXPECT_EQ(floats->data<float>()[0], c.first);
    EXPECT_EQ(floats->data<float>()[1], c.second);
    auto integers = a->integers();
    bool isFloat = c.first == -1.5;
    ASSERT_EQ(integers.has_value(), !isFloat);
    if (integers) EXPECT_EQ(integers->data<int32_t>()[1], c.second);
  }
}

TEST(Idx, ReadsAnArrayWithoutElements) {
  std::string file = fileOf({0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 28});
  auto a = read(file);
  ASSERT_TRUE(a) << a.error().message;
  EXPECT_EQ(a->floats()->size(), 0);
}

TEST(Idx, RefusesWhatIsNotAFile) {
  const std::string good = fileOf({0, 0, 8, 1, 0, 0, 0, 2, 5, 6});
  ASSERT_TRUE(read(good));
  struct Bad {
    std::string file, says;
  };
  const Bad cases[] = {
      {"", "0 bytes are too few"},
      {good.substr(0, 3), "3 bytes are too few"},
      {good.substr(0, 6), "6 bytes are too few for the header of 1 axes; the file is truncated"},
      {good.substr(0, 9), "[2] takes 2 bytes, there are 1; the file is truncated"},
      {good + "x", "takes 2 bytes, there are 3"},
      {"PK\3\4 a zip file", "begins with the bytes 80 75 3 4"},
      {fileOf({0x1f, 0x8b, 8, 0, 0}), "it is no idx file"},
      {fileOf({0, 0, 10, 1, 0, 0, 0, 0}), "0 0 10 1"},
      {fileOf({0, 0, 8, 0, 0, 0, 0, 0}), "0 axes"},
      {fileOf({0, 0, 8, 9, 0, 0, 0, 0}), "9 axes"},
      {fileOf({0, 0, 8, 1, 0xff, 0xff, 0xff, 0xff}), "axis 0 has the size 4294967295"},
      {fileOf(
           {0, 0, 14, 3, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff}),
       "are too large"},
      {fileOf({0, 0, 8, 4, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 3, 0, 0, 0, 0}),
       "are too large"},
      {fileOf({0, 0, 8, 2, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff}), "truncated"},
      {fileOf({0, 0, 8, 3, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 2, 0, 0, 0, 0}),
       "idx: the shape [2147483647,2,0] has more than"},
  };
  for (const Bad& bad : cases) {
    auto a = read(bad.file);
    ASSERT_FALSE(a) << bad.says;
    EXPECT_NE(a.error().message.find(bad.says), std::string::npos)
        << bad.says << " expected, got: " << a.error().message;
  }
}

}  // namespace
}  // namespace fjord
