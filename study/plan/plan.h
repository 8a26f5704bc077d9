// Which trials a run has, and in which order.
//
//   Plan plan = makePlan(catalogue, {.workloads = {{1, 64}, {8, 256}}, .rounds = 3, .seed = 7});
//
// A round has every cell once; within it the order is drawn from the seed, so that what else the
// machine does hits all alike (interleaved samples). Tasks that others need come first, once, in
// round 0. What a subject cannot do is in the plan, too: it is told without a page
// (Subject::refuses).
#pragma once

#include <vector>

#include "plan/subjects.h"
#include "store/store.h"

namespace fjord::study {

struct PlanOptions {
  std::vector<Workload> workloads = {};    // the grid of dense networks if empty
  std::vector<std::string> subjects = {};  // "tfjs" or "tfjs/wasm"; all if empty
  std::vector<std::string> tasks = {};     // all if empty; those that they need come along
  int rounds = 3;
  uint64_t seed = 1;
};

struct Plan {
  std::vector<Trial> trials;  // numbered from 1, in the order in which they run
};

/// A subject, backend or task that is not in the catalogue is an error that lists those that are.
/// Tasks that load a network (phase "load") bring the `first` tasks of the subject whose files they
/// read.
Result<Plan> makePlan(const Catalogue& catalogue, const PlanOptions& options);

/// What a run was to do, as its options in the store say.
Result<PlanOptions> planOptionsOf(const Catalogue& catalogue, const Run& run);

/// What is left when `done` are in the store: their cells and rounds are taken away, the order
/// stays, the numbers go on from theirs. For --resume.
std::vector<Trial> remaining(const Plan& plan, const std::vector<TrialRow>& done);

}  // namespace fjord::study
