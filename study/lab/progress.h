// How far a run is: a line that is drawn again on a terminal, and one line a minute elsewhere.
//
//   [=======>            ] 131/402  tfjs/wasm train 8x256  6 min 10 s left
#pragma once

#include <chrono>
#include <string>

namespace fjord::study {

class Progress {
 public:
  /// `seconds`: the run ends by then, whatever is left; 0 for no such limit.
  Progress(int trials, double seconds);

  /// A trial begins; `done` are over.
  void show(int done, const std::string& what);
  /// A line of its own, above.
  void say(const std::string& text);
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(int done, const std::string& what) const;

  bool isTerminal_;
  int trials_;
  double seconds_;
  Clock::time_point start_ = Clock::now(), said_ = start_;
};

}  // namespace fjord::study
