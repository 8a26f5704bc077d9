// One run of the study: every trial of a plan, in a fresh browser or a process, kept as soon as it has ended.
//
//   FJORD_TRY(int64_t run, conduct(catalogue, options, store));
//
// A page that crashes or hangs costs its own trial. A cell whose answer was wrong, or that had none, is not tried again in later
// rounds: the reason would be the same.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <string>

#include "drive/webdriver.h"
#include "lab/desk.h"
#include "plan/plan.h"
#include "store/store.h"

namespace fjord::study {

/// Where things are.
struct Places {
  std::string study;    // this folder: harness/, subjects/, tasks/
  std::string modules;  // node_modules
  std::string package;  // Fjord's own npm package, built
  std::string build;    // native programs
  std::string cache;    // Python environments, the machine's name
  std::string files;    // model files of this run
};
/// In a checkout of Fjord: `root` is its folder.
Places placesIn(const std::string& root, const std::string& cache, const std::string& out);

struct LabOptions {
  Places places;
  PlanOptions plan;
  TrialsOptions trials;
  // No trial begins after so many; 0: as long as it takes. A run that goes on has its own.
  std::optional<double> minutes;
  std::chrono::milliseconds timeout{0};  // of one trial; 0: what its network needs
  BrowserOptions browser;
  std::string webdriver;  // a driver or a Grid that runs already, or ""
  std::string host = "127.0.0.1";
  int port = 0;
  bool resume = false;
};

/// The folders of the pages for ServerOptions.
std::map<std::string, std::string> foldersOf(const Places& places);

/// Makes a run, or goes on with the last one that was interrupted; gives its number in the store.
Result<int64_t> conduct(const Catalogue& catalogue, LabOptions options, Store& store);

/// Serves the pages for browsers that nobody drives: by link, or with the extension. Until `stop` is true.
Status serve(const Catalogue& catalogue, const LabOptions& options, Store& store,
             const std::atomic<bool>& stop);

}  // namespace fjord::study
