// Budget: how long work may go on before others have their turn. Work that takes one looks at its clock
// now and then, stops at a place where it can go on later, and says so. The time begins with the first
// look, which comes early in long work, and never in work that is shorter than what a look is for.
//
//   Budget budget(8);                                   // milliseconds
//   while (!*executor.run(&budget)) { drawAFrame(); budget = Budget(8); }
#pragma once

#include <algorithm>
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

/// When work that has a budget looks at the clock: about once a millisecond, as soon as it knows how much
/// is done in one.
class Looks {
 public:
  /// `pace` is the work of a millisecond as it went so far, 0 where nobody knows; it is kept up to date.
  Looks(const Budget& budget, double& pace) : budget_(budget), pace_(pace) {}

  /// How much may be done before the next look.
  int64_t room() const { return untilNext() - done_; }

  /// So much more is done: whether the budget is over.
  bool isOver(int64_t work) {
    done_ += work;
    if (room() > 0) return false;
    double left = budget_.left();
    if (before_ && *before_ > left) pace_ = static_cast<double>(done_) / (*before_ - left);
    before_ = left;
    done_ = 0;
    return left <= 0;
  }

 private:
  int64_t untilNext() const {
    return budget_.betweenLooks ? std::max(budget_.betweenLooks, static_cast<int64_t>(pace_)) : 0;
  }

  const Budget& budget_;
  double& pace_;
  int64_t done_ = 0;              // since the last look
  std::optional<double> before_;  // what was left then
};

}  // namespace fjord
