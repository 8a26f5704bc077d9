#include "progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace fjord::cli {

namespace {

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

int terminalWidth() {
  struct winsize size = {};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// As much of it as there is room for.
std::string bar(int width, double share) {
  constexpr int kWidest = 22, kNarrowest = 6;
  width = std::min(width, kWidest);
  if (width < kNarrowest) return "";
  auto inside = static_cast<size_t>(width - 2);
  std::string out(static_cast<size_t>(share * static_cast<double>(inside)), '=');
  if (out.size() < inside) out += '>';
  out.resize(inside, ' ');
  return cat("[", out, "]");
}

}  // namespace

std::string logLine(const Logs& logs) {
  std::string line;
  for (const auto& [name, value] : logs)
    line += cat(line.empty() ? "" : "  ", name, " ", fixed(value, 4));
  return line;
}

Progress::Progress(int epochs)
    : isTerminal_(isatty(STDOUT_FILENO)), epochs_(epochs), epochStart_(Clock::now()) {}

double Progress::secondsSince(Clock::time_point start) const {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void Progress::batch(const Fit& fit) {
  if (firstBatch_ < 0) firstBatch_ = fit.batch() - 1;
  // Ten pictures a second are enough for the eye and cost no time.
  constexpr double kSecondsBetween = 0.1;
  if (!isTerminal_ || (isShown_ && secondsSince(drawn_) < kSecondsBetween)) return;
  drawn_ = Clock::now();
  isShown_ = true;
  // An epoch that was begun elsewhere took no time for its first batches.
  int here = std::max(1, fit.batch() - firstBatch_);
  double left = secondsSince(epochStart_) / here * (fit.batches() - fit.batch());
  std::string before = cat("epoch ", fit.epoch() + 1, "/", epochs_, " ");
  // As wide from the first batch to the last, so that the bar does not jump.
  std::string batch = cat(fit.batch()), batches = cat(fit.batches());
  batch.insert(0, batches.size() - batch.size(), ' ');
  std::string after = cat(" ", batch, "/", batches, "  ", logLine(fit.logs()), "  ",
                          static_cast<int64_t>(left + 0.5), " s left");
  int width = terminalWidth() - 1, text = static_cast<int>(before.size() + after.size());
  std::string line = before + bar(width - text, double(fit.batch()) / fit.batches()) + after;
  // A line that wraps could not be drawn again.
  std::printf("\r%s\033[K", line.substr(0, static_cast<size_t>(std::max(0, width))).c_str());
  std::fflush(stdout);
}

void Progress::epoch(int number, const Logs& logs) {
  clear();
  std::printf("epoch %d/%d  %s  %s s\n", number, epochs_, logLine(logs).c_str(),
              fixed(secondsSince(epochStart_), 1).c_str());
  std::fflush(stdout);
  epochStart_ = Clock::now();
  firstBatch_ = -1;
}

void Progress::clear() {
  if (isShown_) std::printf("\r\033[K");
  std::fflush(stdout);
  isShown_ = false;
}

}  // namespace fjord::cli
