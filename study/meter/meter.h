// What a tree of processes uses of the machine, from Linux's /proc (proc(5)): the browser of a
// trial, or a native program.
//
//   Meter meter(session.process());          // looks every 100 ms, in a thread of its own
//   ..
//   meter.mark("steady");                    // what is used from here on belongs to this phase
//   std::vector<Sample> samples = meter.stop();
//
// CPU use is that of all processes of the tree together, in percent of one core (two busy cores are
// 200), over each interval; processes that come and go in between are counted while they are seen.
// The kernel tells CPU time in steps of 10 ms for each process: one interval of 100 ms is that
// coarse, the mean of many is not.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "plan/types.h"

namespace fjord::study {

/// The processes of a tree now: the root, its children, their children, ..; empty where the root is
/// gone. One that has ended counts until its parent has asked how (until then the kernel tells what
/// it used).
std::vector<int> processTree(int root);

/// What a tree has used and uses: CPU time (user and system) in seconds, resident memory in bytes
/// (proportional set size where the kernel tells it, so that shared pages count once; another
/// user's process, or one that hides, has its resident set size instead).
struct Usage {
  double cpuSeconds = 0;
  int64_t memory = 0;
  int processes = 0;
};
Usage usage(const std::vector<int>& processes);

class Meter {
 public:
  explicit Meter(int root, std::chrono::milliseconds interval = std::chrono::milliseconds(100));
  ~Meter();
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  /// Any thread may call it. The interval under way is dropped, and a new one begins.
  void mark(const std::string& phase);
  /// Samples of phase "cpu" (percent), one an interval that lay wholly within the phase "steady";
  /// one of phase "memory" (bytes), the most that was seen. Nothing where no process was seen.
  /// Again: the same.
  std::vector<Sample> stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fjord::study
