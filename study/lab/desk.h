// The lab's side of the server's API: the trials that pages ask for and report to, and the data
// that they compare with.
//
//   Trials trials(catalogue, {.sources = sourcesIn("node_modules")});
//   FJORD_TRY(Server server, Server::start(options, trials.desk()));
//   int64_t id = trials.open(cell);                       // a page may ask for it from now on
//   std::optional<TrialResult> result = trials.wait(id, Milliseconds(500));
//
// Functions may be called from any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "plan/data.h"
#include "plan/subjects.h"
#include "serve/server.h"

namespace fjord::study {

/// The network of a trial as pages and native programs are told of it; null where it has none.
Json networkJson(const Catalogue& catalogue, const Cell& cell);

struct TrialsOptions {
  Sources sources;    // of what networks learn
  int budget = 1000;  // milliseconds of a steady phase
  int samples = 100;  // at most, of a steady phase
};

class Trials {
 public:
  Trials(const Catalogue& catalogue, TrialsOptions options)
      : catalogue_(catalogue), options_(std::move(options)) {}

  /// For Server::start; this object must outlive the server.
  Desk desk();

  int64_t open(const Cell& cell);
  /// The result of a trial, as soon as it is there; nothing when the time is over, or the trial is.
  std::optional<TrialResult> wait(int64_t id, std::chrono::milliseconds time);
  /// A result that comes later is refused.
  void close(int64_t id);
  /// What a native program is told of a trial, and what a page is.
  Json json(int64_t id);

  /// Hears of each phase that a trial enters. Set before the server starts.
  std::function<void(int64_t id, const std::string& phase)> onPhase;
  /// Hears of results of trials that pages have made themselves, or that next() gave.
  std::function<Status(const Cell&, double seconds, const TrialResult&)> onResult;
  /// The cells that an extension or a person walks through, in order.
  std::vector<Cell> walk;

 private:
  struct Ticket {
    Cell cell;
    bool isWalk = false;  // nobody waits for it
    std::chrono::steady_clock::time_point start;
    std::optional<TrialResult> result;
    std::vector<Sample> used;  // by what an extension has read
  };
  int64_t add(const Cell& cell, bool isWalk);
  Result<Json> create(const Cell& cell);
  Json next();
  Status check(const Cell& cell) const;
  Status keepUsage(int64_t id, const std::vector<Sample>& samples);
  Status accept(int64_t id, const TrialResult& result);
  std::optional<std::pair<std::string, std::string>> data(const std::string& path,
                                                          const Query& query);

  const Catalogue& catalogue_;
  TrialsOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t last_ = 0;
  size_t walked_ = 0;
  std::map<int64_t, Ticket> tickets_;
  std::map<std::string, std::pair<std::string, std::string>> known_;  // data by its request
};

}  // namespace fjord::study
