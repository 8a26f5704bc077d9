// The verbs of `fjord`. Each adds its arguments to the parser and leaves what is to be done.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "base/result.h"
#include "base/threads.h"

namespace fjord::cli {

struct Command {
  CLI::App* app;
  /// The program's exit status.
  std::function<Result<int>()> run;
};

Command addTrain(CLI::App& app);
Command addPredict(CLI::App& app);
Command addInspect(CLI::App& app);

/// What the shell expects of a program that Ctrl-C ended.
constexpr int kInterrupted = 130;

/// All processors, or as many as asked for.
inline int threadCount(int asked) {
  unsigned available = std::thread::hardware_concurrency();
  return asked > 0 ? asked : static_cast<int>(available > 0 ? available : 1);
}

}  // namespace fjord::cli
