// Budget: how long work may go on before others have their turn. Work that takes one looks at its clock
// now and then, stops at a place where it can go on later, and says so. The time begins with the first
// look, which comes early in long work, and never in work that is shorter than what a look is for.
//
//   Budget budget(8);                                   // milliseconds
//   while (!*executor.run(&budget)) { drawAFrame(); budget = Budget(8); }
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace fjord {

struct Budget {
  /// Milliseconds, from whenever.
  using Clock = double (*)();
  static double steady() {
    using Milliseconds = std::chrono::duration<double, std::milli>;
    return Milliseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  explicit Budget(double milliseconds, Clock clock = steady)
      : now(clock), milliseconds_(milliseconds) {}

  /// Milliseconds: a look at the clock.
  double left() const {
    double time = now();
    if (!until_) until_ = time + milliseconds_;
    return *until_ - time;
  }
  bool isOver() const { return left() <= 0; }

  Clock now;
  /// Work, in multiply-adds, after which the clock is looked at as long as nobody knows how fast the
  /// machine is: this many take a slow phone two milliseconds. 0 is after every share of a step.
  int64_t betweenLooks = 4 << 20;

 private:
  double milliseconds_;
  mutable std::optional<double> until_;
};

}  // namespace fjord
