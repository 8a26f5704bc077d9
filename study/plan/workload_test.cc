#include "plan/workload.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace fjord::study {
namespace {

namespace fs = std::filesystem;

const std::vector<Family>& families() {
  static const std::vector<Family> kFamilies = *readFamilies(FJORD_ROOT "/study");
  return kFamilies;
}

std::string errorOf(const auto& result) { return result ? "none" : result.error().message; }

/// "conv2d 3x3x1x400 same relu -> 28,28,400"
std::string textOf(const Layer& layer) {
  auto joined = [](const std::vector<int>& list, const char* between) {
    std::string out;
    for (int value : list) out += cat(out.empty() ? "" : between, value);
    return out;
  };
  std::string out = layer.type;
  for (const std::string& part : {joined(layer.kernel, "x"), layer.size ? cat(layer.size) : "",
                                  layer.padding, layer.activation, joined(layer.recurrent, "x"),
                                  layer.sequences ? std::string("sequences") : ""})
    out += (part.empty() ? "" : " ") + part;
  return out + " -> " + joined(layer.out, ",");
}

std::vector<std::string> textsOf(const Network& network) {
  std::vector<std::string> out;
  for (const Layer& layer : network.layers) out.push_back(textOf(layer));
  return out;
}

using Texts = std::vector<std::string>;

TEST(Workloads, OfThePaper) {
  auto dense = std::ranges::find(families(), "dense", &Family::name);
  ASSERT_NE(dense, families().end());
  std::vector<Workload> grid = dense->grid();
  ASSERT_EQ(grid.size(), 12u);
  EXPECT_EQ(grid.front(), (Workload{1, 64}));
  EXPECT_EQ(grid.back(), (Workload{8, 256}));
}

TEST(Workloads, NamesAreReadAndWritten) {
  EXPECT_EQ(workloadOf("2x128"), (Workload{2, 128}));
  EXPECT_EQ(workloadOf("dense/2x128"), (Workload{2, 128}));
  EXPECT_EQ(workloadOf("cnn/64x4096"), (Workload{64, 4096, "cnn"}));
  EXPECT_EQ((Workload{9, 400, "cnn-b"}).name(), "cnn-b/9x400");
  EXPECT_EQ((Workload{}).name(), "");
  for (const char* text :
       {"",      "1",     "x",      "1x",       "x64",     "0x64",      "1x0",    "-1x64",
        "1x64 ", "1X64",  "01x64",  "1x064",    "1x64x2",  "65x64",     "1x4097", "1x99999999999",
        "+1x64", "/1x64", "dense/", "a/b/1x64", "../1x64", "Dense/1x64"})
    EXPECT_FALSE(workloadOf(text)) << text;
}

TEST(Workloads, ListsAreRead) {
  auto some = parseWorkloads(families(), "1x64,dense/8x256");
  ASSERT_TRUE(some) << errorOf(some);
  EXPECT_EQ(*some, (std::vector<Workload>{{1, 64}, {8, 256}}));
  for (const char* text : {"", "1x64,", ",1x64", "1x64 ,2x64"}) {
    EXPECT_NE(errorOf(parseWorkloads(families(), text)).find("is to be like 2x128"),
              std::string::npos)
        << text;
  }
  EXPECT_EQ(errorOf(parseWorkloads(families(), "1x64,2x64,dense/1x64")),
            "workload dense/1x64 is there twice");
  EXPECT_EQ(errorOf(parseWorkloads(families(), "rnn/1x64")).substr(0, 48),
            "rnn/1x64: there is no family \"rnn\"; there are cn");
  // 64 layers of 4096 x 4096 weights.
  EXPECT_NE(errorOf(parseWorkloads(families(), "64x4096")).find("choose a smaller one"),
            std::string::npos);
}

TEST(Workloads, SuitesAreOfAllFamilies) {
  // Table 5 of the paper: 1 to 16 layers of 64 to 512 units, 6 to 27 layers of 200 and 400 kernels; 800 take long to compare with;
  // 1 to 3 recurrent layers of 4 to 256 units.
  std::vector<Workload> suite = *suiteOf(families(), "section5");
  EXPECT_EQ(suite.size(), 20u + 8 + 18);
  EXPECT_NE(std::ranges::find(suite, Workload{16, 512}), suite.end());
  EXPECT_NE(std::ranges::find(suite, Workload{27, 400, "cnn"}), suite.end());
  EXPECT_EQ(suiteOf(families(), "section4")->size(), 12u);
  std::vector<Workload> small = *suiteOf(families(), "section5-small");
  std::erase_if(small, [](const Workload& w) { return w.family != "lstm"; });
  EXPECT_EQ(
      small,
      (std::vector<Workload>{
          {1, 4, "lstm"}, {1, 256, "lstm"}, {2, 32, "lstm"}, {3, 4, "lstm"}, {3, 256, "lstm"}}));
  EXPECT_EQ(errorOf(suiteOf(families(), "section6")),
            "there is no suite \"section6\"; there are section4, section5, section5-small");
}

TEST(Workloads, ConvolutionsOfSectionFive) {
  // Two blocks: 28 x 28, pooled to 14 and to 7.
  EXPECT_EQ(
      textsOf(*networkOf(families(), {9, 400, "cnn"})),
      (Texts{"conv2d 3x3x1x400 same relu -> 28,28,400", "conv2d 3x3x400x400 same relu -> 28,28,400",
             "maxPool 2 same -> 14,14,400", "conv2d 3x3x400x400 same relu -> 14,14,400",
             "conv2d 3x3x400x400 same relu -> 14,14,400", "maxPool 2 same -> 7,7,400",
             "flatten -> 19600", "dense 19600x512 relu -> 512", "dense 512x10 softmax -> 10"}));
  // By hand: 784 * 9 * (200 + 200 * 200) + 14 * 14 * 200 * 512 + 5120.
  Network small = *networkOf(families(), {6, 200, "cnn"});
  EXPECT_EQ(small.macs(), 784.0 * 9 * (200 + 40000) + 14 * 14 * 200 * 512 + 5120);
  EXPECT_EQ(small.trainingMacs(), 3 * small.macs() - 784.0 * 9 * 200);
  EXPECT_EQ(small.weights(), 9u * 200 + 200 + 9 * 40000 + 200 + 39200 * 512 + 512 + 5120 + 10);
  // Sides with padding: 14, 7, 4, 2, 1, 1, 1, 1; without: 14, 7, 3, 1, 1, 1, 1, 1.
  auto sides = [](const Workload& workload) {
    std::vector<int> out;
    for (const Layer& layer : networkOf(families(), workload)->layers) {
      if (layer.type == "maxPool") out.push_back(layer.out[0]);
    }
    return out;
  };
  EXPECT_EQ(sides({27, 3, "cnn"}), (std::vector<int>{14, 7, 4, 2, 1, 1, 1, 1}));
  EXPECT_EQ(sides({27, 3, "cnn-b"}), (std::vector<int>{14, 7, 3, 1, 1, 1, 1, 1}));
  EXPECT_EQ(errorOf(parseWorkloads(families(), "cnn/7x200")),
            "cnn/7x200: a network of cnn has 3 and 3 for each block, so 6, 9, .. layers");
  EXPECT_EQ(textsOf(*networkOf(families(), {6, 16, "mnist"}))[3], "maxPool 2 valid -> 7,7,16");
}

TEST(Workloads, RecurrentNetworksOfSectionFive) {
  Network network = *networkOf(families(), {2, 64, "lstm"});
  EXPECT_EQ(textsOf(network), (Texts{"lstm 84x256 64x256 sequences -> 40,64",
                                     "lstm 64x256 64x256 -> 64", "dense 64x84 softmax -> 84"}));
  EXPECT_EQ(network.weights(), 84u * 256 + 64 * 256 + 256 + 2 * 64 * 256 + 256 + 64 * 84 + 84);
  EXPECT_EQ(network.macs(), 40 * 256 * (84 + 64 + 64 + 64) + 64 * 84);
  // The text has no gradient, but what a step of the first layer gives to the next has one.
  EXPECT_EQ(network.trainingMacs(), 3 * network.macs() - 40 * 256 * 84);
  Json json = toJson(network);
  EXPECT_EQ(json["layers"][0].dump(),
            R"({"type":"lstm","kernel":[84,256],"recurrent":[64,256],"sequences":true})");
  EXPECT_EQ(json["data"], "text");
  EXPECT_EQ(json["optimizer"], "rmsprop");
  EXPECT_EQ(json["compared"]["rate"], 1);
}

TEST(Workloads, DenseNetworksInAStyle) {
  Network network = *networkOf(families(), {2, 128}, {"tanh", "sigmoid", false});
  EXPECT_EQ(textsOf(network), (Texts{"dense 784x128 tanh -> 128", "dense 128x128 tanh -> 128",
                                     "dense 128x10 sigmoid -> 10"}));
  // 784 x 128 + 128 x 128 + 128 x 10; the first layer has no gradient of its input.
  EXPECT_EQ(network.weights(), 118016u);
  EXPECT_EQ(network.macs(), 118016);
  EXPECT_EQ(network.trainingMacs(), 3 * 118016 - 100352);
  network.style.bias = true;
  EXPECT_EQ(network.weights(), 118016u + 128 + 128 + 10);
  Json json = toJson(network);
  EXPECT_EQ(json["layers"][2].dump(),
            R"({"type":"dense","kernel":[128,10],"activation":"sigmoid"})");
  EXPECT_EQ(json["input"].dump(), "[784]");
}

/// A folder of workloads with one that is written by a test.
class Folder : public testing::Test {
 protected:
  ~Folder() override { fs::remove_all(study); }
  /// What is wrong with a workload.json, or "nothing".
  std::string wrong(const std::string& text) {
    fs::create_directories(study / "workloads/a");
    std::ofstream(study / "workloads/a/workload.json") << text;
    auto read = readFamilies(study.string());
    if (read) return "nothing";
    size_t at = read.error().message.find("workload.json: ");
    return at == std::string::npos ? read.error().message : read.error().message.substr(at + 15);
  }
  static std::string with(const std::string& members) {
    return R"({"title": "A", "depthIs": "layers", "widthIs": "units", "input": [784], "depths": [1],
               "widths": [8], )" +
           members + "}";
  }
  fs::path study = fs::path(testing::TempDir()) / ("fjord-workloads-" + std::to_string(getpid()));
};

TEST_F(Folder, Mistakes) {
  const std::string tail = R"("tail": [{"type": "dense", "units": 10, "activation": "output"}])";
  EXPECT_EQ(wrong(with(R"("block": [{"type": "dense", "units": "width"}], )" + tail)), "nothing");
  EXPECT_EQ(wrong("{}"), "title is missing: it must be a text that is not empty");
  EXPECT_EQ(wrong(with(R"("colour": 1, )" + tail)).substr(0, 19), "colour is not known");
  EXPECT_EQ(wrong(with(tail)), "a/1x8: a network of a has 0 layers");
  EXPECT_EQ(wrong(with(R"("tailDepth": 1, "tail": [{"type": "dense", "units": "wide"}])")),
            "layer 1: units must be a whole number from 1 to 4096 or \"width\", got \"wide\"");
  EXPECT_EQ(wrong(with(R"("tailDepth": 1, "tail": [{"type": "gru"}])")),
            "layer 1: type must be one of dense, conv2d, maxPool, flatten, lstm, got \"gru\"");
  EXPECT_EQ(wrong(with(R"("tailDepth": 1, "tail": [{"type": "lstm", "units": 3}])")),
            "layer 1: a layer lstm after the shape [784] cannot be");
  EXPECT_EQ(wrong(with(R"("tailDepth": 1, "tail": [{"type": "dense", "units": 9}])")),
            "the last layer gives [9], and there are 10 classes");
  EXPECT_EQ(wrong(with(R"("data": "text", "tailDepth": 1, )" + tail)),
            "input of text must be [40,84], got [784]");
  EXPECT_EQ(wrong(with(R"("suites": {"a": {"sizes": ["8"]}}, "tailDepth": 1, )" + tail)),
            "suites/a/sizes: \"8\" is to be like 2x128");
  EXPECT_EQ(wrong(with(R"("tailDepth": 1, "tail": [{"type": "conv2d", "units": 3}])")),
            "layer 1: a layer conv2d after the shape [784] cannot be");
}

}  // namespace
}  // namespace fjord::study
