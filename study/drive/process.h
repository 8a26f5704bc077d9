// A program that this one starts, and that leaves nothing behind: it, all processes that it starts,
// and its folder for temporary files go when the Process does, and just so when this program ends
// in any way at all, SIGKILL too.
//
//   Result<Process> driver = Process::start("/usr/bin/chromedriver", {"--port=0"});
//   while (driver->running() && !portIn(driver->output())) ..
//
// Between the two stands a small process of ours that all orphans among the program's descendants
// fall to (Linux's "child subreaper"), whichever group or session they moved to. It holds the read
// end of a pipe of which this program has the write end: when that closes, it ends every one of
// them. Killing a group, or a signal at the parent's death, would miss those that left the group
// (Chromium's crash handlers do), and leave zombies where process 1 does not wait for its children.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace fjord::study {

/// The file of a program: a path as it is, a name as PATH has it; an error where there is no such
/// program.
Result<std::string> findProgram(const std::string& name);

class Process {
 public:
  /// Starts the program in a group of its own, with no input; TMPDIR is a new folder.
  static Result<Process> start(const std::string& path, const std::vector<std::string>& arguments);

  Process(Process&& other) noexcept { swap(other); }
  Process& operator=(Process&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Process();

  int id() const { return id_; }
  bool running();
  /// What it has printed so far, to its standard output and its standard error.
  std::string output() const;

 private:
  Process() = default;
  void swap(Process& other) noexcept;

  int id_ = 0;
  int guard_ = 0;    // the process in between
  int life_ = -1;    // closed: all of it ends
  int output_ = -1;  // a file in memory
};

}  // namespace fjord::study
