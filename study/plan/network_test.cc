#include "plan/network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>

#include "base/json.h"
#include "plan/data.h"
#include "plan/digits.h"
#include "plan/text.h"

namespace fjord::study {
namespace {

const Sources kSources = sourcesIn(FJORD_ROOT "/node_modules");

std::string contentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// By TensorFlow and NumPy in float64: golden.py.
const Json& golden() {
  static const Json json = *parseJson(contentOf(FJORD_ROOT "/study/plan/golden.json"));
  return json;
}

/// A network of this checkout.
Network networkOf(const Workload& workload, const Style& style = {}) {
  static const std::vector<Family> kFamilies = *readFamilies(FJORD_ROOT "/study");
  return *networkOf(kFamilies, workload, style);
}
Network dense(int depth, int width, const Style& style = {}) {
  return networkOf({depth, width}, style);
}
Network networkOf(const Json& c) {
  return networkOf({intOr(c, "depth", 0), intOr(c, "width", 0), stringOr(c, "family", "")},
                   {stringOr(c, "hidden", ""), stringOr(c, "output", ""), boolOr(c, "bias", true)});
}

std::vector<double> numbers(const Json& list) {
  std::vector<double> out;
  for (const Json& number : list) out.push_back(number.get<double>());
  return out;
}

/// The first examples of a network from npm's packages, or a skip that says what is missing.
#define EXAMPLES(name, network, count)                                \
  auto name = examplesOf(kSources, network, static_cast<int>(count)); \
  if (!name) GTEST_SKIP() << name.error().message

std::span<const double> inputOf(const Examples& examples, const Network& network, size_t i) {
  return std::span(examples.x).subspan(i * network.inputs(), network.inputs());
}

TEST(Network, WeightsAreThoseOfTheGoldenFile) {
  for (const Json& c : golden()["cases"]) {
    std::vector<Weights> layers = weightsOf(networkOf(c));
    ASSERT_EQ(layers.size(), c["weights"].size());
    for (size_t l = 0; l < layers.size(); ++l) {
      const std::vector<float>* parts[] = {&layers[l].kernel, &layers[l].bias,
                                           &layers[l].recurrent};
      ASSERT_EQ(c["weights"][l].size(), layers[l].recurrent.empty() ? 2u : 3u);
      for (size_t part = 0; part < c["weights"][l].size(); ++part) {
        const std::vector<float>& w = *parts[part];
        std::vector<double> expected = numbers(c["weights"][l][part]);
        // NumPy adds in another order: 2e5 numbers below 0.3, rounded at 1e-16.
        EXPECT_NEAR(std::accumulate(w.begin(), w.end(), 0.0), expected[0], 1e-10);
        EXPECT_EQ(w.front(), expected[1]);
        EXPECT_EQ(w.back(), expected[2]);
      }
    }
  }
}

TEST(Network, OutputsAreTensorFlows) {
  for (const Json& c : golden()["cases"]) {
    Network network = networkOf(c);
    EXAMPLES(examples, network, c["outputs"].size());
    std::vector<Weights> layers = weightsOf(network);
    ASSERT_GE(c["outputs"].size(), 4u);
    for (size_t i = 0; i < c["outputs"].size(); ++i) {
      std::vector<double> expected = numbers(c["outputs"][i]);
      std::vector<double> found = outputs(network, layers, inputOf(*examples, network, i));
      ASSERT_EQ(found.size(), expected.size());
      for (size_t o = 0; o < found.size(); ++o)
        EXPECT_NEAR(found[o], expected[o], 1e-12) << network.workload.name() << " example " << i;
    }
  }
}

TEST(Network, LossesAreTensorFlows) {
  for (const Json& c : golden()["cases"]) {
    Network network = networkOf(c);
    std::vector<double> expected = numbers(c["losses"]);
    EXAMPLES(examples, network, c["batch"].get<size_t>() * expected.size());
    std::vector<double> found = trainingLosses(
        network, weightsOf(network), examples->x, examples->labels, c["batch"].get<int>(),
        c["rate"].get<double>(), static_cast<int>(expected.size()));
    ASSERT_EQ(found.size(), expected.size());
    for (size_t s = 0; s < found.size(); ++s)
      EXPECT_NEAR(found[s], expected[s], 1e-12) << network.workload.name() << " step " << s;
  }
}

/// The change of the loss along the step that training takes is the square of the gradient's
/// length, and that is also found by moving each weight alone.
TEST(Network, StepsGoAlongTheGradient) {
  const std::pair<Workload, const char*> kNetworks[] = {{{2, 2}, "relu"},
                                                        {{2, 2}, "sigmoid"},
                                                        {{2, 2}, "tanh"},
                                                        {{27, 1, "cnn-b"}, "tanh"},
                                                        {{2, 2, "lstm"}, "tanh"}};
  for (const auto& [workload, hidden] : kNetworks) {
    Network network = networkOf(workload, {.hidden = hidden});
    std::vector<Weights> layers = weightsOf(network);
    std::vector<double> images(2 * network.inputs());
    for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<double>(i * 37 % 101) / 100;
    std::vector<uint8_t> labels{3, 8};
    // The second loss is that of the moved weights: the batch is the same.
    std::vector<double> twice = images;
    twice.insert(twice.end(), images.begin(), images.end());
    std::vector<uint8_t> labelsTwice{3, 8, 3, 8};
    auto after = [&](double rate) {
      return trainingLosses(network, layers, twice, labelsTwice, 2, rate, 2)[1];
    };
    constexpr double kRate = 1e-5;
    double along = (after(-kRate) - after(kRate)) / (2 * kRate);

    double squares = 0;
    auto loss = [&] { return trainingLosses(network, layers, images, labels, 2, 0, 1)[0]; };
    for (Weights& layer : layers) {
      for (std::vector<float>* array : {&layer.kernel, &layer.bias, &layer.recurrent}) {
        for (float& w : *array) {
          float before = w, low = before - 0x1p-12f, high = before + 0x1p-12f;
          w = high;
          double up = loss();
          w = low;
          double down = loss();
          w = before;
          double slope = (up - down) / (static_cast<double>(high) - low);
          squares += slope * slope;
        }
      }
    }
    EXPECT_GT(squares, 0.01) << workload.name() << " " << hidden;
    // Both leave out terms of the third derivative, by 1e-7 of their steps' squares.
    EXPECT_NEAR(along, squares, 1e-5 * squares) << workload.name() << " " << hidden;
  }
}

TEST(Network, ComputedByHand) {
  // One hidden unit, which sees pixel 5 with weight 2 and has the bias -0.5; output 3 sees it.
  std::vector<Weights> layers{{std::vector<float>(kPixels), {-0.5f}},
                              {std::vector<float>(kClasses), std::vector<float>(kClasses)}};
  layers[0].kernel[5] = 2;
  layers[1].kernel[3] = 1;
  std::vector<double> image(kPixels, 1.0);
  Network network = dense(1, 1, {.output = "relu"});
  EXPECT_EQ(outputs(network, layers, image)[3], 1.5);
  EXPECT_EQ(outputs(network, layers, image)[4], 0);
  image[5] = 0.125;  // 0.25 - 0.5 is negative
  EXPECT_EQ(outputs(network, layers, image)[3], 0);
  network = dense(1, 1, {.hidden = "tanh"});
  // tanh(-0.25) = -0.24491866240370913; softmax of nine zeros and that.
  double e = std::exp(-0.24491866240370913);
  EXPECT_NEAR(outputs(network, layers, image)[3], e / (9 + e), 1e-15);
  EXPECT_NEAR(outputs(network, layers, image)[0], 1 / (9 + e), 1e-15);
}

/// What takes long stands in references.json, by TensorFlow: of what does not, it is the loops' own.
TEST(Network, StoredValuesAreThoseOfTheLoops) {
  int compared = 0;
  const std::vector<Family> families = *readFamilies(FJORD_ROOT "/study");
  for (const Family& family : families) {
    for (const auto& [size, stored] : family.stored) {
      Network network = networkOf(*workloadOf(family.name + "/" + size));
      const Compared& c = network.compared;
      ASSERT_EQ(stored.outputs.size(), static_cast<size_t>(c.outputs)) << size;
      ASSERT_EQ(stored.losses.size(), static_cast<size_t>(c.steps)) << size;
      if (c.outputs * network.macs() + c.steps * c.batch * network.trainingMacs() > 5e8) continue;
      ++compared;
      EXAMPLES(examples, network, std::max(c.outputs, c.batch * c.steps));
      std::vector<Weights> weights = weightsOf(network);
      for (size_t i = 0; i < stored.outputs.size(); ++i) {
        std::vector<double> found = outputs(network, weights, inputOf(*examples, network, i));
        for (size_t o = 0; o < found.size(); ++o)
          EXPECT_NEAR(found[o], stored.outputs[i][o], 1e-9) << family.name << " " << size;
      }
      std::vector<double> found =
          trainingLosses(network, weights, examples->x, examples->labels, c.batch, c.rate, c.steps);
      for (size_t s = 0; s < found.size(); ++s)
        EXPECT_NEAR(found[s], stored.losses[s], 1e-9 * found[s]) << family.name << " " << size;
    }
  }
  EXPECT_GE(compared, 3);
}

TEST(Network, WithoutBiasesTheKernelsStay) {
  Network with = dense(2, 8), without = dense(2, 8, {.bias = false});
  std::vector<Weights> a = weightsOf(with), b = weightsOf(without);
  EXPECT_EQ(a[1].kernel, b[1].kernel);
  EXPECT_NE(a[1].bias, b[1].bias);
  EXPECT_EQ(b[1].bias, std::vector<float>(8));
  // 784 x 8 + 8 x 8 + 8 x 10 weights and 26 biases, of four bytes.
  EXPECT_EQ(weightBytes(a, true).size(), (6272u + 64 + 80 + 26) * 4);
  EXPECT_EQ(weightBytes(b, false).size(), (6272u + 64 + 80) * 4);
}

/// One unit that sees two steps: what the forget gate leaves of the first one's cell counts in the second.
TEST(Network, AnLstmByHand) {
  Network network = networkOf(Workload{1, 1, "lstm"});
  std::vector<Weights> layers = weightsOf(network);
  for (std::vector<float>* part : {&layers[0].kernel, &layers[0].bias, &layers[0].recurrent})
    std::ranges::fill(*part, 0.0f);
  // Character 7, one step before the last, writes tanh(1) / 2 into the cell; the gates i, f and o are 1/2.
  std::vector<double> x(network.inputs());
  x[(kSequence - 2) * kCharacters + 7] = 1;
  layers[0].kernel[7 * 4 + 2] = 1;
  layers[0].recurrent[3] = 2;  // what it gave opens the output gate
  layers[1].kernel.assign(kCharacters, 0);
  layers[1].bias.assign(kCharacters, 0);
  layers[1].kernel[5] = 3;
  double cell = std::tanh(1) / 2, out = std::tanh(cell) / 2;
  double last = std::tanh(cell / 2) / (1 + std::exp(-2 * out)), e = std::exp(3 * last);
  EXPECT_NEAR(outputs(network, layers, x)[5], e / (kCharacters - 1 + e), 1e-15);
}

TEST(Network, ForgetGatesBeginOpen) {
  Network with = networkOf(Workload{2, 8, "lstm"}),
          without = networkOf(Workload{2, 8, "lstm"}, {.bias = false});
  for (const Weights& w : weightsOf(with)) {
    for (size_t k = 0; k < w.bias.size(); ++k)
      EXPECT_NEAR(w.bias[k], w.recurrent.empty() || k / 8 != 1 ? 0.0 : 1.0, 0.1);
    for (float r : w.recurrent) EXPECT_LE(std::abs(r), 0.36f);  // 1 / sqrt(8) = 0.354
  }
  for (const Weights& w : weightsOf(without))
    EXPECT_EQ(std::ranges::count(w.bias, 0.0f), static_cast<ptrdiff_t>(w.bias.size()));
  // 84 x 32 + 8 x 32, 8 x 32 + 8 x 32, 8 x 84 weights and 32 + 32 + 84 biases, of four bytes.
  EXPECT_EQ(weightBytes(weightsOf(with), true).size(), (2688u + 3 * 256 + 672 + 148) * 4);
  EXPECT_EQ(with.weights(), 2688u + 3 * 256 + 672 + 148);
}

TEST(Network, BytesAreLittleEndianFloats) {
  // 1.0 is 0x3f800000 and -2.5 0xc0200000.
  std::vector<Weights> layers{{{1.0f}, {-2.5f}}};
  EXPECT_EQ(weightBytes(layers, true), std::string("\0\0\x80\x3f\0\0\x20\xc0", 8));
  EXPECT_EQ(weightBytes(layers, false), std::string("\0\0\x80\x3f", 4));
}

TEST(Digits, AreThoseThatNumPyReads) {
  const Json& expected = golden()["digits"];
  auto bytes = digits(kSources.digits, expected["first"].get<int>(), 10);
  if (!bytes) GTEST_SKIP() << bytes.error().message;
  ASSERT_EQ(bytes->size(), 10u * 785);
  for (size_t n = 0; n < 10; ++n) {
    std::vector<uint8_t> image(bytes->begin() + static_cast<ptrdiff_t>(n * 784),
                               bytes->begin() + static_cast<ptrdiff_t>((n + 1) * 784));
    EXPECT_EQ(std::accumulate(image.begin(), image.end(), 0), expected["sums"][n].get<int>());
    EXPECT_EQ(std::ranges::max_element(image) - image.begin(), expected["brightest"][n].get<int>());
    EXPECT_EQ(static_cast<int>((*bytes)[7840 + n]), expected["labels"][n].get<int>());
  }
}

TEST(Digits, OnlyThoseThatAreThere) {
  for (auto [first, count] : {std::pair(-1, 2), {0, 0}, {9999, 2}, {0, 10001}, {1, 2147483647}}) {
    auto bytes = digits(kSources.digits, first, count);
    ASSERT_FALSE(bytes) << first << " " << count;
    EXPECT_NE(bytes.error().message.find("0 to 9999"), std::string::npos);
  }
}

/// The header and length of a file are looked at before anything is taken from it.
TEST(Digits, DamagedFiles) {
  std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "fjord-digits";
  std::filesystem::create_directories(folder);
  auto messageFor = [&](const std::string& images, const std::string& labels) {
    std::ofstream(folder / "t10k-images-idx3-ubyte", std::ios::binary) << images;
    std::ofstream(folder / "t10k-labels-idx1-ubyte", std::ios::binary) << labels;
    auto bytes = digits(folder.string(), 9999, 1);
    return bytes ? "fine" : bytes.error().message;
  };
  // 10,000 is 0x2710, 28 0x1c.
  std::string images("\0\0\x08\x03\0\0\x27\x10\0\0\0\x1c\0\0\0\x1c", 16);
  std::string labels("\0\0\x08\x01\0\0\x27\x10", 8);
  images.append(7840000, '\x07'), labels.append(10000, '\x09');
  EXPECT_EQ(messageFor(images, labels), "fine");
  EXPECT_NE(messageFor(images.substr(1), labels).find("images-idx3-ubyte: 2051"),
            std::string::npos);
  EXPECT_NE(messageFor(images + "x", labels).find("7840017 bytes, not 7840016"), std::string::npos);
  EXPECT_NE(messageFor("", labels).find("images-idx3-ubyte"), std::string::npos);
  EXPECT_NE(messageFor(images, images).find("labels-idx1-ubyte: 2049"), std::string::npos);
  labels.back() = '\x0a';
  EXPECT_NE(messageFor(images, labels).find("digit 9999 has the label 10"), std::string::npos);
  std::filesystem::remove_all(folder);
  EXPECT_NE(messageFor(images, labels).find("./dev setup"), std::string::npos);
}

TEST(Text, IsThatWhichPythonReads) {
  const Json& expected = golden()["text"];
  auto bytes = sequences(kSources.text, 0, 1280);
  if (!bytes) GTEST_SKIP() << bytes.error().message;
  ASSERT_EQ(bytes->size(), 1280u * 41);
  for (size_t i = 0; i < kSequence; ++i) EXPECT_EQ((*bytes)[i], expected["first"][i].get<int>());
  auto last = sequences(kSources.text, 1270, 10);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->substr(400), bytes->substr(1280 * 41 - 10));
  for (size_t n = 0; n < 10; ++n) {
    std::string one = last->substr(40 * n, 40);
    EXPECT_EQ(std::accumulate(one.begin(), one.end(), 0), expected["sums"][n].get<int>());
    EXPECT_EQ((*last)[400 + n], expected["following"][n].get<int>());
  }
}

/// Of a text that a test writes.
class TextFile : public testing::Test {
 protected:
  ~TextFile() override { std::filesystem::remove(path); }
  auto sequencesOf(const std::string& text, int first, int count) const {
    std::ofstream(path, std::ios::binary) << text;
    return sequences(path, first, count);
  }
  std::string path = testing::TempDir() + "fjord-text";
};

TEST_F(TextFile, CharactersAndWhereSequencesBegin) {
  // Two beginnings: 0 and 3. The second is 3 * (7919 mod 2), the third is the first.
  std::string text = "PREFAC" + std::string(34, 'E') + "P\xc3\xa6\xe2\x82\xacRRRR";
  auto bytes = sequencesOf(text, 0, 3);
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_EQ(bytes->substr(0, 40), std::string("\0\1\2\3\4\5", 6) + std::string(34, '\2'));
  EXPECT_EQ((*bytes)[120], 0);
  // æ is number 80; the sign of the euro is none of them, so a space, number 13.
  EXPECT_EQ(bytes->substr(40, 40), "\3\4\5" + std::string(34, '\2') + std::string("\0\x50\x0d", 3));
  EXPECT_EQ((*bytes)[121], 1);
  EXPECT_EQ(bytes->substr(80, 40), bytes->substr(0, 40));
  // As the paper's file has it.
  EXPECT_EQ(*sequencesOf(text, 0, 2),
            *sequencesOf("PREFAC" + std::string(34, 'E') + "PÃ¦€RRRR", 0, 2));
}

TEST_F(TextFile, Mistakes) {
  auto errorOf = [](const auto& result) { return result ? "none" : result.error().message; };
  EXPECT_NE(errorOf(sequences("/nowhere", 0, 1)).find("--corpus"), std::string::npos);
  EXPECT_NE(errorOf(sequences("/", 0, 1)).find("cannot read the text /"), std::string::npos);
  EXPECT_NE(errorOf(sequencesOf("short", 0, 1)).find("has 5 characters, and 44"),
            std::string::npos);
  EXPECT_EQ(errorOf(sequencesOf(std::string(44, 'a'), 0, 1)), "none");
  for (auto [first, count] : {std::pair(-1, 1), {0, 0}})
    EXPECT_NE(errorOf(sequencesOf(std::string(44, 'a'), first, count)), "none");
}

}  // namespace
}  // namespace fjord::study
