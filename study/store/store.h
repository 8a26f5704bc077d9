// Where the lab keeps what it measured: SQLite in a file, or a PostgreSQL server that many machines
// report to. schema.sql says what is kept; nothing is ever averaged on the way in.
//
//   Result<Store> store = Store::open("study.sqlite");  // or "postgresql://user@host/lab"
//   int64_t run = *store->addRun({.machine = .., .seed = 7});
//   store->addTrial(row);                               // all of its samples or nothing
//
// A trial is written once, when it has ended, so a program that is killed loses the trial in
// progress at most. Many programs may use one place at once. A Store is for one thread at a time;
// another thread opens its own.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "plan/types.h"

namespace fjord::study {

/// The machine and the setting of a run: what has to be the same for two runs to be compared.
struct Machine {
  std::string name;    // a random name that the store's owner may change; never the host's
  std::string cpu;     // "AMD EPYC .."
  int cores = 0;       // that this process may use
  int64_t memory = 0;  // bytes
  std::string system;  // "Debian GNU/Linux 12, Linux 6.1"
  std::string gpu;     // the adapter's name, or why there is none
  auto operator<=>(const Machine&) const = default;
};

struct Run {
  int64_t id = 0;
  std::string started;  // UTC, ISO 8601
  std::string ended;    // "" while it is going on, or was interrupted
  Machine machine;
  std::string browser;  // "Chromium 156.0.8078.108"
  uint64_t seed = 0;
  Json options;  // the frozen parameters: workloads, rounds, budgets, subjects
};

/// A trial as it stands in the plan.
struct Trial {
  int64_t id = 0;  // within its run, from 1
  int round = 0;   // from 0
  Cell cell;
};

/// A trial as it is read back.
struct TrialRow {
  int64_t run = 0;
  Trial trial;
  std::string started;  // UTC
  double seconds = 0;   // wall clock, all of it
  TrialResult result;
};

class Database;

class Store {
 public:
  /// Opens or makes it; `where` is a file's path or a postgresql:// address. An older or newer
  /// schema is an error that says what to do.
  static Result<Store> open(const std::string& where);

  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  /// Keeps a run, whose own id is not looked at; gives its id: 1, 2, .. in this store.
  Result<int64_t> addRun(const Run& run);
  Status endRun(int64_t run, const std::string& ended);
  /// Keeps a trial with all its samples, or nothing. A trial that is there already is an error, and
  /// so is a sample that is not finite. In texts, bytes that are not UTF-8 become U+FFFD.
  Status addTrial(const TrialRow& row);

  Result<std::vector<Run>> runs();
  /// The trials of a run, in the order of their ids, with samples in the order in which they were
  /// measured.
  Result<std::vector<TrialRow>> trials(int64_t run);

 private:
  explicit Store(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace fjord::study
