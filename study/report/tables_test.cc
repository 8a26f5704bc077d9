#include "report/tables.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "report/gap.h"
#include "report/sample_run.h"

namespace fjord::study {
namespace {

const Workload kSmall{1, 64}, kLarge{2, 128};

/// The row whose first entry has this text; an empty one where there is none.
std::vector<Entry> rowOf(const Table& table, const std::string& name) {
  for (const auto& row : table.rows) {
    if (row[0].text == name) return row;
  }
  return {};
}

SampleRun twoSubjects() {
  SampleRun run;
  run.subject("convnetjs", "ConvNetJS", {{"cpu", "JavaScript"}}).note = "a remark";
  run.subject("kerasjs", "Keras.js", {{"cpu", "JavaScript"}, {"webgl", "WebGL", true}})
      .unsupported["train"] = "it runs networks that others have trained";
  return run;
}

TEST(Tables, TimesWithIntervalsAndReasons) {
  SampleRun run = twoSubjects();
  const std::string message = "a message that is much too long for the column of a table";
  run.ok({"convnetjs", "cpu", "train", kSmall}, {{"steady", 10}})
      .ok({"convnetjs", "cpu", "train", kSmall}, {{"steady", 30}})
      .ended({"convnetjs", "cpu", "train", kLarge}, Outcome::kError, message);
  Table table = timesTable(Cells(run.input), "train", "steady", "caption");
  EXPECT_EQ(table.head, (std::vector<std::string>{"Framework", "1x64", "2x128"}));
  std::vector<Entry> row = rowOf(table, "ConvNetJS");
  ASSERT_EQ(row.size(), 3u);
  EXPECT_EQ(row[1].text, "20.0");
  EXPECT_EQ(row[1].small, "10.0–30.0 of 2");
  EXPECT_TRUE(row[1].best);
  EXPECT_EQ(row[2].text, "error");
  ASSERT_EQ(table.notes.size(), 2u);
  EXPECT_EQ(table.notes[static_cast<size_t>(row[0].note) - 1], "a remark");
  EXPECT_EQ(table.notes[static_cast<size_t>(row[2].note) - 1], "error: " + message);
  // One reason for all sizes is told once, at length.
  row = rowOf(table, "Keras.js · WebGL");
  ASSERT_EQ(row.size(), 2u);
  EXPECT_EQ(row[1].text, "unsupported: it runs networks that others have trained");
  EXPECT_EQ(row[1].span, 2);
}

/// What does not fit a column is told below the table; its beginning stands in the column.
TEST(Tables, LongReasonsAreNotes) {
  Table table;
  EXPECT_EQ(table.reason("timeout: > 61 s").text, "timeout: > 61 s");
  EXPECT_EQ(table.reason("wrong by 0.240, may be 0.00100").text, "wrong by 0.240");
  EXPECT_EQ(table.reason("no native time: unsupported: it only infers").text, "no native time");
  EXPECT_EQ(table.reason("wrong by 0.240, may be 0.00100").note, 1);
  EXPECT_EQ(table.notes.size(), 2u);
}

/// No trial at all, and no size: each subject is there all the same.
TEST(Tables, EachSubjectHasARowWithSomethingInIt) {
  SampleRun run = twoSubjects();
  Cells cells(run.input);
  Packages packages = allPackages(run.input.modules, run.input.catalogue);
  std::vector<Table> tables = {timesTable(cells, "train", "steady", "t"),
                               cpuTable(cells),
                               resourcesTable(cells),
                               stackTable(cells),
                               filesTable(cells),
                               libraryTable(cells, packages),
                               featuresTable(cells, packages),
                               listsTable(cells),
                               enginesTable(cells),
                               gapTable(cells, "train", "g"),
                               rawTable(cells)};
  for (const Table& table : tables) {
    EXPECT_FALSE(rowOf(table, "ConvNetJS").empty()) << table.caption;
    bool keras = !rowOf(table, "Keras.js").empty() || !rowOf(table, "Keras.js · WebGL").empty();
    EXPECT_TRUE(keras) << table.caption;
    for (const auto& row : table.rows) {
      int columns = 0;
      for (const Entry& entry : row) {
        EXPECT_FALSE(entry.text.empty()) << table.caption << ": " << row[0].text;
        columns += entry.span;
      }
      EXPECT_EQ(columns, static_cast<int>(table.head.size())) << table.caption;
    }
  }
  EXPECT_EQ(rowOf(tables[0], "ConvNetJS")[1].text, "not in this run");
}

TEST(Tables, CpuIsPooledBesideThePaper) {
  SampleRun run = twoSubjects();
  run.ok({"convnetjs", "cpu", "train", kSmall}, {{"cpu", 80}, {"cpu", 120}})
      .ok({"convnetjs", "cpu", "train", kLarge}, {{"cpu", 100}, {"cpu", 104}});
  std::vector<Entry> row = rowOf(cpuTable(Cells(run.input)), "ConvNetJS");
  ASSERT_EQ(row.size(), 7u);
  EXPECT_EQ(row[1].text, "120");  // max
  EXPECT_EQ(row[2].text, "80.0");
  EXPECT_EQ(row[3].text, "101");  // (80 + 120 + 100 + 104) / 4
  // Table 2 of the paper: 108.0, 101.9, 104.1.
  EXPECT_EQ(row[4].text + " " + row[5].text + " " + row[6].text, "108.0 101.9 104.1");
}

TEST(Tables, CpuOfTheMachineIsToldAsSuch) {
  SampleRun run = twoSubjects();
  run.ok({"convnetjs", "cpu", "train", kSmall}, {{"machine", 150}, {"machine", 250}});
  Table table = cpuTable(Cells(run.input));
  std::vector<Entry> row = rowOf(table, "ConvNetJS");
  EXPECT_EQ(row[3].text, "200");
  EXPECT_EQ(table.notes[static_cast<size_t>(row[3].note) - 1], "of all that ran on the machine");
}

TEST(Tables, CallStackBesideThePaper) {
  SampleRun run = twoSubjects();
  run.ok({"convnetjs", "cpu", "stack", {}}, {{"depth", 4}});
  std::vector<Entry> row = rowOf(stackTable(Cells(run.input)), "ConvNetJS");
  EXPECT_EQ(row[1].text, "4");
  EXPECT_EQ(row[1].paper, "3");  // section 4.4
}

/// 784 * 64 + 64 + 64 * 10 + 10 = 50,890 weights of 4 bytes are 203,560; twice that and a bit.
TEST(Tables, FilesBesideThePaper) {
  SampleRun run = twoSubjects();
  run.ok({"convnetjs", "cpu", "save", kSmall}, {{"file", 407120}});
  std::vector<Entry> row = rowOf(filesTable(Cells(run.input)), "ConvNetJS");
  ASSERT_EQ(row.size(), 2u);
  EXPECT_EQ(row[1].text, "0.41");
  EXPECT_EQ(row[1].small, "× 2.00");
  EXPECT_EQ(row[1].paper, "1.3");  // Table 3, depth 1, width 64
}

TEST(Tables, FeaturesBesideThePaper) {
  SampleRun run = twoSubjects();
  run.facts("convnetjs", "cpu",
            {{"training", true},
             {"cnn", true},
             {"rnn", false},
             {"layers", {"fc", "conv"}},
             {"save", true}});
  Cells cells(run.input);
  Table table = featuresTable(cells, allPackages("nowhere", run.input.catalogue));
  std::vector<Entry> row = rowOf(table, "ConvNetJS");
  auto entry = [&](const std::string& head) {
    auto at = std::ranges::find(table.head, head) - table.head.begin();
    return row[static_cast<size_t>(at)];
  };
  EXPECT_EQ(entry("Training").text, "yes");
  EXPECT_EQ(entry("RNN").text, "no");
  EXPECT_EQ(entry("Layers").text, "2");
  EXPECT_EQ(entry("Layers").paper, "7");
  EXPECT_EQ(entry("Optimizers").text, "not told");
  EXPECT_EQ(entry("Optimizers").paper, "3");
  EXPECT_EQ(entry("GPU").text, "no");
  EXPECT_EQ(entry("Library, KB").paper, "33");
  // "NA" in the paper is no number to show.
  EXPECT_EQ(rowOf(table, "Keras.js")[6].paper, "");
  EXPECT_EQ(rowOf(listsTable(cells), "ConvNetJS")[1].text, "fc conv");
}

TEST(Tables, GapIsAGeometricMean) {
  SampleRun run;
  run.subject("tfjs", "TensorFlow.js", {{"cpu", "JavaScript"}, {"webgl", "WebGL", true}});
  run.subject("tensorflow", "TensorFlow", {{"cpu", "CPU"}}).native = true;
  run.ok({"tfjs", "cpu", "train", kSmall}, {{"steady", 20}})
      .ok({"tfjs", "cpu", "train", kLarge}, {{"steady", 160}})
      .ok({"tensorflow", "cpu", "train", kSmall}, {{"steady", 10}})
      .ok({"tensorflow", "cpu", "train", kLarge}, {{"steady", 20}});
  Table table = gapTable(Cells(run.input), "train", "gap");
  ASSERT_EQ(table.rows.size(), 2u);  // natives are columns
  std::vector<Entry> row = rowOf(table, "TensorFlow.js · JavaScript");
  EXPECT_EQ(row[1].text, "4.00");  // the root of 2 * 8
  EXPECT_EQ(row[1].small, "2 sizes, 2.00–8.00");
  EXPECT_EQ(row[1].paper, "33.9");  // section 5.2.3
  EXPECT_EQ(rowOf(table, "TensorFlow.js · WebGL")[1].text, "not in this run");
}

TEST(Tables, MachineAndHarness) {
  SampleRun run = twoSubjects();
  run.input.run.options = {{"tasks", Json::array()}, {"rounds", 1}};
  run.ok({"convnetjs", "cpu", "empty", {}}, {{"steady", 0.0005}})
      .ended({"kerasjs", "cpu", "infer", kSmall}, Outcome::kCrash, "gone");
  Table table = runTable(Cells(run.input));
  EXPECT_EQ(rowOf(table, "Trials")[1].text, "2: 1 ok, 1 crash");
  EXPECT_EQ(rowOf(table, "The harness's overhead")[1].text, "0.500 µs a step, median of 1 trial");
  EXPECT_EQ(rowOf(table, "Processor")[1].text, "A processor, 4 cores, 8.00 GB");
  EXPECT_EQ(rowOf(table, "Rounds")[1].text, "1");
  EXPECT_EQ(rowOf(table, "Seed")[1].text, "7");
  EXPECT_EQ(rowOf(table, "Options")[1].text, "tasks all; rounds 1");
}

/// What was planned and not reached is not what nobody asked for: one way, two sizes, three rounds.
TEST(Tables, ARunThatWasCutSaysSo) {
  SampleRun run = twoSubjects();
  run.input.run.options = {{"workloads", {"1x64", "2x128"}},
                           {"subjects", Json::array({"convnetjs"})},
                           {"tasks", Json::array({"train"})},
                           {"rounds", 3}};
  run.ok({"convnetjs", "cpu", "train", kSmall}, {{"steady", 10}})
      .ok({"kerasjs", "webgl", "infer", kLarge}, {{"steady", 1}});
  Cells cells(run.input);
  Table table = runTable(cells);
  EXPECT_EQ(rowOf(table, "Rounds")[1].text, "1 begun, of 3 planned");
  EXPECT_EQ(rowOf(table, "Trials")[1].text, "2 of 7 planned: 2 ok");
  Table times = timesTable(cells, "train", "steady", "caption");
  EXPECT_EQ(rowOf(times, "ConvNetJS")[2].text, "no time left");
  Table inference = timesTable(cells, "infer", "steady", "caption");
  EXPECT_EQ(rowOf(inference, "ConvNetJS")[1].text, "not in this run");
}

}  // namespace
}  // namespace fjord::study
