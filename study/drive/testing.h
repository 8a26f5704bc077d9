// For tests: what results and processes are asked.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace fjord::study {

/// The error, or that there was none.
template <class T>
std::string errorOf(const Result<T>& result) {
  return result ? "no error" : result.error().message;
}

#define ASSERT_FINE(result) ASSERT_TRUE(result) << errorOf(result)
#define EXPECT_STARTS(text, start) \
  EXPECT_EQ(std::string(text).substr(0, std::string_view(start).size()), std::string(start)) << text
#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

/// The children of a process, theirs, and so on, as the kernel lists them (proc(5),
/// /proc/PID/task/TID/children).
inline std::vector<int> descendants(int process) {
  std::vector<int> out;
  std::error_code gone;
  std::filesystem::directory_iterator tasks("/proc/" + std::to_string(process) + "/task", gone);
  for (; !gone && tasks != std::filesystem::directory_iterator(); tasks.increment(gone)) {
    std::ifstream children(tasks->path() / "children");
    for (int child; children >> child;) {
      out.push_back(child);
      std::vector<int> more = descendants(child);
      out.insert(out.end(), more.begin(), more.end());
    }
  }
  return out;
}

/// The parent and the state of a process, 0 and 'X' where there is none: proc(5), /proc/PID/stat.
inline std::pair<int, char> parentAndState(int process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  size_t name = text.rfind(')');
  if (name == std::string::npos) return {0, 'X'};
  return {std::atoi(text.c_str() + name + 4), text[name + 2]};
}

/// A zombie has ended: it is up to its parent to let it go.
inline bool hasEnded(int process) {
  char state = parentAndState(process).second;
  return state == 'X' || state == 'Z';
}

/// Whether something comes true in so many seconds.
template <class F>
bool soon(F isTrue, int seconds = 10) {
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!isTrue()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace fjord::study
