#include "meter/meter.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>

namespace fjord::study {

namespace {

using Clock = std::chrono::steady_clock;

/// A file of /proc/PROCESS; "" where the process is gone or the file not for us to read.
std::string readProc(int process, const char* name) {
  std::string path = "/proc/" + std::to_string(process) + "/" + name, out;
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return out;
  char block[4096];
  for (ssize_t got; (got = read(file, block, sizeof block)) > 0;)
    out.append(block, static_cast<size_t>(got));
  close(file);
  return out;
}

/// What /proc/PID/stat tells of a process.
struct Stat {
  int parent = 0;
  uint64_t ticks = 0;  // of CPU time, user and system, _SC_CLK_TCK a second
  uint64_t started =
      0;  // since the machine was: tells a process from a later one of the same number
  int64_t resident = 0;  // bytes
};

std::optional<Stat> statOf(int process) {
  std::string text = readProc(process, "stat");
  // The second field is the program's name in parentheses, which may itself have spaces and
  // parentheses.
  size_t name = text.rfind(')');
  if (name == std::string::npos) return {};
  // Fields are numbered from 1; the third, a letter, follows the name.
  constexpr int kParent = 4, kUser = 14, kSystem = 15, kStarted = 22, kResident = 24;
  Stat out;
  const char* at = text.c_str() + name + 3;
  for (int field = kParent; field <= kResident; ++field) {
    char* end = nullptr;
    uint64_t value = std::strtoull(at, &end, 10);
    if (end == at) return {};
    at = end;
    if (field == kParent) out.parent = static_cast<int>(value);
    if (field == kUser || field == kSystem) out.ticks += value;
    if (field == kStarted) out.started = value;
    if (field == kResident) out.resident = static_cast<int64_t>(value) * sysconf(_SC_PAGESIZE);
  }
  return out;
}

/// All processes of this machine that can be seen.
std::map<int, Stat> everyStat() {
  std::map<int, Stat> out;
  DIR* folder = opendir("/proc");
  if (!folder) return out;
  while (const dirent* entry = readdir(folder)) {
    int process = std::atoi(entry->d_name);
    if (process <= 0) continue;
    if (auto stat = statOf(process)) out[process] = *stat;
  }
  closedir(folder);
  return out;
}

/// The tree below a root, the root first.
std::map<int, Stat> treeOf(int root) {
  std::map<int, Stat> all = everyStat(), out;
  std::multimap<int, int> children;
  for (const auto& [process, stat] : all) children.emplace(stat.parent, process);
  std::vector<int> waiting{root};
  while (!waiting.empty()) {
    int process = waiting.back();
    waiting.pop_back();
    auto found = all.find(process);
    if (found == all.end() || !out.insert(*found).second) continue;
    auto [begin, end] = children.equal_range(process);
    for (auto child = begin; child != end; ++child) waiting.push_back(child->second);
  }
  return out;
}

/// The number of bytes after a name in a file like /proc/PID/smaps_rollup, which has kilobytes;
/// nullopt where it is not there.
std::optional<int64_t> bytesAfter(std::string_view text, std::string_view name) {
  size_t at = text.find(name);
  if (at == std::string_view::npos) return {};
  return std::strtoll(text.data() + at + name.size(), nullptr, 10) * 1024;
}

/// A process's share of the memory that it has resident. The kernel looks through all its pages for
/// this.
int64_t memoryOf(int process, const Stat& stat) {
  return bytesAfter(readProc(process, "smaps_rollup"), "\nPss:").value_or(stat.resident);
}

double secondsOf(uint64_t ticks) {
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

std::vector<int> processTree(int root) {
  std::vector<int> out;
  for (const auto& [process, stat] : treeOf(root)) out.push_back(process);
  return out;
}

Usage usage(const std::vector<int>& processes) {
  Usage out;
  for (int process : processes) {
    auto stat = statOf(process);
    if (!stat) continue;
    out.cpuSeconds += secondsOf(stat->ticks);
    out.memory += memoryOf(process, *stat);
    ++out.processes;
  }
  return out;
}

// ---- Meter

struct Meter::State {
  int root;
  std::chrono::milliseconds interval;

  std::mutex mutex;
  std::condition_variable changed;
  std::thread thread;
  bool stopped = false;
  std::string phase;
  Clock::time_point begin;           // of the interval under way
  bool wasThere = false;             // a process of the tree, at its begin
  std::map<int, Stat> seen;          // the last of every process that was ever in the tree
  int64_t resident = 0, memory = 0;  // bytes, the most
  std::vector<Sample> samples;

  /// Looks, and begins an interval; gives the ticks of CPU time since the last look. Of a process
  /// that has ended since then the rest is not known; one that is new has used all that it used
  /// since then.
  uint64_t look() {
    std::map<int, Stat> now = treeOf(root);
    begin = Clock::now();
    uint64_t ticks = 0;
    for (const auto& [process, stat] : now) {
      auto before = seen.find(process);
      bool isNew = before == seen.end() || before->second.started != stat.started;
      ticks += stat.ticks - (isNew ? 0 : std::min(stat.ticks, before->second.ticks));
      seen[process] = stat;
    }
    wasThere = !now.empty();
    lookAtMemory(now);
    return ticks;
  }

  /// Shares of shared pages take the kernel milliseconds a process, in which that cannot change its
  /// memory. So they are asked for only where the resident sets, which are larger and cost nothing,
  /// are together at a new most.
  void lookAtMemory(const std::map<int, Stat>& now) {
    constexpr double kNewMost = 1.01;
    int64_t sum = 0, shares = 0;
    for (const auto& [process, stat] : now) sum += stat.resident;
    if (static_cast<double>(sum) <= kNewMost * static_cast<double>(resident)) return;
    resident = sum;
    for (const auto& [process, stat] : now) shares += memoryOf(process, stat);
    memory = std::max(memory, shares);
  }

  void run() {
    std::unique_lock lock(mutex);
    while (!stopped) {
      auto due = begin + interval;
      if (changed.wait_until(lock, due, [&] { return stopped || begin + interval > due; }))
        continue;
      auto from = begin;
      bool fromThere = wasThere;
      double busy = secondsOf(look());
      double elapsed = std::chrono::duration<double>(begin - from).count();
      // An interval within which the tree began or went is not one of it.
      if (phase == "steady" && fromThere && wasThere)
        samples.push_back({"cpu", "percent", 100 * busy / elapsed});
    }
  }
};

Meter::Meter(int root, std::chrono::milliseconds interval) : state_(std::make_unique<State>()) {
  state_->root = root;
  state_->interval = interval;
  state_->look();
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

Meter::~Meter() { stop(); }

void Meter::mark(const std::string& phase) {
  std::lock_guard lock(state_->mutex);
  state_->look();
  state_->phase = phase;
  state_->changed.notify_one();
}

std::vector<Sample> Meter::stop() {
  {
    std::lock_guard lock(state_->mutex);
    if (!state_->stopped) {
      state_->stopped = true;
      state_->look();
      if (state_->memory > 0)
        state_->samples.push_back({"memory", "bytes", static_cast<double>(state_->memory)});
    }
  }
  state_->changed.notify_one();
  if (state_->thread.joinable()) state_->thread.join();
  return state_->samples;
}

}  // namespace fjord::study
