#include "lab/desk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <fstream>
#include <numeric>
#include <set>
#include <thread>

#include "plan/data.h"
#include "plan/digits.h"
#include "plan/plan.h"

namespace fjord::study {
namespace {

using Milliseconds = std::chrono::milliseconds;
const Sources kSources = sourcesIn(FJORD_ROOT "/node_modules");
const Sources kNowhere{"/nowhere", "/nowhere"};

std::string errorOf(const auto& result) { return result ? "none" : result.error().message; }

// ---- data

const std::vector<Family>& families() {
  static const std::vector<Family> kFamilies = *readFamilies(FJORD_ROOT "/study");
  return kFamilies;
}

std::string dataOf(const std::string& path, const Query& query) {
  auto data = dataFor(families(), kSources, path, query);
  return data ? data->first : "";
}
Json jsonOf(const std::string& path, const Query& query) {
  Result<Json> json = parseJson(dataOf(path, query));
  return json ? *json : Json();
}

float floatAt(const std::string& bytes, size_t i) {
  uint32_t bits = 0;
  for (size_t b = 0; b < 4; ++b) bits |= uint32_t{static_cast<uint8_t>(bytes[4 * i + b])} << 8 * b;
  return std::bit_cast<float>(bits);
}

/// By TensorFlow and NumPy in float64: plan/golden.py.
Json golden() {
  std::ifstream file(FJORD_ROOT "/study/plan/golden.json");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  return *parseJson(text);
}
Query queryOf(const Json& c) {
  return {{"workload",
           cat(stringOr(c, "family", ""), "/", intOr(c, "depth", 0), "x", intOr(c, "width", 0))},
          {"hidden", stringOr(c, "hidden", "")},
          {"output", stringOr(c, "output", "")},
          {"bias", boolOr(c, "bias", true) ? "1" : "0"}};
}

#define NEEDS_DIGITS() \
  if (auto some = digits(kSources.digits, 0, 1); !some) GTEST_SKIP() << some.error().message

void expectNear(const Json& found, const Json& expected, const std::string& what) {
  ASSERT_TRUE(found.is_array()) << what;
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (size_t i = 0; i < found.size(); ++i) {
    if (expected[i].is_array()) {
      expectNear(found[i], expected[i], what);
    } else {
      EXPECT_NEAR(found[i].get<double>(), expected[i].get<double>(), 1e-12) << what << " at " << i;
    }
  }
}

TEST(Data, OutputsAndLossesAreTensorFlows) {
  NEEDS_DIGITS();
  const Json all = golden();
  ASSERT_EQ(all["cases"].size(), 10u);
  for (const Json& c : all["cases"]) {
    Query query = queryOf(c);
    query["batch"] = c["batch"].dump(), query["rate"] = c["rate"].dump();
    query["steps"] = cat(c["losses"].size());
    expectNear(jsonOf("losses.json", query), c["losses"], "losses of " + query["workload"]);
    query["count"] = cat(c["outputs"].size());
    expectNear(jsonOf("outputs.json", query), c["outputs"], "outputs of " + query["workload"]);
  }
}

TEST(Data, WeightsAreNumPys) {
  const Json all = golden();
  for (const Json& c : all["cases"]) {
    Query query = queryOf(c);
    std::string bytes = dataOf("weights.bin", query);
    const Json& last = c["weights"].back();  // its kernel, its bias: sum, first, last
    EXPECT_EQ(floatAt(bytes, 0), c["weights"][0][0][1].get<float>());
    const Json& end = query["bias"] == "1" ? last[1] : last[0];
    EXPECT_EQ(floatAt(bytes, bytes.size() / 4 - 1), end[2].get<float>());
  }
  // 784 x 64 + 64 x 10 weights and 74 biases of four bytes.
  EXPECT_EQ(dataOf("weights.bin", {{"workload", "1x64"}}).size(), 4 * (50176 + 640 + 74u));
  EXPECT_EQ(dataOf("weights.bin", {{"workload", "1x64"}, {"bias", "0"}}).size(),
            4 * (50176 + 640u));
  EXPECT_EQ(dataFor(families(), kSources, "weights.bin", {{"workload", "1x64"}})->second,
            "application/octet-stream");
}

TEST(Data, DigitsAreMnists) {
  NEEDS_DIGITS();
  // The first ten labels of MNIST's test digits, as every introduction to it shows them.
  std::string bytes = dataOf("digits.bin", {{"first", "0"}, {"count", "10"}});
  EXPECT_EQ(bytes.substr(7840), std::string("\7\2\1\0\4\1\4\x09\5\x09", 10));
  EXPECT_EQ(dataOf("digits.bin", {{"first", "4"}, {"count", "1"}}),
            bytes.substr(4 * 784, 784) + "\4");
  EXPECT_EQ(dataOf("digits.bin", {}).size(), 64u * 785);
  EXPECT_EQ(dataOf("digits.bin", {{"count", "10000"}}).size(), 10'000u * 785);
}

/// Without descent the losses are those of the outputs: -log of what the label got, and their mean.
TEST(Data, LossesFollowFromOutputs) {
  NEEDS_DIGITS();
  Query query = {{"workload", "2x16"}, {"hidden", "tanh"}, {"count", "2"}};
  Json outputs = jsonOf("outputs.json", query);
  ASSERT_EQ(outputs.size(), 2u);
  double first = -std::log(outputs[0][7].get<double>()),
         second = -std::log(outputs[1][2].get<double>());
  query = {{"workload", "2x16"}, {"hidden", "tanh"}, {"rate", "0"}, {"batch", "1"}, {"steps", "2"}};
  expectNear(jsonOf("losses.json", query), {first, second}, "one by one");
  query["batch"] = "2", query["steps"] = "1";
  expectNear(jsonOf("losses.json", query), Json::array({(first + second) / 2}), "their mean");
}

TEST(Data, WhatIsNotSaidIsAsInThePaper) {
  NEEDS_DIGITS();
  Query full = {{"workload", "1x8"}, {"hidden", "relu"}, {"output", "softmax"}, {"bias", "1"},
                {"batch", "64"},     {"rate", "0.05"},   {"steps", "3"},        {"count", "10"}};
  for (const char* path : {"weights.bin", "outputs.json", "losses.json"}) {
    EXPECT_EQ(dataOf(path, {{"workload", "1x8"}}), dataOf(path, full)) << path;
    EXPECT_NE(dataOf(path, full), "") << path;
  }
}

TEST(Data, WrongQueriesHaveNone) {
  const std::pair<const char*, Query> kWrong[] = {
      {"weights.bin", {}},
      {"weights.bin", {{"workload", ""}}},
      {"weights.bin", {{"workload", "1x64,2x64"}}},
      {"weights.bin", {{"workload", "0x64"}}},
      {"weights.bin", {{"workload", "1x0"}}},
      {"weights.bin", {{"workload", "-1x64"}}},
      {"weights.bin", {{"workload", "65x64"}}},
      {"weights.bin", {{"workload", "1x4097"}}},
      {"weights.bin", {{"workload", "none/1x64"}}},
      {"weights.bin", {{"workload", "99999999999x64"}}},
      {"weights.bin", {{"workload", "1x64 "}}},
      {"weights.bin", {{"workload", "1x64"}, {"bias", "2"}}},
      {"weights.bin", {{"workload", "1x64"}, {"bias", "-1"}}},
      {"weights.bin", {{"workload", "1x64"}, {"bias", "0.5"}}},
      {"weights.bin", {{"workload", "1x64"}, {"bias", "yes"}}},
      {"weights.bin", {{"workload", "1x64"}, {"bias", "nan"}}},
      {"weights.bin", {{"workload", "1x64"}, {"bias", ""}}},
      {"weights.bin", {{"workload", "1x64"}, {"hidden", "softmax"}}},
      {"weights.bin", {{"workload", "1x64"}, {"hidden", ""}}},
      {"weights.bin", {{"workload", "1x64"}, {"output", "elu"}}},
      {"outputs.json", {{"workload", "1x8"}, {"count", "0"}}},
      {"outputs.json", {{"workload", "1x8"}, {"count", "10001"}}},
      {"outputs.json", {{"workload", "1x8"}, {"count", "1.5"}}},
      {"outputs.json", {{"workload", "1x8"}, {"count", "1 "}}},
      {"outputs.json", {{"workload", "1x8"}, {"count", "1e999"}}},
      {"losses.json", {{"workload", "1x8"}, {"rate", "-0.1"}}},
      {"losses.json", {{"workload", "1x8"}, {"rate", "10.5"}}},
      {"losses.json", {{"workload", "1x8"}, {"rate", "nan"}}},
      {"losses.json", {{"workload", "1x8"}, {"rate", "0x1p-4"}}},
      {"losses.json", {{"workload", "1x8"}, {"batch", "0"}}},
      {"losses.json", {{"workload", "1x8"}, {"batch", "2.5"}}},
      {"losses.json", {{"workload", "1x8"}, {"batch", "1025"}}},
      {"losses.json", {{"workload", "1x8"}, {"steps", "0"}}},
      {"losses.json", {{"workload", "1x8"}, {"steps", "1.5"}}},
      {"losses.json", {{"workload", "1x8"}, {"steps", "11"}}},
      {"losses.json", {{"workload", "1x8"}, {"batch", "1024"}, {"steps", "10"}}},
      {"digits.bin", {{"first", "10000"}}},
      {"digits.bin", {{"first", "-1"}}},
      {"digits.bin", {{"first", "9999"}, {"count", "2"}}},
      {"digits.bin", {{"count", "0"}}},
      {"digits.bin", {{"first", "0.5"}}},
      {"text.bin", {{"first", "-1"}}},
      {"text.bin", {{"count", "10001"}}},
      {"", {{"workload", "1x8"}}},
      {"weights", {{"workload", "1x8"}}},
      {"../weights.bin", {{"workload", "1x8"}}},
  };
  for (const auto& [path, query] : kWrong) {
    std::string text = path;
    for (const auto& [name, value] : query) text += cat(" ", name, "=", value);
    EXPECT_FALSE(dataFor(families(), kSources, path, query)) << text;
  }
}

TEST(Data, TextIsInBytes) {
  std::string bytes = dataOf("text.bin", {{"first", "1"}, {"count", "3"}});
  if (bytes.empty()) GTEST_SKIP() << "Moby-Dick is not there: run ./dev setup";
  EXPECT_EQ(bytes.size(), 3u * 41);
  EXPECT_LT(std::ranges::max(bytes), 84);
  EXPECT_GE(std::ranges::min(bytes), 0);
}

TEST(Data, WithoutMnistThereAreWeights) {
  for (const char* path : {"digits.bin", "text.bin", "outputs.json", "losses.json"})
    EXPECT_FALSE(dataFor(families(), kNowhere, path, {{"workload", "1x8"}})) << path;
  EXPECT_TRUE(dataFor(families(), kNowhere, "weights.bin", {{"workload", "1x8"}}));
}

// ---- trials

/// One subject for pages with two backends, one program; a task with a network, one without.
Catalogue catalogue() {
  Subject page;
  page.name = "tfjs";
  page.title = "TensorFlow.js";
  page.files = {"tfjs/tf.js"};
  page.style = {.hidden = "tanh", .output = "sigmoid", .bias = false};
  page.backends.resize(2);
  page.backends[0].name = "cpu";
  page.backends[1].name = "wasm";
  page.backends[1].files = {"wasm/wasm.js", "wasm/wasm.wasm"};
  Subject program = page;
  program.name = "tensorflow";
  program.title = "TensorFlow";
  program.native = true;
  program.models = "tfjs";
  Task train, probe;
  train.name = "train";
  probe.name = "probe";
  probe.sized = false;
  probe.phases = {"start", "depth"};
  Catalogue out;
  out.families = families();
  out.subjects = {program, page};
  out.tasks = {probe, train};
  return out;
}

const Cell kTrain{"tfjs", "wasm", "train", {2, 128}};
const Cell kProbe{"tfjs", "cpu", "probe", {}};

TrialResult good(double ms) {
  TrialResult out;
  out.outcome = Outcome::kOk;
  out.samples = {{"steady", "ms", ms}};
  return out;
}

class TrialsTest : public testing::Test {
 protected:
  Catalogue known = catalogue();
  Trials trials{known, {.sources = kSources, .budget = 700, .samples = 30}};
  Desk desk = trials.desk();
};

TEST_F(TrialsTest, PagesAreToldOfTheirTrial) {
  int64_t id = trials.open(kTrain);
  EXPECT_EQ(id, 1);
  EXPECT_EQ(trials.open(kProbe), 2);
  std::optional<Json> json = desk.trial(id);
  ASSERT_TRUE(json);
  EXPECT_EQ(
      json->dump(),
      R"({"id":1,"subject":"tfjs","backend":"wasm","task":"train",)"
      R"("workload":"dense/2x128","network":{"workload":"dense/2x128","data":"digits","input":[784],"layers":[)"
      R"({"type":"dense","kernel":[784,128],"activation":"tanh"},)"
      R"({"type":"dense","kernel":[128,128],"activation":"tanh"},)"
      R"({"type":"dense","kernel":[128,10],"activation":"sigmoid"}],)"
      R"("hidden":"tanh","output":"sigmoid","bias":false,"batch":64,"optimizer":"sgd","rate":0.05,)"
      R"("compared":{"outputs":10,"batch":64,"steps":3,"rate":0.05},"training":"batch"},)"
      R"("files":["tfjs/tf.js","wasm/wasm.js","wasm/wasm.wasm"],"module":false,)"
      R"("profile":false,)"
      R"("models":"tfjs","budget":700,"samples":30})");
  std::optional<Json> probe = desk.trial(2);
  ASSERT_TRUE(probe);
  EXPECT_EQ((*probe)["workload"], "");
  EXPECT_EQ((*probe)["files"].size(), 1u);
  EXPECT_EQ((*probe)["profile"], true);
  EXPECT_FALSE(desk.trial(3));
  EXPECT_FALSE(desk.trial(0));
  EXPECT_FALSE(desk.trial(-1));
  EXPECT_EQ(trials.json(trials.open({"tensorflow", "cpu", "train", {1, 8}}))["models"], "tfjs");
}

TEST_F(TrialsTest, AResultEndsTheWait) {
  int64_t id = trials.open(kTrain), other = trials.open(kTrain);
  std::jthread page([&] {
    std::this_thread::sleep_for(Milliseconds(50));
    EXPECT_TRUE(desk.result(other, good(5)));
    std::this_thread::sleep_for(Milliseconds(50));
    EXPECT_TRUE(desk.result(id, good(9.5)));
  });
  auto start = std::chrono::steady_clock::now();
  std::optional<TrialResult> result = trials.wait(id, std::chrono::minutes(1));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->samples.at(0).value, 9.5);
  // It stays until the trial is closed.
  EXPECT_TRUE(trials.wait(id, Milliseconds(0)));
}

TEST_F(TrialsTest, WithoutAResultTheTimeGoesBy) {
  int64_t id = trials.open(kTrain);
  auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(trials.wait(id, Milliseconds(60)));
  EXPECT_GE(std::chrono::steady_clock::now() - start, Milliseconds(60));
  // What has never been there is not waited for, and is not there afterwards.
  start = std::chrono::steady_clock::now();
  EXPECT_FALSE(trials.wait(77, std::chrono::minutes(1)));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  EXPECT_FALSE(desk.trial(77));
}

TEST_F(TrialsTest, WhatAnExtensionReadIsAmongTheSamples) {
  int64_t id = trials.open({"tfjs", "cpu", "train", {1, 64}});
  EXPECT_TRUE(desk.usage(id, {{"cpu", "percent", 90}}));
  EXPECT_TRUE(desk.usage(id, {{"machine", "percent", 150}}));
  EXPECT_TRUE(desk.result(id, {.outcome = Outcome::kOk, .samples = {{"steady", "ms", 2}}}));
  std::string kept;
  for (const Sample& s : trials.wait(id, Milliseconds(0))->samples) kept += s.phase + " ";
  EXPECT_EQ(kept, "steady cpu machine ");
  EXPECT_FALSE(desk.usage(id, {{"cpu", "percent", 90}})) << "the result is there";
  EXPECT_FALSE(desk.usage(id + 1, {})) << "there is no such trial";

  int64_t wrong = trials.open({"tfjs", "cpu", "train", {1, 64}});
  EXPECT_TRUE(desk.usage(wrong, {{"cpu", "percent", 90}}));
  EXPECT_TRUE(desk.result(wrong, {.outcome = Outcome::kWrong}));
  EXPECT_TRUE(trials.wait(wrong, Milliseconds(0))->samples.empty()) << "a wrong answer has none";
}

TEST_F(TrialsTest, ASecondResultIsRefused) {
  int64_t id = trials.open(kTrain);
  EXPECT_TRUE(desk.result(id, good(1)));
  EXPECT_EQ(errorOf(desk.result(id, good(2))), "the trial 1 has a result already");
  EXPECT_EQ(trials.wait(id, Milliseconds(0))->samples.at(0).value, 1);
}

TEST_F(TrialsTest, WhatComesLateIsRefused) {
  int64_t id = trials.open(kTrain);
  trials.close(id);
  EXPECT_EQ(errorOf(desk.result(id, good(1))), "the trial 1 is over");
  EXPECT_EQ(errorOf(desk.phase(id, "steady")), "there is no trial 1");
  EXPECT_FALSE(trials.wait(id, Milliseconds(0)));
  EXPECT_FALSE(desk.trial(id));
  trials.close(id);
  // Its number is not given again.
  EXPECT_EQ(trials.open(kTrain), 2);
}

TEST_F(TrialsTest, ClosingEndsTheWait) {
  int64_t id = trials.open(kTrain);
  std::jthread closer([&] {
    std::this_thread::sleep_for(Milliseconds(50));
    trials.close(id);
  });
  auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(trials.wait(id, std::chrono::minutes(1)));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST_F(TrialsTest, PhasesAreHeard) {
  int64_t id = trials.open(kTrain);
  EXPECT_TRUE(desk.phase(id, "start")) << "nobody listens";
  std::string heard;
  trials.onPhase = [&](int64_t trial, const std::string& phase) { heard += cat(trial, phase); };
  EXPECT_TRUE(desk.phase(id, "steady"));
  EXPECT_FALSE(desk.phase(id + 1, "steady"));
  EXPECT_EQ(heard, "1steady");
}

TEST_F(TrialsTest, ImpossibleTrialsAreNotMade) {
  auto reason = [&](const Cell& cell) { return errorOf(desk.create(cell)); };
  EXPECT_EQ(reason({"torch", "cpu", "train", {1, 8}}), "there is no subject \"torch\"");
  EXPECT_EQ(reason({"tfjs", "cpu", "sing", {1, 8}}), "there is no task \"sing\"");
  EXPECT_EQ(reason({"tfjs", "webgl", "train", {1, 8}}), "TensorFlow.js has no backend \"webgl\"");
  EXPECT_EQ(reason({"tensorflow", "cpu", "train", {1, 8}}),
            "TensorFlow is a native program: no page can run it");
  EXPECT_EQ(reason({"tfjs", "cpu", "train", {}}), "the task train needs a workload");
  EXPECT_EQ(reason({"tfjs", "cpu", "probe", {1, 8}}), "the task probe has no workload");
  // The server lets 64x4096 through, for which /data/ has nothing.
  EXPECT_NE(reason({"tfjs", "cpu", "train", {64, 4096}}).find("choose a smaller one"),
            std::string::npos);
  EXPECT_NE(reason({"tfjs", "cpu", "train", {7, 8, "cnn"}}).find("so 6, 9, .. layers"),
            std::string::npos);
  EXPECT_EQ(reason({"tfjs", "cpu", "train", {16, 1024}}), "none");
  EXPECT_FALSE(desk.trial(2)) << "a refused trial is there";
}

TEST_F(TrialsTest, ResultsOfPagesOpenedByLinkAreHeard) {
  std::vector<std::pair<Cell, double>> heard;
  trials.onResult = [&](const Cell& cell, double seconds, const TrialResult& result) -> Status {
    EXPECT_GE(seconds, 0.02);
    EXPECT_LT(seconds, 60);
    heard.emplace_back(cell, result.samples.at(0).value);
    return {};
  };
  Result<Json> trial = desk.create(kTrain);
  ASSERT_TRUE(trial);
  EXPECT_EQ((*trial)["id"], 1);
  int64_t awaited = trials.open(kTrain);
  std::this_thread::sleep_for(Milliseconds(20));
  EXPECT_TRUE(desk.result(1, good(4)));
  EXPECT_TRUE(desk.result(awaited, good(5))) << "this one is waited for";
  EXPECT_EQ(errorOf(desk.result(1, good(6))), "the trial 1 has a result already");
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_EQ(heard[0], std::pair(kTrain, 4.0));
}

TEST_F(TrialsTest, AResultThatCouldNotBeKeptMayComeAgain) {
  bool isFull = true;
  trials.onResult = [&](const Cell&, double, const TrialResult&) -> Status {
    return isFull ? Status(fail("the disk is full")) : Status();
  };
  ASSERT_TRUE(desk.create(kTrain));
  EXPECT_EQ(errorOf(desk.result(1, good(4))), "the disk is full");
  isFull = false;
  EXPECT_TRUE(desk.result(1, good(4)));
  EXPECT_EQ(errorOf(desk.result(1, good(4))), "the trial 1 has a result already");
}

TEST_F(TrialsTest, AWalkGoesThroughItsCells) {
  EXPECT_TRUE(desk.next().is_null());
  trials.walk = {kProbe, kTrain, kProbe};
  int heard = 0;
  trials.onResult = [&](const Cell& cell, double, const TrialResult&) -> Status {
    EXPECT_EQ(cell, trials.walk[static_cast<size_t>(heard++)]);
    return {};
  };
  for (int left = 2; left >= 0; --left) {
    Json trial = desk.next();
    EXPECT_EQ(trial["id"], 3 - left);
    EXPECT_EQ(trial["task"], left == 1 ? "train" : "probe");
    EXPECT_EQ(trial["left"], left);
    EXPECT_TRUE(desk.result(trial["id"].get<int64_t>(), good(1)));
  }
  EXPECT_TRUE(desk.next().is_null());
  EXPECT_TRUE(desk.next().is_null());
  EXPECT_EQ(heard, 3);
}

TEST_F(TrialsTest, DataIsMadeOnceAndStaysTheSame) {
  Query query = {{"workload", "1x8"}, {"bias", "0"}};
  auto first = desk.data("weights.bin", query), second = desk.data("weights.bin", query);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->first, dataOf("weights.bin", query));
  EXPECT_EQ(*first, *second);
  // Written one behind the other, the parameters of both are the same text.
  EXPECT_FALSE(desk.data("weights.bin", {{"bias", "0&workload=1x8"}}));
  EXPECT_FALSE(desk.data("weights.bin", {{"workload", "1x8"}, {"bias", "3"}}));
  // More than are kept.
  for (int width = 1; width <= 120; ++width) {
    auto data = desk.data("weights.bin", {{"workload", cat("1x", width)}});
    ASSERT_TRUE(data) << width;
    EXPECT_EQ(data->first.size(), 4u * static_cast<size_t>(784 * width + width + 10 * width + 10));
  }
  EXPECT_EQ(desk.subjects()["subjects"].size(), 2u);
}

/// The server's threads, and the lab's that waits.
TEST_F(TrialsTest, SeveralThreadsAtOnce) {
  constexpr int kThreads = 8, kEach = 50;
  trials.walk = std::vector(kThreads * kEach, kProbe);
  std::atomic<int> heard = 0, phases = 0;
  trials.onResult = [&](const Cell&, double, const TrialResult&) -> Status {
    ++heard;
    return {};
  };
  trials.onPhase = [&](int64_t, const std::string&) { ++phases; };
  std::vector<std::set<int64_t>> walked(kThreads);
  {
    std::vector<std::jthread> threads;
    for (size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          int64_t step = desk.next()["id"].get<int64_t>();
          walked[t].insert(step);
          int64_t id = trials.open(kTrain);
          std::jthread page([&] {
            EXPECT_TRUE(desk.phase(id, "steady"));
            EXPECT_TRUE(desk.trial(id));
            EXPECT_TRUE(desk.result(step, good(1)));
            EXPECT_TRUE(desk.data("weights.bin", {{"workload", cat("1x", i + 1)}}));
            EXPECT_TRUE(desk.result(id, good(static_cast<double>(id))));
          });
          std::optional<TrialResult> result = trials.wait(id, std::chrono::minutes(1));
          page.join();
          trials.close(id);
          ASSERT_TRUE(result);
          EXPECT_EQ(result->samples.at(0).value, static_cast<double>(id));
        }
      });
    }
  }
  std::set<int64_t> all;
  for (const std::set<int64_t>& ids : walked) all.insert(ids.begin(), ids.end());
  EXPECT_EQ(all.size(), size_t{kThreads * kEach}) << "no trial was given twice";
  EXPECT_EQ(heard, kThreads * kEach);
  EXPECT_EQ(phases, kThreads * kEach);
  EXPECT_TRUE(desk.next().is_null());
}

/// Of many that report for one trial at the same time one is believed.
TEST_F(TrialsTest, OneResultOfMany) {
  for (int64_t id : {trials.open(kTrain), (*desk.create(kTrain))["id"].get<int64_t>()}) {
    std::atomic<int> taken = 0;
    {
      std::vector<std::jthread> pages;
      for (int i = 0; i < 16; ++i)
        pages.emplace_back([&, i] { taken += desk.result(id, good(i)).has_value(); });
    }
    EXPECT_EQ(taken, 1);
  }
}

}  // namespace
}  // namespace fjord::study
