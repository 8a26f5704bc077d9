#include "store/store.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <thread>

#include "store/test_store.h"

namespace fjord::study {

INSTANTIATE_TEST_SUITE_P(Databases, StoreIn, testing::Values("SQLite", "PostgreSQL"),
                         [](const auto& place) { return std::string(place.param); });

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST_P(StoreIn, KeepsARun) {
  study::Run run = someRun();
  run.seed = std::numeric_limits<uint64_t>::max();
  run.machine.gpu = "Gr\u00fcn \U0001f600 'it''s' \"$1\" \\ a\tb\nc";
  run.options = {{"text", "\u00e9"}, {"none", nullptr}, {"deep", {{"x", {1, 2.5, true}}}}};
  int64_t id = 0;
  {
    Store store = open();
    id = must(store.addRun(run));
    ASSERT_KEPT(store.endRun(id, "2026-01-02T04:00:00Z"));
  }
  auto runs = must(open().runs());
  ASSERT_EQ(runs.size(), 1u);
  const study::Run& got = runs.front();
  EXPECT_EQ(got.id, id);
  EXPECT_EQ(got.started, run.started);
  EXPECT_EQ(got.ended, "2026-01-02T04:00:00Z");
  EXPECT_EQ(got.machine, run.machine);
  EXPECT_EQ(got.browser, run.browser);
  EXPECT_EQ(got.seed, run.seed);
  EXPECT_EQ(got.options.dump(), run.options.dump()) << "the order of keys counts, too";
}

TEST_P(StoreIn, KeepsATrialToTheBit) {
  Store store = open();
  int64_t run = must(store.addRun(someRun()));
  TrialRow row{.run = run,
               .trial = {41, 2, {"mind", "cpu", "infer", {}}},
               .started = "2026-01-02T03:04:06.789Z",
               .seconds = 0.1,
               .result = {.outcome = Outcome::kWrong,
                          .message = "\u65e5\u672c\u8a9e \U0001f9ea \\N \\. 'a'\t\"b\"\r\n$2 %s;--",
                          .version = "\u0660",
                          .engine = "\\",
                          .correctness = {"output", kInfinity, 1e-3},
                          .samples = {{"download", "ms", 0},
                                      {"steady", "ms", 0.1},
                                      {"steady", "ms", 1.0 / 3},
                                      {"steady", "ms", std::nextafter(1.0, 2.0)},
                                      {"memory", "bytes", 9007199254740993.0},
                                      {"heap", "bytes", std::numeric_limits<double>::max()},
                                      {"cpu", "percent", std::numeric_limits<double>::denorm_min()},
                                      {"depth", "\u00b5\t\\", 5}},
                          .facts = {{"layers", {"dense", "conv\u00b2"}}, {"n", 1.5}}}};
  ASSERT_KEPT(store.addTrial(row));
  auto got = must(store.trials(run));
  ASSERT_EQ(got.size(), 1u);
  expectSame(got[0], row);
}

TEST_P(StoreIn, KeepsEveryOutcomeWithNothingToSay) {
  Store store = open();
  int64_t run = must(store.addRun({}));
  std::vector<TrialRow> rows;
  for (size_t i = 0; i < std::size(kOutcomeNames); ++i) {
    TrialRow row;
    row.run = run;
    row.trial.id = static_cast<int64_t>(i + 1);
    row.result.outcome = static_cast<Outcome>(i);
    // null, and what only looks like nothing.
    if (i) row.result.facts = i % 2 ? Json::object() : Json::array();
    ASSERT_KEPT(store.addTrial(row));
    rows.push_back(row);
  }
  auto got = must(store.trials(run));
  ASSERT_EQ(got.size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) expectSame(got[i], rows[i]);
  auto runs = must(store.runs());
  EXPECT_TRUE(runs.front().options.is_null());
  EXPECT_EQ(runs.front().ended, "");
}

TEST_P(StoreIn, ReplacesWhatIsNotText) {
  Store store = open();
  int64_t run = must(store.addRun(someRun()));
  TrialRow row = someTrial(run, 1, 0);
  row.result.message = std::string("a\0b", 3) + "\xff" + "c\xc3";
  row.result.facts = {{"bad", "\xfe"}, {"zero", std::string("\0", 1)}};
  ASSERT_KEPT(store.addTrial(row));
  row.result.message = "a\uFFFDb\uFFFDc\uFFFD";
  row.result.facts["bad"] = "\uFFFD";
  auto got = must(store.trials(run));
  ASSERT_EQ(got.size(), 1u);
  expectSame(got[0], row);
}

TEST_P(StoreIn, RefusesSamplesThatAreNoNumbers) {
  Store store = open();
  int64_t run = must(store.addRun(someRun()));
  for (double bad : {kNaN, kInfinity, -kInfinity}) {
    TrialRow row = someTrial(run, 1, 3);
    row.result.samples[1].value = bad;
    expectError(store.addTrial(row), {"trial 1, sample 1 (steady, ms)", "not a finite number"});
  }
  TrialRow row = someTrial(run, 1, 3);
  row.seconds = kNaN;
  expectError(store.addTrial(row), {"trial 1"});
  EXPECT_EQ(must(store.trials(run)).size(), 0u);
  // A network that gives NaN differs by NaN, and that is kept.
  row = someTrial(run, 1, 3);
  row.result.correctness.difference = kNaN;
  ASSERT_KEPT(store.addTrial(row));
  auto got = must(store.trials(run));
  ASSERT_EQ(got.size(), 1u);
  EXPECT_TRUE(std::isnan(got[0].result.correctness.difference));
  EXPECT_EQ(count("SELECT count(*) FROM trial WHERE difference IS NULL"), 1);
}

TEST_P(StoreIn, KeepsAsManySamplesAsATrialMayHave) {
  Store store = open();
  int64_t run = must(store.addRun(someRun()));
  TrialRow row = someTrial(run, 1, 20'000);
  ASSERT_KEPT(store.addTrial(row));
  auto got = must(store.trials(run));
  ASSERT_EQ(got.size(), 1u);
  expectSame(got[0], row);
}

TEST_P(StoreIn, KeepsATrialOnce) {
  Store store = open();
  int64_t run = must(store.addRun(someRun()));
  ASSERT_KEPT(store.addTrial(someTrial(run, 5, 3)));
  expectError(store.addTrial(someTrial(run, 5, 7)), {cat("run ", run, " has a trial 5 already")});
  ASSERT_KEPT(store.addTrial(someTrial(run, 6, 1)));
  auto got = must(store.trials(run));
  ASSERT_EQ(got.size(), 2u);
  expectSame(got[0], someTrial(run, 5, 3));
}

TEST_P(StoreIn, KnowsItsRuns) {
  Store store = open();
  expectError(store.addTrial(someTrial(12, 1, 1)), {"there is no run 12"});
  expectError(store.endRun(12, "2026"), {"there is no run 12"});
  expectError(store.trials(12), {"there is no run 12"});
  int64_t a = must(store.addRun(someRun()));
  study::Run elsewhere = someRun();
  elsewhere.machine.cores = 8;
  int64_t b = must(store.addRun(elsewhere)), c = must(store.addRun(someRun()));
  EXPECT_LT(a, b);
  EXPECT_LT(b, c);
  EXPECT_EQ(count("SELECT count(*) FROM machine"), 2) << "equal machines are one";
  // Trials of one run come in the order of their ids, whatever happened between them.
  for (int64_t id : {3, 1, 2}) {
    ASSERT_KEPT(store.addTrial(someTrial(a, id, static_cast<int>(id))));
    ASSERT_KEPT(store.addTrial(someTrial(b, id, 1)));
  }
  std::vector<TrialRow> got = must(store.trials(a));
  ASSERT_EQ(got.size(), 3u);
  for (int id : {1, 2, 3}) expectSame(got[static_cast<size_t>(id - 1)], someTrial(a, id, id));
  EXPECT_EQ(must(store.trials(c)).size(), 0u);
  auto runs = must(store.runs());
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[1].machine, elsewhere.machine);
  EXPECT_EQ(runs[2].machine, someRun().machine);
}

TEST_P(StoreIn, ShowsSamplesInOneView) {
  Store store = open();
  int64_t run = must(store.addRun(someRun()));
  TrialRow first = someTrial(run, 1, 2), second = someTrial(run, 2, 0);
  first.result.samples.push_back({"memory", "bytes", 1e9});
  second.result.outcome = Outcome::kUnsupported;
  ASSERT_KEPT(store.addTrial(first));
  ASSERT_KEPT(store.addTrial(second));
  auto rows = must(database()->rows(
      "SELECT run, machine, cpu, cores, machine_memory, system, gpu, browser, seed, trial, round, "
      "subject, version, backend, engine, task, workload, outcome, checked, difference, tolerance, "
      "position, phase, unit, value FROM samples WHERE phase = $1 ORDER BY position",
      {"steady"}));
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1], (Row{run,
                          "brisk-otter",
                          "AMD EPYC 7763",
                          int64_t{2},
                          int64_t{1} << 40,
                          "Debian GNU/Linux 12, Linux 6.1",
                          "SwiftShader",
                          "Chromium 156.0.8078.108",
                          "7",
                          int64_t{1},
                          int64_t{1},
                          "tfjs",
                          "4.22.0",
                          "webgl",
                          "webgl 2",
                          "train",
                          "cnn/2x128",
                          "ok",
                          "loss",
                          2e-7,
                          1e-3,
                          int64_t{1},
                          "steady",
                          "ms",
                          1.5}));
  EXPECT_EQ(count("SELECT count(*) FROM samples"), 3);
}

TEST_P(StoreIn, TransactionsKeepAllOrNothing) {
  auto database = this->database();
  ASSERT_KEPT(database->script("CREATE TABLE t (x INTEGER PRIMARY KEY)"));
  Status refused = database->transaction([&] -> Status {
    FJORD_CHECK(database->insert("t (x)", {{int64_t{1}}}));
    return fail("no");
  });
  expectError(refused, {"no"});
  // A row that the database itself refuses, after some that it took.
  Status twice = database->transaction(
      [&] { return database->insert("t (x)", {{int64_t{1}}, {int64_t{2}}, {int64_t{1}}}); });
  EXPECT_FALSE(twice);
  ASSERT_KEPT(database->transaction([&] { return database->insert("t (x)", {{int64_t{3}}}); }));
  auto rows = must(database->rows("SELECT x FROM t"));
  EXPECT_EQ(rows, (std::vector<Row>{{int64_t{3}}}));
}

// ---- several at once

TEST_P(StoreIn, OpensForManyAtOnce) {
  std::vector<std::thread> threads;
  std::vector<std::string> errors(8);
  for (std::string& error : errors)
    threads.emplace_back([&] {
      if (auto store = Store::open(where); !store) error = store.error().message;
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& error : errors) EXPECT_EQ(error, "");
  EXPECT_EQ(count("SELECT count(*) FROM study"), 1);
}

TEST_P(StoreIn, TakesTrialsFromManyAtOnce) {
  open();
  constexpr int kThreads = 4, kRuns = 5, kTrials = 5;
  std::vector<std::thread> threads;
  std::vector<std::string> errors(kThreads);
  std::vector<std::vector<int64_t>> runs(kThreads);
  auto report = [&](size_t thread) -> Status {
    FJORD_TRY(Store store, Store::open(where));
    for (int r = 0; r < kRuns; ++r) {
      FJORD_TRY(int64_t run, store.addRun(someRun()));
      runs[thread].push_back(run);
      for (int id = 1; id <= kTrials; ++id) FJORD_CHECK(store.addTrial(someTrial(run, id, 50)));
      // What others are writing right now never shows half.
      FJORD_TRY(auto all, store.runs());
      FJORD_TRY(auto trials, store.trials(all.back().id));
      for (const TrialRow& row : trials)
        if (row.result.samples.size() != 50) return fail("half a trial");
    }
    return {};
  };
  for (size_t i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      if (Status done = report(i); !done) errors[i] = done.error().message;
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::string& error : errors) EXPECT_EQ(error, "");
  std::set<int64_t> ids;
  Store store = open();
  for (const auto& list : runs)
    for (int64_t run : list) {
      EXPECT_TRUE(ids.insert(run).second) << "two runs have the number " << run;
      auto got = must(store.trials(run));
      ASSERT_EQ(got.size(), size_t{kTrials});
      for (int id = 1; id <= kTrials; ++id)
        expectSame(got[static_cast<size_t>(id - 1)], someTrial(run, id, 50));
    }
  EXPECT_EQ(ids.size(), size_t{kThreads * kRuns});
  EXPECT_EQ(count("SELECT count(*) FROM machine"), 1);
}

TEST_P(StoreIn, WritesWhileAnotherReads) {
  Store store = open();
  int64_t run = must(store.addRun(someRun()));
  ASSERT_KEPT(store.addTrial(someTrial(run, 1, 3)));
  auto reader = database();
  int rows = 0;
  ASSERT_KEPT(reader->query("SELECT value FROM sample", {}, [&](Row&) {
    ++rows;
    ASSERT_KEPT(store.addTrial(someTrial(run, 1 + rows, 1)));
  }));
  EXPECT_EQ(rows, 3) << "the reader sees what was there when it began";
  EXPECT_EQ(must(store.trials(run)).size(), 4u);
}

}  // namespace
}  // namespace fjord::study
