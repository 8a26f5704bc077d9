// What the store does where things go wrong around it: it is killed, its disk is full, its server
// is gone, its file is another's.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "base/random.h"
#include "store/store.h"
#include "store/test_store.h"

namespace fjord::study {
namespace {

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
      addUntilKilled(where, run, samples, ends[1]);
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
    where = TestServer::shared().newDatabase();
  }
  std::string where;
};

TEST_F(StoreInPostgreSQL, ConnectsAgain) {
  auto store = must(Store::open(where));
  int64_t run = must(store.addRun(someRun()));
  auto other = must(openPostgresql(where));
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
  ASSERT_KEPT(must(openPostgresql(where))->script("CREATE TABLE customers (x INTEGER)"));
  expectError(Store::open(where), {"\"customers\"", "a database of its own"});
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
  expectError(Store::open(where), {"version 99", "knows 2", "newer fjord-study"});
  ASSERT_KEPT(database()->script("UPDATE study SET schema_version = 0"));
  expectError(Store::open(where), {"version 0", "older fjord-study"});
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
