// Budget: how long work may go on before others have their turn. Work that takes one looks at its clock
// now and then, stops at a place where it can go on later, and says so.
//
//   Budget budget(8);                                   // milliseconds, from now
//   while (!*executor.run(&budget)) { drawAFrame(); budget = Budget(8); }
#pragma once

#include <chrono>
#include <cstdint>

namespace fjord {

struct Budget {
  /// Milliseconds, from whenever.
  using Clock = double (*)();
  static double steady() {
    using Milliseconds = std::chrono::duration<double, std::milli>;
    return Milliseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

  explicit Budget(double milliseconds, Clock clock = steady)
      : now(clock), until(clock() + milliseconds) {}

  bool isOver() const { return now() >= until; }

  Clock now;
  double until;
  /// Work, in multiply-adds, after which the clock is looked at: a look costs as much as some
  /// thousands of them, and this many take a slow phone two milliseconds.
  int64_t betweenLooks = 4 << 20;
};

}  // namespace fjord
