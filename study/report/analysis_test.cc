#include "report/analysis.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "report/gap.h"
#include "report/sample_run.h"

namespace fjord::study {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

const std::vector<Workload> kSizes = {{1, 64}, {1, 256}, {4, 64}, {4, 256}};

SampleRun emptyRun() {
  SampleRun run;
  run.subject("fjord", "Fjord", {{"wasm", "WebAssembly"}});
  run.subject("tfjs", "TensorFlow.js",
              {{"cpu", "JavaScript"}, {"wasm", "WebAssembly"}, {"webgl", "WebGL", true}});
  run.subject("fjord-native", "Fjord (native)", {{"1-thread", "1 thread"}, {"threads", "threads"}})
      .native = true;
  run.subject("tensorflow", "TensorFlow", {{"cpu", "CPU"}}).native = true;
  return run;
}

/// `layer` ms a layer, `speed` GMAC/s, in so many rounds, each slower for all by a tenth.
void timed(SampleRun& run, const char* subject, const char* backend, const char* task, double layer,
           double speed, int rounds = 3) {
  for (int round = 0; round < rounds; ++round) {
    for (const Workload& workload : kSizes) {
      Work work = workOf(networks(), workload, task);
      double ms = layer * work.layers + work.macs / speed;
      run.ok({subject, backend, task, workload}, {{"steady", ms * (1 + 0.1 * round)}});
    }
  }
}

Series seriesOf(const Cells& cells, const std::string& subject, const std::string& backend) {
  for (const Series& series : cells.series()) {
    if (series.subject == subject && series.backend == backend) return series;
  }
  return {};
}

const std::vector<Entry>& rowOf(const Table& table, const std::string& name) {
  static const std::vector<Entry> none(8);
  for (const std::vector<Entry>& row : table.rows) {
    if (row[0].text == name) return row;
  }
  ADD_FAILURE() << "no row " << name;
  return none;
}

/// Two layers of 64 units: 784 * 64 + 64 * 64 + 64 * 10 = 54,912 multiplications forwards; a step has
/// 64 * (3 * 54,912 - 784 * 64).
TEST(Analysis, WorkByHand) {
  EXPECT_EQ(workOf(networks(), {2, 64}, "infer").layers, 3);
  EXPECT_NEAR(workOf(networks(), {2, 64}, "infer").macs, 0.054912, 1e-12);
  EXPECT_NEAR(workOf(networks(), {2, 64}, "train").macs, 64 * (3 * 54912.0 - 50176) / 1e6, 1e-12);
}

/// The middle one of three rounds is 1.1 times as slow.
TEST(Analysis, ModelsTellWhatMadeTheTimes) {
  SampleRun run = emptyRun();
  timed(run, "tfjs", "cpu", "train", 0.5, 2);
  timed(run, "tfjs", "wasm", "train", 1, 20);
  Cells cells(run.input);
  Table table = modelsTable(cells, "train", "models");
  const std::vector<Entry>& row = rowOf(table, "TensorFlow.js · JavaScript");
  EXPECT_EQ(row[1].text, "550");
  EXPECT_EQ(row[2].text, "1.82");
  EXPECT_EQ(row[6].text, "4");
  EXPECT_EQ(rowOf(table, "Fjord")[1].text, "not in this run");
  EXPECT_EQ(rowOf(table, "Fjord")[1].span, 6);
  // 0.55 + m / 1.818 = 1.1 + m / 18.18: m = 1.111 million a layer; a square layer of 64 * 3 * n * n of
  // these has n = 76.
  Table even = breakEvenTable(cells, "even");
  ASSERT_EQ(even.rows.size(), 1u);
  EXPECT_EQ(even.rows[0][1].text, "TensorFlow.js · JavaScript");
  EXPECT_EQ(even.rows[0][2].text, "TensorFlow.js · WebAssembly");
  EXPECT_EQ(even.rows[0][3].text, "1.11");
  EXPECT_EQ(even.rows[0][4].text, "76.0");
  EXPECT_EQ(modelsFigure(cells, "f").panels.size(), 1u);
}

TEST(Analysis, ModelsNeedSizes) {
  SampleRun run = emptyRun();
  run.ok({"tfjs", "cpu", "train", {1, 64}}, {{"steady", 1}});
  Table table = modelsTable(Cells(run.input), "train", "models");
  bool told = std::ranges::any_of(
      table.notes, [](const std::string& n) { return has(n, "needs 2 sizes; there are 1"); });
  EXPECT_TRUE(told || has(rowOf(table, "TensorFlow.js · JavaScript")[1].text, "needs 2 sizes"));
}

/// Times as the multiplications have the shares of the first line.
TEST(Analysis, SharesOfArithmetic) {
  SampleRun run = emptyRun();
  timed(run, "tfjs", "wasm", "infer", 0, 3);
  Table table = sharesTable(Cells(run.input), "infer", "shares");
  const std::vector<Entry>& alone = rowOf(table, "Multiplications alone");
  const std::vector<Entry>& wasm = rowOf(table, "TensorFlow.js · WebAssembly");
  for (size_t i = 1; i < 4; ++i) EXPECT_EQ(wasm[i].text, alone[i].text);
  // Rounds that are slower for all do not change the shares.
  EXPECT_EQ(wasm[2].small, "");
  EXPECT_EQ(wasm[4].text, "range of 3 rounds");
}

TEST(Analysis, SharesRefuseWhatIsNotBalanced) {
  SampleRun run = emptyRun();
  timed(run, "tfjs", "wasm", "infer", 1, 3);
  std::erase_if(run.input.trials,
                [](const TrialRow& row) { return row.trial.cell.workload == Workload{4, 64}; });
  auto times = timesOf(Cells(run.input), seriesOf(Cells(run.input), "tfjs", "wasm"), "infer");
  ASSERT_FALSE(times);
  EXPECT_EQ(times.error().message, "the design is not balanced: layers 4, width 64 is missing");
}

/// JavaScript is 8 times as far from TensorFlow as WebAssembly, training 4 times as far as inference;
/// sizes do not count.
SampleRun gapRun(int rounds) {
  SampleRun run = emptyRun();
  for (const char* task : {"train", "infer"}) {
    double trains = std::string(task) == "train" ? 4 : 1;
    timed(run, "tensorflow", "cpu", task, 1, 10, rounds);
    timed(run, "tfjs", "cpu", task, 36 * trains, 10 / (36 * trains), rounds);
    timed(run, "tfjs", "wasm", task, 4.5 * trains, 10 / (4.5 * trains), rounds);
    timed(run, "tfjs", "webgl", task, 4, 1, rounds);
  }
  return run;
}

TEST(Analysis, GapDesignHasWhatTheRunHas) {
  SampleRun run = gapRun(3);
  Cells cells(run.input);
  Result<Observed> gap = gapDesign(cells);
  ASSERT_TRUE(gap) << gap.error().message;
  ASSERT_EQ(gap->design.factors.size(), 4u);
  EXPECT_EQ(gap->design.rows.size(), 16u);
  EXPECT_EQ(gap->rounds.size(), 3u);
  EXPECT_EQ(gap->design.factors[1].levels, (std::vector<std::string>{"JavaScript", "WebAssembly"}));
  // × 36 * 4. Paired by round: slow rounds do not count.
  EXPECT_NEAR(gap->design.rows[0].value, std::log2(144), 1e-12);
  for (const std::vector<double>& round : gap->rounds) EXPECT_NEAR(round[0], std::log2(144), 1e-12);
}

std::string textOf(const std::vector<Block>& blocks) {
  return toMarkdown({.title = "t", .sections = {{"s", "S", blocks}}});
}

/// Octaves: backend 3, task 2; variances 9/4 and 1: 69 % and 31 %.
TEST(Analysis, GapFactors) {
  SampleRun run = gapRun(6);
  std::string text = textOf(gapFactors(Cells(run.input)));
  EXPECT_TRUE(has(text, "(95 % interval)")) << text;
  EXPECT_TRUE(has(text, "| task | 31 % | 31 % | 31 % |")) << text;
  EXPECT_TRUE(has(text, "| backend | 69 % | 69 % | 69 % |")) << text;
  EXPECT_TRUE(has(text, "| width | 0 % | 0 % | 0 % |")) << text;
  EXPECT_TRUE(has(text, "| task | inference | training | × 0.250 |")) << text;
  EXPECT_TRUE(has(text, "| backend | WebAssembly | JavaScript | × 0.125 |")) << text;
  // Four octaves, so each question gains a bit and squared error decides: no tie is left.
  EXPECT_TRUE(has(text, "Both trees ask first for backend = JavaScript.")) << text;
  EXPECT_TRUE(has(text, "backend in 100 %.")) << text;
  EXPECT_TRUE(has(text, "| all | × 25.5 (4.50–144) | 16 | 1.000 | – |")) << text;
  EXPECT_TRUE(has(text, "| · · task = inference | × 36.0 | 4 | – |  |")) << text;
  EXPECT_TRUE(has(text, "| main effects | 0.000 | 1.00 | – |")) << text;
  // Each ratio its own class: a bit for each of these halves, whatever the ratios are.
  EXPECT_TRUE(has(text, "| width | 0.000 | 1.000 |")) << text;
}

TEST(Analysis, OneRoundPromisesNothing) {
  SampleRun run = gapRun(1);
  std::string text = textOf(gapFactors(Cells(run.input)));
  EXPECT_TRUE(has(text, "(one round)")) << text;
  EXPECT_FALSE(has(text, "95 %")) << text;
  EXPECT_TRUE(has(text, "One round does not tell how stable the first question is.")) << text;
}

TEST(Analysis, SaysWhatTheGapLacks) {
  SampleRun run = emptyRun();
  EXPECT_TRUE(
      has(textOf(gapFactors(Cells(run.input))), "it needs TensorFlow's times at all sizes."));
  timed(run, "tensorflow", "cpu", "train", 1, 10);
  EXPECT_TRUE(has(textOf(gapFactors(Cells(run.input))),
                  "it needs TensorFlow.js's times at all sizes, on the processor."));
}

TEST(Analysis, GapOriginMultiplies) {
  SampleRun run = emptyRun();
  double scale = 240;
  for (auto [subject, backend, steps] : {std::tuple{"tfjs", "wasm", 1.0},
                                         {"fjord", "wasm", 20.0},
                                         {"fjord-native", "1-thread", 2.0},
                                         {"fjord-native", "threads", 1.5},
                                         {"tensorflow", "cpu", 0.5}}) {
    scale /= steps;
    timed(run, subject, backend, "train", scale, 1 / scale);
  }
  Block block = gapOrigin(Cells(run.input), "train", "origin");
  ASSERT_TRUE(std::holds_alternative<Table>(block));
  const Table& table = std::get<Table>(block);
  ASSERT_EQ(table.rows.size(), 5u);
  const char* expected[] = {"× 20.0", "× 2.00", "× 1.50", "× 0.500", "× 30.0"};
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(table.rows[i][3].text, expected[i]);
  EXPECT_EQ(table.rows[4][5].text, "range of 3 rounds; 4 sizes");
  EXPECT_EQ(table.rows[0][1].text, "TensorFlow.js · WebAssembly");
  EXPECT_EQ(table.rows[4][2].text, "TensorFlow (native)");
}

TEST(Analysis, GapOriginSaysWhatIsMissing) {
  SampleRun run = emptyRun();
  timed(run, "tfjs", "wasm", "train", 1, 1);
  Block block = gapOrigin(Cells(run.input), "train", "origin");
  ASSERT_TRUE(std::holds_alternative<Paragraph>(block));
  EXPECT_EQ(std::get<Paragraph>(block).text, "origin: the run has no times of Fjord.");
}

}  // namespace
}  // namespace fjord::study
