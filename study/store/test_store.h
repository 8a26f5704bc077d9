// What the store's tests share: runs and trials to keep, and a place in each database to keep them.
//
//   TEST_P(StoreIn, KeepsATrial) {                  // runs with SQLite and with PostgreSQL
//     Store store = open();
//     int64_t run = must(store.addRun(someRun()));
//     ASSERT_KEPT(store.addTrial(someTrial(run, 1, 20)));
//     expectSame(must(store.trials(run)).at(0), someTrial(run, 1, 20));
//   }
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/store.h"
#include "store/test_server.h"

namespace fjord::study {

/// What a test cannot go on without.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

inline Run someRun() {
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
  run.options = {{"rounds", 3}, {"workloads", {"dense/1x64", "dense/8x256"}}};
  return run;
}

/// A trial whose samples are a function of its number: what is read back can be checked without a
/// copy of it.
inline TrialRow someTrial(int64_t run, int64_t id, int samples) {
  TrialRow row;
  row.run = run;
  row.trial = {id, static_cast<int>(id % 3), {"tfjs", "webgl", "train", {2, 128, "cnn"}}};
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

inline void expectSame(const TrialRow& got, const TrialRow& expected) {
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
  EXPECT_EQ(a.facts.dump(), b.facts.dump());
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

#define ASSERT_KEPT(expression)                            \
  do {                                                     \
    auto&& keptStatus = (expression);                      \
    ASSERT_TRUE(keptStatus) << keptStatus.error().message; \
  } while (false)

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
      where = folder / "study.sqlite";
      return;
    }
    TestServer& server = TestServer::shared();
    if (!server.missing().empty()) GTEST_SKIP() << server.missing();
    where = server.newDatabase();
  }

  Store open() { return must(Store::open(where)); }
  /// What the store is made of, to look beneath it.
  std::unique_ptr<Database> database() {
    return must(GetParam() == std::string("SQLite") ? openSqlite(where) : openPostgresql(where));
  }
  int64_t count(const std::string& sql) {
    return std::get<int64_t>(must(database()->rows(sql)).at(0).at(0));
  }

  Folder folder;
  std::string where;
};

}  // namespace fjord::study
