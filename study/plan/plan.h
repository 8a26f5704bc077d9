// Which trials a run has, and in which order.
//
//   Plan plan = makePlan(catalogue, {.sizes = {{1, 64}, {8, 256}}, .rounds = 3, .seed = 7});
//
// A round has every cell once; within it the order is drawn from the seed, so that what else the machine does hits all alike
// (interleaved samples). Tasks that others need come first, once.
#pragma once

#include <vector>

#include "plan/subjects.h"
#include "store/store.h"

namespace fjord::study {

struct PlanOptions {
  std::vector<Size> sizes;
  std::vector<std::string> subjects;  // "tfjs" or "tfjs/wasm"; all if empty
  std::vector<std::string> tasks;     // all if empty
  int rounds = 3;
  uint64_t seed = 1;
};

struct Plan {
  std::vector<Trial> trials;  // numbered from 1, in the order in which they run
};

/// A subject, backend or task that is not in the catalogue is an error that lists those that are.
Result<Plan> makePlan(const Catalogue& catalogue, const PlanOptions& options);

/// What is left when `done` are in the store: their cells and rounds are taken away, the order stays. For --resume.
std::vector<Trial> remaining(const Plan& plan, const std::vector<TrialRow>& done);

/// The sizes of the paper's grid: 1, 2, 4, 8 hidden layers of 64, 128, 256 units.
std::vector<Size> paperSizes();
/// "1x64,8x256"
Result<std::vector<Size>> parseSizes(const std::string& text);

}  // namespace fjord::study
