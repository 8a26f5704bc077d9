#include "report/findings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "report/sample_run.h"

namespace fjord::study {
namespace {

const std::vector<Workload> kSizes = {{1, 64}, {1, 128}, {2, 64}, {2, 128}};

/// TensorFlow.js on two backends, ConvNetJS, TensorFlow: nothing measured yet.
SampleRun emptyRun() {
  SampleRun run;
  run.subject("convnetjs", "ConvNetJS", {{"cpu", "JavaScript"}});
  run.subject("tfjs", "TensorFlow.js", {{"cpu", "JavaScript"}, {"webgl", "WebGL", true}});
  run.subject("tensorflow", "TensorFlow", {{"cpu", "CPU"}, {"gpu", "GPU", true}}).native = true;
  return run;
}

/// The same samples at all sizes, in two rounds: one decides nothing.
void everywhere(SampleRun& run, const char* subject, const char* backend, const char* task,
                const std::vector<std::pair<std::string, double>>& samples, int rounds = 2) {
  for (int round = 0; round < rounds; ++round) {
    for (const Workload& workload : kSizes) run.ok({subject, backend, task, workload}, samples);
  }
}

Verdict verdictOf(Finding (*finding)(const Cells&), const SampleRun& run) {
  return finding(Cells(run.input)).verdict;
}

std::string whyOf(Finding (*finding)(const Cells&), const SampleRun& run) {
  return finding(Cells(run.input)).why;
}

std::string evidenceOf(Finding (*finding)(const Cells&), const SampleRun& run) {
  std::string out;
  for (const std::string& line : finding(Cells(run.input)).evidence) out += line + "\n";
  return out;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Each finding says what it lacks, and still what the paper found.
TEST(Findings, CannotBeToldFromNothing) {
  SampleRun run = emptyRun();
  std::vector<Finding> all = findings(Cells(run.input));
  ASSERT_EQ(all.size(), 8u);
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(all[i].number, i + 1);
    EXPECT_EQ(all[i].verdict, Verdict::kUnknown) << i + 1;
    EXPECT_FALSE(all[i].why.empty()) << i + 1;
    EXPECT_FALSE(all[i].paper.empty() || all[i].criterion.empty()) << i + 1;
    EXPECT_EQ(verdictText(all[i]), "cannot be told: " + all[i].why);
  }
}

// ---- 1

const Json kAll = {{"training", true}, {"cnn", true}, {"rnn", true}};
const Json kSome = {{"training", true}, {"cnn", true}, {"rnn", false}};

SampleRun supportRun(const Json& tfjs, const Json& convnetjs, const Json& third, double slow) {
  SampleRun run = emptyRun();
  run.subject("third", "Third", {{"cpu", "JavaScript"}});
  run.facts("tfjs", "cpu", tfjs).facts("convnetjs", "cpu", convnetjs).facts("third", "cpu", third);
  everywhere(run, "tfjs", "webgl", "train", {{"steady", 900}});
  everywhere(run, "tfjs", "cpu", "train", {{"steady", slow}});  // its quickest
  everywhere(run, "convnetjs", "cpu", "train", {{"steady", 2}});
  return run;
}

TEST(Findings, TaskSupport) {
  // One of three is general; 19 / 2 is less than 10 times, 21 / 2 is more.
  EXPECT_EQ(verdictOf(taskSupport, supportRun(kAll, kSome, kSome, 19)), Verdict::kHolds);
  EXPECT_EQ(verdictOf(taskSupport, supportRun(kAll, kSome, kSome, 21)), Verdict::kPartly);
  EXPECT_EQ(verdictOf(taskSupport, supportRun(kAll, kAll, kSome, 19)), Verdict::kPartly);
  EXPECT_EQ(verdictOf(taskSupport, supportRun(kAll, kAll, kSome, 21)), Verdict::kNoLonger);
  std::string evidence = evidenceOf(taskSupport, supportRun(kAll, kSome, kSome, 21));
  EXPECT_TRUE(has(evidence, "1 of 3 frameworks have all three: TensorFlow.js")) << evidence;
  EXPECT_TRUE(has(evidence, "in 0 of 4 sizes; the widest gap is × 10.5 (train, 1x64)")) << evidence;
}

// ---- 2

/// The time of 1x64 is 10; `width` and `depth` multiply it. One round for each pair of them.
SampleRun complexityRun(const std::vector<std::pair<double, double>>& rounds,
                        const char* task = "train") {
  SampleRun run = emptyRun();
  for (auto [width, depth] : rounds) {
    run.ok({"tfjs", "cpu", task, {1, 64}}, {{"steady", 10}});
    run.ok({"tfjs", "cpu", task, {1, 128}}, {{"steady", 10 * width}});
    run.ok({"tfjs", "cpu", task, {2, 64}}, {{"steady", 10 * depth}});
    run.ok({"tfjs", "cpu", task, {2, 128}}, {{"steady", 10 * width * depth}});
  }
  return run;
}

TEST(Findings, ModelComplexity) {
  SampleRun wide = complexityRun({{2, 1.5}, {2, 1.5}});
  EXPECT_EQ(verdictOf(modelComplexity, wide), Verdict::kHolds);
  EXPECT_EQ(verdictOf(modelComplexity, complexityRun({{1.5, 2}, {1.5, 2}})), Verdict::kNoLonger);
  std::string evidence = evidenceOf(modelComplexity, wide);
  EXPECT_TRUE(
      has(evidence,
          "train: twice the width takes × 2.00, twice the depth × 1.50 the time (1 series); "
          "the first over the second × 1.33, range of 2 rounds"))
      << evidence;
  // 1x64: 64 * (3 * 50816 - 50176) = 6,545,408; 1x128: twice that; 2x64: 64 * 3 * 4096 = 786,432 more;
  // 2x128: 13,090,816 + 4 * 786,432. Growth in width: the root of 2 * 16,236,544 / 7,331,840; in depth
  // that of 7,331,840 / 6,545,408 * 16,236,544 / 13,090,816.
  EXPECT_TRUE(has(evidence, "train: multiplications alone grow × 2.10 and × 1.18")) << evidence;
}

/// The paper says it of training and of inference: one of two is a part. They are not pooled.
TEST(Findings, ModelComplexityTaskByTask) {
  SampleRun run = complexityRun({{2, 1.5}, {2, 1.5}});
  SampleRun other = complexityRun({{1.5, 2}, {1.5, 2}}, "infer");
  std::ranges::move(other.input.trials, std::back_inserter(run.input.trials));
  EXPECT_EQ(verdictOf(modelComplexity, run), Verdict::kPartly);
}

/// Where rounds contradict each other nothing is decided, and where there is one round.
TEST(Findings, ModelComplexityIsNotDecidedByNoise) {
  SampleRun noisy = complexityRun({{2, 1.5}, {1.5, 2}, {2, 1.6}});
  EXPECT_EQ(verdictOf(modelComplexity, noisy), Verdict::kNotDecided);
  EXPECT_EQ(whyOf(modelComplexity, noisy), "the range of 3 rounds has × 1.00 in it");
  SampleRun one = complexityRun({{2, 1.5}});
  EXPECT_EQ(verdictText(modelComplexity(Cells(one.input))),
            "not decided: one round has no interval");
}

/// A pair that is 4 times as wide counts as two doublings: 9 is 3 * 3.
TEST(Findings, ModelComplexityOverLongerSteps) {
  SampleRun run = emptyRun();
  for (int round = 0; round < 2; ++round) {
    run.ok({"tfjs", "cpu", "infer", {1, 64}}, {{"steady", 1}});
    run.ok({"tfjs", "cpu", "infer", {1, 256}}, {{"steady", 9}});
  }
  EXPECT_EQ(whyOf(modelComplexity, run), "it needs sizes that differ in width and in depth");
  for (int round = 0; round < 2; ++round)
    run.ok({"tfjs", "cpu", "infer", {2, 64}}, {{"steady", 4}});
  std::string evidence = evidenceOf(modelComplexity, run);
  EXPECT_TRUE(has(evidence, "twice the width takes × 3.00, twice the depth × 4.00")) << evidence;
  EXPECT_EQ(verdictOf(modelComplexity, run), Verdict::kNoLonger);
}

// ---- 3

TEST(Findings, ModelLoading) {
  SampleRun run = emptyRun();
  everywhere(run, "tfjs", "cpu", "infer", {{"load", 38}, {"first", 2}, {"steady", 2}});
  EXPECT_EQ(verdictOf(modelLoading, run), Verdict::kHolds);
  EXPECT_TRUE(has(evidenceOf(modelLoading, run),
                  "take × 20.0, range of 2 rounds, of one inference, over 4 cells"))
      << evidenceOf(modelLoading, run);
  // With as many cells of × 4 the geometric mean is the root of 80, which is less than 10.
  everywhere(run, "convnetjs", "cpu", "infer", {{"load", 6}, {"first", 2}, {"steady", 2}});
  EXPECT_EQ(verdictOf(modelLoading, run), Verdict::kNoLonger);
  // A round in which × 20 became × 40 takes that to the root of 160.
  SampleRun noisy = emptyRun();
  everywhere(noisy, "tfjs", "cpu", "infer", {{"load", 38}, {"first", 2}, {"steady", 2}}, 1);
  everywhere(noisy, "tfjs", "cpu", "infer", {{"load", 78}, {"first", 2}, {"steady", 2}}, 1);
  everywhere(noisy, "convnetjs", "cpu", "infer", {{"load", 6}, {"first", 2}, {"steady", 2}});
  EXPECT_EQ(verdictOf(modelLoading, noisy), Verdict::kNotDecided);
  EXPECT_EQ(whyOf(modelLoading, noisy), "the range of 2 rounds has × 10.0 in it");
}

/// A processor that imitates a GPU is slow in everything; it has no say.
TEST(Findings, SoftwareGpusDoNotCount) {
  SampleRun run = emptyRun();
  everywhere(run, "tfjs", "webgl", "infer", {{"load", 38}, {"first", 2}, {"steady", 2}});
  EXPECT_EQ(verdictOf(modelLoading, run), Verdict::kHolds);
  run.input.run.machine.gpu = "llvmpipe";
  EXPECT_EQ(whyOf(modelLoading, run), "no cell has times of loading and of inference");
}

// ---- 4 and 5

SampleRun gpuRun(double webgl, double nativeCpu, double nativeGpu) {
  SampleRun run = emptyRun();
  everywhere(run, "tfjs", "webgl", "infer", {{"steady", webgl}});
  everywhere(run, "tensorflow", "cpu", "infer", {{"steady", nativeCpu}});
  if (nativeGpu > 0) everywhere(run, "tensorflow", "gpu", "infer", {{"steady", nativeGpu}});
  return run;
}

TEST(Findings, GpuAgainstNative) {
  EXPECT_EQ(verdictOf(gpuAgainstNative, gpuRun(1.9, 9, 1)), Verdict::kHolds);
  EXPECT_EQ(verdictOf(gpuAgainstNative, gpuRun(2.1, 9, 1)), Verdict::kNoLonger);
  SampleRun one = gpuRun(1.9, 9, 1);
  std::erase_if(one.input.trials, [](const TrialRow& row) { return row.trial.round > 0; });
  EXPECT_EQ(whyOf(gpuAgainstNative, one), "one round has no interval");
  EXPECT_TRUE(has(evidenceOf(gpuAgainstNative, gpuRun(2.1, 9, 1)),
                  "TensorFlow.js · WebGL over TensorFlow (native) · GPU: × 2.10"));
  EXPECT_EQ(whyOf(gpuAgainstNative, gpuRun(2.1, 9, 0)),
            "the run has no TensorFlow on a GPU beside TensorFlow.js on one");
}

TEST(Findings, GpuAgainstProcessor) {
  EXPECT_EQ(verdictOf(gpuAgainstProcessor, gpuRun(0.9, 1, 0)), Verdict::kHolds);
  EXPECT_EQ(verdictOf(gpuAgainstProcessor, gpuRun(1.1, 1, 0)), Verdict::kNoLonger);
  // A program that imitates a GPU says nothing of GPUs, however fast it is.
  SampleRun run = gpuRun(0.9, 1, 0);
  run.input.run.machine.gpu = "Google SwiftShader";
  EXPECT_EQ(whyOf(gpuAgainstProcessor, run), "the processor computed what a GPU should");
  EXPECT_TRUE(has(evidenceOf(gpuAgainstProcessor, run), "× 0.900"));
  EXPECT_TRUE(has(evidenceOf(gpuAgainstProcessor, run), "the adapter: Google SwiftShader"));
}

// ---- 6

/// ConvNetJS's file has `text` and TensorFlow.js's `binary` times the bytes of the weights.
SampleRun fileRun(double text, double binary, double textLoad, double binaryLoad) {
  SampleRun run = emptyRun();
  for (const Workload& workload : kSizes) {
    double bytes = float32Bytes(networks(), workload, true);
    run.ok({"convnetjs", "cpu", "save", workload}, {{"file", text * bytes}});
    run.ok({"tfjs", "cpu", "save", workload}, {{"file", binary * bytes}});
    if (textLoad <= 0) continue;
    run.ok({"convnetjs", "cpu", "infer", workload}, {{"load", textLoad}});
    run.ok({"tfjs", "cpu", "infer", workload}, {{"load", binaryLoad}});
  }
  return run;
}

TEST(Findings, FileEncoding) {
  EXPECT_EQ(verdictOf(fileEncoding, fileRun(7, 1, 30, 10)), Verdict::kHolds);
  EXPECT_EQ(verdictOf(fileEncoding, fileRun(7, 1, 10, 30)), Verdict::kPartly);
  EXPECT_EQ(verdictOf(fileEncoding, fileRun(4, 1, 30, 10)), Verdict::kPartly);
  EXPECT_EQ(verdictOf(fileEncoding, fileRun(4, 1, 10, 30)), Verdict::kNoLonger);
  EXPECT_EQ(whyOf(fileEncoding, fileRun(7, 1, 0, 0)),
            "no size has times of loading for both encodings");
  EXPECT_EQ(whyOf(fileEncoding, fileRun(1.5, 1, 30, 10)),
            "it needs files of both encodings at one size");
  std::string evidence = evidenceOf(fileEncoding, fileRun(7, 1.4, 30, 10));
  EXPECT_TRUE(has(evidence, "text is × 5.00 as large")) << evidence;
  EXPECT_TRUE(has(evidence, "text loads slower in 4 of 4 sizes")) << evidence;
}

/// Files of 1, 2, 3 and 4 (by size), loaded in 10, 20, 40, 30: ranks differ in one swap, 1 - 6 * 2
/// / (4 * 15) = 0.8.
TEST(Findings, FileEncodingTellsTheCorrelation) {
  SampleRun run = emptyRun();
  double load[] = {10, 20, 40, 30};
  const Workload ordered[] = {{1, 64}, {2, 64}, {1, 128}, {2, 128}};
  for (int i = 0; i < 4; ++i) {
    run.ok({"tfjs", "cpu", "save", ordered[i]},
           {{"file", float32Bytes(networks(), ordered[i], true)}});
    run.ok({"tfjs", "cpu", "infer", ordered[i]}, {{"load", load[i]}});
  }
  // One size has text: both encodings are there, without a time of loading.
  run.ok({"convnetjs", "cpu", "save", {1, 64}},
         {{"file", 7 * float32Bytes(networks(), {1, 64}, true)}});
  EXPECT_TRUE(has(evidenceOf(fileEncoding, run), "bytes and time of loading: 0.800 over 4 cells"));
}

// ---- 7

SampleRun stackRun(double tfjsDepth, double convnetDepth, double tfjs, double convnet) {
  SampleRun run = emptyRun();
  everywhere(run, "tfjs", "cpu", "train", {{"steady", tfjs}});
  everywhere(run, "convnetjs", "cpu", "train", {{"steady", convnet}});
  run.ok({"tfjs", "cpu", "stack", {}}, {{"depth", tfjsDepth}});
  run.ok({"convnetjs", "cpu", "stack", {}}, {{"depth", convnetDepth}});
  return run;
}

TEST(Findings, CallStack) {
  EXPECT_EQ(verdictOf(callStack, stackRun(48, 3, 50, 20)), Verdict::kHolds);
  EXPECT_EQ(verdictOf(callStack, stackRun(48, 3, 10, 20)), Verdict::kPartly);
  EXPECT_EQ(verdictOf(callStack, stackRun(5, 3, 50, 20)), Verdict::kNoLonger);
  EXPECT_TRUE(has(evidenceOf(callStack, stackRun(48, 3, 50, 20)),
                  "calls deep: ConvNetJS 3, TensorFlow.js · JavaScript 48"));
  SampleRun alone = emptyRun();
  alone.ok({"tfjs", "cpu", "stack", {}}, {{"depth", 48}});
  EXPECT_EQ(whyOf(callStack, alone), "it needs the call stacks of TensorFlow.js and of ConvNetJS");
}

// ---- 8

TEST(Findings, ResourceUtilization) {
  SampleRun run = emptyRun();
  everywhere(run, "tfjs", "cpu", "train", {{"cpu", 90}, {"cpu", 120}});
  // The GPU's backend and the native program are not what the finding is about.
  everywhere(run, "tfjs", "webgl", "train", {{"cpu", 190}});
  everywhere(run, "tensorflow", "cpu", "train", {{"cpu", 390}});
  EXPECT_EQ(verdictOf(resourceUtilization, run), Verdict::kHolds);
  everywhere(run, "convnetjs", "cpu", "train", {{"cpu", 150}, {"cpu", 90}});
  EXPECT_EQ(verdictOf(resourceUtilization, run), Verdict::kNoLonger);
  EXPECT_TRUE(has(evidenceOf(resourceUtilization, run), "1 of 2 take more: ConvNetJS 120 %"));
  run.input.run.machine.cores = 1;
  EXPECT_EQ(whyOf(resourceUtilization, run), "the machine has one core");
}

}  // namespace
}  // namespace fjord::study
