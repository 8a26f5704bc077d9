#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "io/half.h"

namespace fjord {
namespace {

std::span<const std::byte> bytesOf(const std::string& s) { return std::as_bytes(std::span(s)); }

/// A file with this header and this many bytes of data.
std::string fileOf(const std::string& header, size_t data) {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(uint64_t{header.size()} >> (8 * i));
  return file + header + std::string(data, '\1');
}

std::string errorOf(const std::string& file) {
  auto read = readSafetensors(bytesOf(file));
  return read ? "" : read.error().message;
}

TEST(Safetensors, WritesWhatItReads) {
  std::vector<NamedTensor> tensors = {
      {"a/kernel", *Tensor::of({2, 3}, std::span<const float>({1, -2, 3.5f, 0, 1e-30f, 7}))},
      {"empty", *Tensor::of({0, 4}, std::span<const float>())},
      {"numbers", *Tensor::of({3}, std::span<const int32_t>({-1, 0, 2147483647}))},
      {"name with \"quotes\" and \u00e9", *Tensor::of({}, std::span<const float>({42}))},
  };
  auto file = writeSafetensors(tensors, {{"step", "12"}, {"note", "a\nb"}});
  ASSERT_TRUE(file);
  auto read = readSafetensors(bytesOf(*file));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->text("step"), "12");
  EXPECT_EQ(read->text("note"), "a\nb");
  EXPECT_EQ(read->text("other"), "");
  ASSERT_EQ(read->tensors.size(), tensors.size());
  for (const NamedTensor& t : tensors) {
    const StoredTensor* stored = read->find(t.name);
    ASSERT_TRUE(stored) << t.name;
    auto loaded = stored->load();
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->type(), t.tensor.type());
    EXPECT_EQ(0, std::memcmp(loaded->view().data, t.tensor.view().data,
                             static_cast<size_t>(t.tensor.type().bytes())));
  }
}

TEST(Safetensors, RefusesWhatIsNotAFile) {
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  ASSERT_EQ(errorOf(fileOf(good, 8)), "");
  struct Bad {
    std::string file, says;
  };
  const Bad cases[] = {
      {"", "0 bytes"},
      {"1234567", "7 bytes"},
      {std::string(8, '\xff'), "18446744073709551615"},
      {fileOf(good, 8).substr(0, 20), "truncated"},
      {fileOf(good, 7), "truncated"},
      {fileOf(good, 9), "belong to no tensor"},
      {fileOf("[]", 0), "not a JSON object"},
      {fileOf("{", 0), "not a JSON object"},
      {fileOf(std::string(100000, '['), 0), "not a JSON object"},
      {fileOf(R"({"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})", 8), "\"F33\""},
      {fileOf(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8), "dtype null"},
      {fileOf(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8), "12 bytes, not 8"},
      {fileOf(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8), "-2 in the shape"},
      {fileOf(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8), "2.0"},
      {fileOf(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0),
       "not a size"},
      {fileOf(R"({"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],)"
              R"("data_offsets":[0,0]}})",
              0),
       "too large"},
      {fileOf(R"({"a":{"dtype":"U8","shape":[2147483647,2147483647,3,0],"data_offsets":[0,0]}})",
              0),
       "too large"},
      {fileOf(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}})", 4),
       "at most 8"},
      {fileOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), "outside"},
      {fileOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}})", 8),
       "outside"},
      {fileOf(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", 8), "[begin, end]"},
      {fileOf(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
              R"("b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})",
              6),
       "overlaps"},
      {fileOf(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
              R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
              8),
       "belong to nothing"},
      {fileOf(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
              R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
              4),
       "\"a\" twice"},
      {fileOf(R"({"a":{"dtype":"F32","dtype":"U8","shape":[8],"data_offsets":[0,8]}})", 8),
       "\"dtype\" twice"},
      {fileOf(R"({"__metadata__":{"a":1}})", 0), "not a text"},
      {fileOf(R"({"__metadata__":[]})", 0), "object of texts"},
      {fileOf("{\"\xff\":{}}", 0), "not a JSON object"},
  };
  for (const Bad& bad : cases)
    EXPECT_NE(errorOf(bad.file).find(bad.says), std::string::npos)
        << bad.says << " expected, got: " << errorOf(bad.file);
}

TEST(Safetensors, SaysWhatOtherModelFilesAre) {
  auto says = [](std::string_view kind) {
    return cat("safetensors: this is ", kind,
               "; a model.json, which tensorflowjs_converter makes of Keras's files, is loaded in "
               "JavaScript by loadLayersModel and saved as safetensors");
  };
  const std::string rest(100, '\0');
  EXPECT_EQ(errorOf("\x89HDF\r\n\x1a\n" + rest), says("an HDF5 file (Keras's .h5)"));
  EXPECT_EQ(errorOf(std::string("PK\x03\x04\x14\0\0\0", 8) + rest),
            says("a zip archive (Keras's .keras)"));
  EXPECT_EQ(errorOf(R"({"format":"layers-model","modelTopology":{}})"),
            says("JSON (TensorFlow.js's model.json)"));
  // One byte short of a signature.
  EXPECT_EQ(errorOf("\x89HDF\r\n\x1a" + rest),
            cat("safetensors: a header of ", uint64_t{0x1a0a0d46444889}, " bytes in a file of 107",
                "; it is truncated, or something else than safetensors"));
}

TEST(Safetensors, ConvertsStoredTypes) {
  std::vector<NamedTensor> tensors = {
      {"half", *Tensor::of({4}, std::span<const float>({1, -0.5f, 65504, 1e-7f})), DType::kF16},
      {"brain", *Tensor::of({2}, std::span<const float>({3.140625f, -1e30f})), DType::kBF16},
      {"small", *Tensor::of({2}, std::span<const int32_t>({-128, 127})), DType::kI8},
      {"byte", *Tensor::of({2}, std::span<const int32_t>({0, 255})), DType::kU8},
  };
  auto file = writeSafetensors(tensors, {});
  ASSERT_TRUE(file);
  auto read = readSafetensors(bytesOf(*file));
  ASSERT_TRUE(read) << read.error().message;
  auto half = read->find("half")->load(), brain = read->find("brain")->load();
  auto small = read->find("small")->load(), byte = read->find("byte")->load();
  EXPECT_EQ(read->find("half")->data.size(), 8u);
  EXPECT_EQ(half->data<float>()[1], -0.5f);
  EXPECT_EQ(half->data<float>()[2], 65504);
  EXPECT_EQ(half->data<float>()[3], 2 * 0x1p-24f);  // 1e-7 is 1.68 units of the smallest subnormal
  EXPECT_EQ(brain->data<float>()[0], 3.140625f);
  EXPECT_NEAR(brain->data<float>()[1], -1e30f, 1e30f / 256);
  EXPECT_EQ(small->data<int32_t>()[0], -128);
  EXPECT_EQ(byte->data<int32_t>()[1], 255);

  NamedTensor large{"large", *Tensor::of({1}, std::span<const int32_t>({256})), DType::kU8};
  EXPECT_FALSE(writeSafetensors({&large, 1}, {}));
  std::string wide =
      fileOf(R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", 8);  // 0x0101010101010101
  EXPECT_FALSE(readSafetensors(bytesOf(wide))->tensors[0].load());
}

/// All 65,536 halves keep their bits through float32, and what lies between two rounds to the
/// nearer one.
TEST(Safetensors, HalvesRoundToNearestEven) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    auto bits = static_cast<uint16_t>(h);
    float x = fromFloat16(bits), b = fromBfloat16(bits);
    if (std::isnan(x)) {
      EXPECT_TRUE(std::isnan(fromFloat16(toFloat16(x))));
    } else {
      ASSERT_EQ(toFloat16(x), bits);
    }
    if (std::isnan(b)) {
      EXPECT_TRUE(std::isnan(fromBfloat16(toBfloat16(b))));
    } else {
      ASSERT_EQ(toBfloat16(b), bits);
    }
    if ((h & 0x7fff) >= 0x7bff) continue;  // has no finite neighbour above
    double next = fromFloat16(static_cast<uint16_t>(h + 1)), middle = (x + next) / 2;
    ASSERT_EQ(toFloat16(static_cast<float>(middle)), h + (h & 1)) << h;
    ASSERT_EQ(toFloat16(static_cast<float>(middle + (next - x) / 8)), h + 1) << h;
    ASSERT_EQ(toFloat16(static_cast<float>(middle - (next - x) / 8)), h) << h;
  }
  EXPECT_EQ(toFloat16(65519.99f), 0x7bff);
  EXPECT_EQ(toFloat16(65520), 0x7c00);
  EXPECT_EQ(toFloat16(1e-9f), 0);
}

}  // namespace
}  // namespace fjord
