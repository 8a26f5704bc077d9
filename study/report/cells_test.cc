#include "report/cells.h"

#include <gtest/gtest.h>

#include "report/sample_run.h"

namespace fjord::study {
namespace {

const Workload kSmall{1, 64}, kLarge{2, 128};
const Cell kTrain{"a", "cpu", "train", kSmall};

SampleRun oneSubject() {
  SampleRun run;
  run.subject("a", "A", {{"cpu", "JavaScript"}});
  return run;
}

/// The samples of a trial are one number, their median; the cell's is the median of those.
TEST(Cells, MedianOfTrials) {
  SampleRun run = oneSubject();
  run.ok(kTrain, {{"steady", 1}, {"steady", 9}, {"steady", 2}, {"first", 100}})
      .ok(kTrain, {{"steady", 4}})
      .ok(kTrain, {{"steady", 8}, {"steady", 6}});
  Cells cells(run.input);
  const Measured& m = cells.at(kTrain, "steady");
  ASSERT_TRUE(m.value);
  EXPECT_EQ(m.trials, (std::vector<double>{2, 4, 7}));
  EXPECT_EQ(m.value->centre, 4);
  EXPECT_GE(m.value->low, 2);
  EXPECT_LE(m.value->high, 7);
  EXPECT_EQ(m.caveat, "");
  EXPECT_EQ(cells.at(kTrain, "heap").reason, "not measured");
}

TEST(Cells, ANumberForEachPhase) {
  TrialResult result;
  EXPECT_FALSE(ofTrial(result, "longtask"));
  for (double value : {10.0, 20.0, 30.0}) {
    result.samples.push_back({"memory", "bytes", value});
    result.samples.push_back({"frame", "ms", value});
    result.samples.push_back({"cpu", "percent", value});
  }
  EXPECT_EQ(ofTrial(result, "memory"), 30);  // the most
  EXPECT_EQ(ofTrial(result, "cpu"), 20);     // the median
  // The 95th percentile lies at 0.95 * 2 = 1.9 between the sorted three: 20 + 0.9 * 10.
  EXPECT_DOUBLE_EQ(*ofTrial(result, "frame"), 29);
  // Frames were watched and no task was long.
  EXPECT_EQ(ofTrial(result, "longtask"), 0);
  result.samples.push_back({"longtask", "ms", 70});
  result.samples.push_back({"longtask", "ms", 120});
  EXPECT_EQ(ofTrial(result, "longtask"), 120);
  EXPECT_FALSE(ofTrial(result, "steady"));
}

TEST(Cells, ReasonsOfAllKinds) {
  SampleRun run = oneSubject();
  run.subject("b", "B", {{"cpu", "JavaScript"}}).unsupported["train"] = "no gradients";
  auto reason = [&](Outcome outcome, const std::string& message) {
    run.ended(kTrain, outcome, message);
    run.input.trials.back().seconds = 61.7;
    std::string text = Cells(run.input).at(kTrain, "steady").reason;
    run.input.trials.clear();
    return text;
  };
  EXPECT_EQ(reason(Outcome::kTimeout, ""), "timeout: > 61 s");
  EXPECT_EQ(reason(Outcome::kUnsupported, "no GPU"), "unsupported: no GPU");
  EXPECT_EQ(reason(Outcome::kCrash, "the page was gone"), "crash: the page was gone");
  EXPECT_EQ(reason(Outcome::kError, "404"), "error: 404");
  EXPECT_EQ(reason(Outcome::kError, ""), "error");
  EXPECT_EQ(reason(Outcome::kWrong, "odd"), "wrong: odd");
  Cells cells(run.input);
  EXPECT_EQ(cells.at(kTrain, "steady").reason, "not in this run");
  EXPECT_EQ(cells.at({"b", "cpu", "train", kSmall}, "steady").reason, "unsupported: no gradients");
  EXPECT_EQ(cells.at({"nobody", "cpu", "train", kSmall}, "steady").reason, "not in this run");
}

/// A wrong answer in one trial takes the numbers of all: the others may have been luck.
TEST(Cells, AWrongAnswerHasNoTime) {
  SampleRun run = oneSubject();
  run.ok(kTrain, {{"steady", 1}}).ended(kTrain, Outcome::kWrong, "");
  run.input.trials.back().result.correctness = {"loss", 0.25, 0.001};
  Cells cells(run.input);
  EXPECT_FALSE(cells.at(kTrain, "steady").value);
  EXPECT_EQ(cells.at(kTrain, "steady").reason, "wrong by 0.250, may be 0.00100");
  EXPECT_TRUE(cells.pooled(cells.series()[0], "train", "steady").empty());
  run.input.trials.back().result.correctness = {"falling", 1.5, 1};
  EXPECT_EQ(Cells(run.input).at(kTrain, "steady").reason,
            "wrong: the loss ended at 1.50 times where it began, may be 1.00");
}

TEST(Cells, TellsOfTrialsThatFailedBesideOthers) {
  SampleRun run = oneSubject();
  run.ok(kTrain, {{"steady", 1}})
      .ok(kTrain, {{"steady", 3}})
      .ended(kTrain, Outcome::kCrash, "gone");
  Cells cells(run.input);
  EXPECT_EQ(cells.at(kTrain, "steady").value->centre, 2);
  EXPECT_EQ(cells.at(kTrain, "steady").caveat, "2 of 3 trials; another: crash: gone");
}

TEST(Cells, AbsenceIsToldByWhatWasTried) {
  SampleRun run = oneSubject();
  const Series series = Cells(run.input).series()[0];
  run.ended({"a", "cpu", "train", kLarge}, Outcome::kCrash, "gone")
      .ok({"a", "cpu", "infer", kSmall}, {});
  EXPECT_EQ(Cells(run.input).absence(series, "train", "steady"), "crash: gone");
  run.ok(kTrain, {{"steady", 1}});
  EXPECT_EQ(Cells(run.input).absence(series, "train", "steady"), "");
}

/// Browsers' before native programs; a subject of a trial that the catalogue lacks is there, too.
TEST(Cells, SeriesOfCatalogueAndTrials) {
  SampleRun run;
  run.subject("a", "A", {{"cpu", "CPU"}}).native = true;
  run.subject("b", "B", {{"cpu", "JavaScript"}, {"webgl", "WebGL", true}});
  run.ok({"gone", "wasm", "train", kSmall}, {{"steady", 1}});
  Cells cells(run.input);
  std::vector<std::string> labels;
  for (const Series& series : cells.series()) labels.push_back(series.label);
  EXPECT_EQ(labels,
            (std::vector<std::string>{"B · JavaScript", "B · WebGL", "A (native)", "gone · wasm"}));
  EXPECT_EQ(cells.series()[0].colour, cells.series()[1].colour);
  EXPECT_NE(cells.series()[1].colour, cells.series()[2].colour);
  EXPECT_NE(cells.series()[2].colour, cells.series()[3].colour);
  EXPECT_TRUE(cells.series()[1].gpu);
  EXPECT_EQ(cells.subjects().size(), 3u);
}

/// 784 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10 = 55,050 weights.
TEST(Cells, BytesOfWeights) {
  EXPECT_EQ(float32Bytes(networks(), {2, 64}, true), 4 * 55050);
  EXPECT_EQ(float32Bytes(networks(), {2, 64}, false), 4 * (55050 - 64 - 64 - 10));
}

TEST(Cells, KnowsSoftwareAdapters) {
  EXPECT_TRUE(softwareAdapter("ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero)))"));
  EXPECT_TRUE(softwareAdapter("llvmpipe (LLVM 15)"));
  EXPECT_FALSE(softwareAdapter("NVIDIA GeForce GTX 1070"));
  EXPECT_FALSE(softwareAdapter(""));
}

}  // namespace
}  // namespace fjord::study
