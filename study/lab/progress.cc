#include "lab/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace fjord::study {

namespace {

constexpr int kBar = 20;

std::string inWords(double seconds) {
  auto whole = static_cast<long>(seconds + 0.5);
  if (whole < 60) return std::to_string(whole) + " s";
  return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
}

}  // namespace

Progress::Progress(int trials, double seconds)
    : isTerminal_(isatty(STDERR_FILENO) != 0), trials_(trials), seconds_(seconds) {}

std::string Progress::line(int done, const std::string& what) const {
  double spent = std::chrono::duration<double>(Clock::now() - start_).count();
  // Trials differ by a hundred times, but their order is drawn: the mean of those so far foretells the rest.
  double left = done ? spent / done * (trials_ - done) : 0;
  if (seconds_ > 0) left = done ? std::min(left, seconds_ - spent) : seconds_;
  double share = trials_ ? static_cast<double>(done) / trials_ : 1;
  if (seconds_ > 0) share = std::max(share, std::min(1.0, spent / seconds_));
  auto full = static_cast<size_t>(share * kBar);
  std::string bar(full, '=');
  if (full < kBar) bar += '>';
  bar.resize(kBar, ' ');
  return "[" + bar + "] " + std::to_string(done) + "/" + std::to_string(trials_) + "  " + what +
         "  " + (done ? inWords(std::max(0.0, left)) + " left" : "");
}

void Progress::show(int done, const std::string& what) {
  if (isTerminal_) {
    std::fprintf(stderr, "\r\x1b[K%s", line(done, what).c_str());
  } else if (done == 0 || Clock::now() - said_ > std::chrono::minutes(1)) {
    said_ = Clock::now();
    std::fprintf(stderr, "%s\n", line(done, what).c_str());
  }
  std::fflush(stderr);
}

void Progress::say(const std::string& text) {
  std::fprintf(stderr, isTerminal_ ? "\r\x1b[K%s\n" : "%s\n", text.c_str());
}

void Progress::end() {
  if (isTerminal_) std::fprintf(stderr, "\r\x1b[K");
}

}  // namespace fjord::study
