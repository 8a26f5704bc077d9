#include "store/store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <stdexcept>
#include <thread>

#include "base/random.h"
#include "store/database.h"
#include "store/test_server.h"

namespace fjord::study {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// What a test cannot go on without.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

// ---- what is kept

Run someRun() {
  Run run;
  run.started = "2026-01-02T03:04:05Z";
  run.machine = {.name = "brisk-otter",
                 .cpu = "AMD EPYC 7763",
                 .cores = 2,
                 .memory = int64_t{1} << 40,
                 .system = "Debian GNU/Linux 12, Linux 6.1",
                 .gpu = "SwiftShader"};
  run.browser = "Chromium 156.0.8078.108";
  run.seed = 7;
  run.options = {{"rounds", 3}, {"sizes", {"1x64", "8x256"}}};
  return run;
}

/// A trial whose samples are a function of its number: what is read back can be checked without a
/// copy of it.
TrialRow someTrial(int64_t run, int64_t id, int samples) {
  TrialRow row;
  row.run = run;
  row.trial = {id, static_cast<int>(id % 3), {"tfjs", "webgl", "train", {2, 128}}};
  row.started = "2026-01-02T03:04:06Z";
  row.seconds = 2.5;
  row.result.outcome = Outcome::kOk;
  row.result.version = "4.22.0";
  row.result.engine = "webgl 2";
  row.result.correctness = {"loss", 2e-7, 1e-3};
  for (int i = 0; i < samples; ++i)
    row.result.samples.push_back({"steady", "ms", static_cast<double>(id) + 1.0 / (i + 1)});
  return row;
}

void expectSame(const TrialRow& got, const TrialRow& expected) {
  EXPECT_EQ(got.run, expected.run);
  EXPECT_EQ(got.trial.id, expected.trial.id);
  EXPECT_EQ(got.trial.round, expected.trial.round);
  EXPECT_EQ(got.trial.cell, expected.trial.cell);
  EXPECT_EQ(got.started, expected.started);
  EXPECT_EQ(got.seconds, expected.seconds);
  const TrialResult &a = got.result, &b = expected.result;
  EXPECT_EQ(a.outcome, b.outcome);
  EXPECT_EQ(a.message, b.message);
  EXPECT_EQ(a.version, b.version);
  EXPECT_EQ(a.engine, b.engine);
  EXPECT_EQ(a.correctness.kind, b.correctness.kind);
  EXPECT_EQ(a.correctness.difference, b.correctness.difference);
  EXPECT_EQ(a.correctness.tolerance, b.correctness.tolerance);
  EXPECT_EQ(a.facts, b.facts);
  ASSERT_EQ(a.samples.size(), b.samples.size()) << "trial " << expected.trial.id;
  int different = 0;
  for (size_t i = 0; i < a.samples.size(); ++i)
    different += a.samples[i].phase != b.samples[i].phase ||
                 a.samples[i].unit != b.samples[i].unit || a.samples[i].value != b.samples[i].value;
  EXPECT_EQ(different, 0) << "of " << a.samples.size() << " samples of trial " << expected.trial.id;
}

template <class T>
void expectError(const Result<T>& result, std::initializer_list<std::string> says) {
  ASSERT_FALSE(result);
  for (const std::string& words : says)
    EXPECT_NE(result.error().message.find(words), std::string::npos)
        << '"' << words << "\" expected, got: " << result.error().message;
}

#define ASSERT_KEPT(expression)                  \
  do {                                           \
    auto&& kept_ = (expression);                 \
    ASSERT_TRUE(kept_) << kept_.error().message; \
  } while (false)

// ---- both databases

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fjord-store-XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

class StoreIn : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (GetParam() == std::string("SQLite")) {
      where_ = folder_ / "study.sqlite";
      return;
    }
    TestServer& server = TestServer::shared();
    if (!server.missing().empty()) GTEST_SKIP() << server.missing();
    where_ = server.newDatabase();
  }

  Store open() { return must(Store::open(where_)); }
  /// What the store is made of, to look beneath it.
  std::unique_ptr<Database> database() {
    return must(GetParam() == std::string("SQLite") ? openSqlite(where_) : openPostgresql(where_));
  }
  int64_t count(const std::string& sql) {
    return std::get<int64_t>(must(database()->rows(sql)).at(0).at(0));
  }

  Folder folder_;
  std::string where_;
};

INSTANTIATE_TEST_SUITE_P(Databases, StoreIn, testing::Values("SQLite", "PostgreSQL"),
                         [](const auto& place) { return std::string(place.param); });

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
  auto before = std::chrono::steady_clock::now();
  ASSERT_KEPT(store.addTrial(row));
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
  // Measured at 0.1 s; one statement at a time to a server that answers in a millisecond would take
  // 20.
  EXPECT_LT(seconds, 5);
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
      "subject, version, backend, engine, task, size, outcome, checked, difference, tolerance, "
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
                          "2x128",
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
      if (auto store = Store::open(where_); !store) error = store.error().message;
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
    FJORD_TRY(Store store, Store::open(where_));
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

// ---- killed

/// Adds trials until it is killed; writes a byte for each that was acknowledged.
[[noreturn]] void addUntilKilled(const std::string& where, int64_t run, int samples, int pipe) {
  auto store = Store::open(where);
  for (int64_t id = 1; store && store->addTrial(someTrial(run, id, samples)); ++id)
    if (write(pipe, "k", 1) != 1) break;
  _exit(1);
}

TEST_P(StoreIn, LosesTheTrialInProgressAtMostWhenKilled) {
  Random random(9);
  int acknowledged = 0, unfinished = 0;
  for (int round = 0; round < 25; ++round) {
    int samples = round % 2 ? 2'000 : 20;
    int64_t run = must(open().addRun(someRun()));
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      addUntilKilled(where_, run, samples, ends[1]);
    }
    close(ends[1]);
    // Not before the first trial is there, then at any moment of one of the next.
    char byte;
    ASSERT_EQ(read(ends[0], &byte, 1), 1) << "the child could not add a trial";
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(40'000)));
    kill(child, SIGKILL);
    int status = 0, before = acknowledged++;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
    while (read(ends[0], &byte, 1) == 1) ++acknowledged;
    close(ends[0]);

    Store store = open();
    auto got = must(store.trials(run));
    for (size_t i = 0; i < got.size(); ++i)
      expectSame(got[i], someTrial(run, static_cast<int64_t>(i + 1), samples));
    // It may have been killed between the commit and the byte.
    int told = acknowledged - before, there = static_cast<int>(got.size());
    EXPECT_GE(there, told);
    EXPECT_LE(there, told + 1);
    unfinished += there > told;
  }
  // Otherwise nothing was tried: every child was killed while it wrote.
  EXPECT_GT(acknowledged, 50) << unfinished << " were killed before they could tell";
}

// ---- a full disk, a lost connection

/// No file of this program may grow beyond `bytes` while this lives: a write then fails as on a
/// full disk.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    handler_ = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = {bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_;
  void (*handler_)(int);
};

TEST(StoreInSQLite, SurvivesAFullDisk) {
  Folder folder;
  auto store = must(Store::open(folder / "study.sqlite"));
  int64_t run = must(store.addRun(someRun()));
  ASSERT_KEPT(store.addTrial(someTrial(run, 1, 10)));
  // The first fails when it is committed, the second before: it does not fit into SQLite's cache of
  // 2 MB.
  for (int samples : {10'000, 100'000}) {
    FileLimit limit(300'000);
    expectError(store.addTrial(someTrial(run, 2, samples)), {"study.sqlite: ", "its disk"});
    EXPECT_EQ(must(store.trials(run)).size(), 1u);
  }
  ASSERT_KEPT(store.addTrial(someTrial(run, 2, 10'000)));
  auto got = must(store.trials(run));
  ASSERT_EQ(got.size(), 2u);
  expectSame(got[1], someTrial(run, 2, 10'000));
}

TEST(StoreInSQLite, SaysThatTheDiskIsFull) {
  Folder folder;
  ASSERT_KEPT(Store::open(folder / "study.sqlite"));
  auto database = must(openSqlite(folder / "study.sqlite"));
  // What SQLite makes of "no space left on device" it makes of this, too. 30 pages of 4 kB hold the
  // empty tables.
  ASSERT_KEPT(database->script("PRAGMA max_page_count = 30; CREATE TABLE big (x TEXT)"));
  auto fill = [&](size_t bytes) {
    return database->transaction(
        [&] { return database->insert("big (x)", {{std::string(bytes, 'x')}}); });
  };
  expectError(fill(1'000'000), {"disk is full", "make room"});
  EXPECT_TRUE(fill(100));
}

class StoreInPostgreSQL : public testing::Test {
 protected:
  void SetUp() override {
    if (!TestServer::shared().missing().empty()) GTEST_SKIP() << TestServer::shared().missing();
    where_ = TestServer::shared().newDatabase();
  }
  std::string where_;
};

TEST_F(StoreInPostgreSQL, ConnectsAgain) {
  auto store = must(Store::open(where_));
  int64_t run = must(store.addRun(someRun()));
  auto other = must(openPostgresql(where_));
  auto ended =
      must(other->rows("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                       "WHERE datname = current_database() AND pid <> pg_backend_pid()"));
  ASSERT_EQ(ended.size(), 1u) << "the store's connection";
  ASSERT_KEPT(store.addTrial(someTrial(run, 1, 100)));
  // Its settings are there again: numbers are still exact.
  auto got = must(store.trials(run));
  ASSERT_EQ(got.size(), 1u);
  expectSame(got[0], someTrial(run, 1, 100));
}

TEST_F(StoreInPostgreSQL, DoesNotShareWithOthers) {
  ASSERT_KEPT(must(openPostgresql(where_))->script("CREATE TABLE customers (x INTEGER)"));
  expectError(Store::open(where_), {"\"customers\"", "a database of its own"});
}

TEST(StorePostgresql, SaysThatTheServerIsNotThere) {
  expectError(Store::open("postgresql://lab:geheim@127.0.0.1:1/lab"),
              {"PostgreSQL: ", "127.0.0.1", "refused", "check the address", "study.sqlite"});
  auto store = Store::open("postgresql://lab:geheim@127.0.0.1:1/lab");
  EXPECT_EQ(store.error().message.find("geheim"), std::string::npos) << "a password is told";
  EXPECT_EQ(store.error().message.find('\n'), std::string::npos);
  expectError(Store::open("postgresql://lab@localhost:many/lab"), {"\"many\""});
  expectError(Store::open("mysql://lab@localhost/lab"), {"mysql://", "postgresql://"});
}

// ---- files that are none of the lab's

TEST_P(StoreIn, RefusesAnotherVersion) {
  open();
  ASSERT_KEPT(database()->script("UPDATE study SET schema_version = 99"));
  expectError(Store::open(where_), {"version 99", "knows 1", "newer fjord-study"});
  ASSERT_KEPT(database()->script("UPDATE study SET schema_version = 0"));
  expectError(Store::open(where_), {"version 0", "older fjord-study"});
}

TEST_P(StoreIn, SaysWhatItCannotRead) {
  Store store = open();
  int64_t run = must(store.addRun(someRun()));
  ASSERT_KEPT(store.addTrial(someTrial(run, 3, 1)));
  ASSERT_KEPT(database()->script("UPDATE trial SET outcome = 'fine'"));
  expectError(store.trials(run), {cat("run ", run, ", trial 3"), "\"fine\""});
  ASSERT_KEPT(database()->script("UPDATE trial SET outcome = 'ok', facts = '{'"));
  expectError(store.trials(run), {cat("run ", run, ", trial 3"), "JSON"});
  ASSERT_KEPT(database()->script("UPDATE run SET seed = '-1'"));
  expectError(store.runs(), {cat("run ", run), "seed \"-1\""});
}

TEST(StoreInSQLite, RefusesWhatIsNoStore) {
  Folder folder;
  std::ofstream(folder / "text.txt") << std::string(5000, 'x');
  expectError(Store::open(folder / "text.txt"), {"text.txt: ", "not a database", "the lab made"});
  expectError(Store::open(folder / ""), {"is a folder", "study.sqlite"});
  expectError(Store::open(folder / "no/study.sqlite"), {"there is no folder", "make it"});
  expectError(Store::open(""), {"no name", "study.sqlite"});
  auto other = must(openSqlite(folder / "other.sqlite"));
  ASSERT_KEPT(other->script("CREATE TABLE bookmarks (x TEXT)"));
  expectError(Store::open(folder / "other.sqlite"),
              {"other.sqlite: ", "\"bookmarks\"", "a database of its own"});
  // An empty file is a store to be.
  std::ofstream(folder / "empty.sqlite").flush();
  EXPECT_TRUE(Store::open(folder / "empty.sqlite"));
}

TEST(StoreInSQLite, SaysThatAFileIsDamaged) {
  Folder folder;
  std::string path = folder / "study.sqlite";
  int64_t run = 0;
  {
    auto store = must(Store::open(path));
    run = must(store.addRun(someRun()));
    ASSERT_KEPT(store.addTrial(someTrial(run, 1, 5'000)));
  }
  // All but the first pages, which hold the schema, the runs and the trials.
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(80'000);
    file << std::string(200'000, '\xa5');
  }
  auto store = must(Store::open(path));
  expectError(store.trials(run), {"study.sqlite: ", "damaged", ".recover"});
}

}  // namespace
}  // namespace fjord::study
