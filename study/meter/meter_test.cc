// Processes that do what is known, beside what the kernel says of them elsewhere: getrusage(2),
// statm.
#include "meter/meter.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

namespace fjord::study {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr int64_t kMega = 1 << 20;
constexpr bool kIsWatched = __has_feature(thread_sanitizer);
constexpr const char* kWhyNot = "the thread sanitizer takes memory, too, for all that is touched";

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
}
double cpuOf(const rusage& r) { return seconds(r.ru_utime) + seconds(r.ru_stime); }
double cpuHere() {
  rusage r;
  getrusage(RUSAGE_SELF, &r);
  return cpuOf(r);
}

/// Two pipes between a child and its parent: each says a number when it is ready, and waits for the
/// other's.
class Channel {
 public:
  Channel() {
    if (pipe(up_) || pipe(down_)) std::abort();
  }
  ~Channel() {
    for (int end : {up_[0], up_[1], down_[0], down_[1]}) close(end);
  }
  void tellParent(double value) { put(up_[1], value); }
  double hearChild() { return get(up_[0]); }
  void tellChild() { put(down_[1], 0); }
  void hearParent() { get(down_[0]); }

 private:
  static void put(int end, double value) {
    if (write(end, &value, sizeof value) != sizeof value) std::abort();
  }
  static double get(int end) {
    double value = 0;
    if (read(end, &value, sizeof value) != sizeof value) std::abort();
    return value;
  }
  int up_[2], down_[2];
};

/// A child process that runs a function, and is killed at the end.
class Child {
 public:
  explicit Child(const std::function<void()>& run) : id_(fork()) {
    if (id_ != 0) return;
    run();
    _exit(0);
  }
  ~Child() { end(); }
  int id() const { return id_; }
  void end() {
    if (id_ > 0) {
      kill(id_, SIGKILL);
      waitpid(id_, nullptr, 0);
    }
    id_ = 0;
  }

 private:
  pid_t id_;
};

void spin(milliseconds time) {
  for (auto until = Clock::now() + time; Clock::now() < until;) {
  }
}

std::vector<double> valuesOf(const std::vector<Sample>& samples, const std::string& phase) {
  std::vector<double> out;
  for (const Sample& s : samples) {
    if (s.phase == phase) out.push_back(s.value);
    EXPECT_EQ(s.unit, s.phase == "cpu" ? "percent" : "bytes");
  }
  return out;
}
double mean(const std::vector<double>& values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum / static_cast<double>(values.size());
}

/// A child that lets threads spin for a time, once it is told to: the mean of what the meter saw
/// beside the percentage that the child got by its own account, which on a busy machine is less
/// than 100 a thread.
void expectPercentOf(int threads, milliseconds interval = milliseconds(100),
                     double tolerance = 0.15) {
  Channel channel;
  Child child([&] {
    channel.tellParent(0);
    channel.hearParent();
    double used = cpuHere();
    auto begin = Clock::now();
    std::vector<std::thread> busy;
    for (int i = 0; i < threads; ++i) busy.emplace_back([] { spin(milliseconds(1500)); });
    for (std::thread& t : busy) t.join();
    if (!threads) std::this_thread::sleep_for(milliseconds(500));
    double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
    channel.tellParent(100 * (cpuHere() - used) / elapsed);
    pause();
  });
  channel.hearChild();
  Meter meter(child.id(), interval);
  meter.mark("steady");
  channel.tellChild();
  double got = channel.hearChild();
  std::vector<double> cpu = valuesOf(meter.stop(), "cpu");
  ASSERT_FALSE(cpu.empty());
  EXPECT_NEAR(mean(cpu), got, 5 + tolerance * got);
  EXPECT_GE(*std::ranges::min_element(cpu), 0);
  // Two steps of 10 ms too much, for user and for system time, and a look that other programs
  // interrupted.
  if (interval >= milliseconds(100)) EXPECT_LE(*std::ranges::max_element(cpu), 100 * threads + 70);
}

TEST(Meter, SeesTwoBusyThreads) { expectPercentOf(2); }
TEST(Meter, SeesOneBusyThread) { expectPercentOf(1); }
TEST(Meter, SeesASleeper) { expectPercentOf(0); }

/// A look at all processes takes longer than this, so that an interval is some times as long. They
/// differ much, and CPU time has steps of 10 ms: a mean of such percentages is rough.
TEST(Meter, TakesTheRealLengthOfIntervals) { expectPercentOf(1, milliseconds(1), 0.6); }

TEST(Meter, SeesTheMostMemory) {
  if (kIsWatched) GTEST_SKIP() << kWhyNot;
  Channel channel;
  Child child([&] {
    channel.tellParent(0);
    channel.hearParent();
    void* memory =
        mmap(nullptr, 64 * kMega, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::fill_n(static_cast<char*>(memory), 64 * kMega, 'x');
    channel.tellParent(0);
    channel.hearParent();
    munmap(memory, 64 * kMega);
    channel.tellParent(0);
    pause();
  });
  channel.hearChild();
  int64_t before = usage({child.id()}).memory;
  Meter meter(child.id(), milliseconds(20));
  channel.tellChild();
  channel.hearChild();
  EXPECT_NEAR(usage({child.id()}).memory - before, 64 * kMega, 4 * kMega);
  std::this_thread::sleep_for(milliseconds(200));
  channel.tellChild();
  channel.hearChild();
  EXPECT_NEAR(usage({child.id()}).memory, before, 4 * kMega);
  std::vector<double> memory = valuesOf(meter.stop(), "memory");
  ASSERT_EQ(memory.size(), 1u);
  EXPECT_NEAR(memory[0] - static_cast<double>(before), 64 * kMega, 4 * kMega);
}

/// Pages that two processes share count once together, in each one's proportion.
TEST(Usage, CountsSharedPagesOnce) {
  if (kIsWatched) GTEST_SKIP() << kWhyNot;
  void* shared =
      mmap(nullptr, 64 * kMega, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int64_t before = usage({getpid()}).memory;
  std::fill_n(static_cast<char*>(shared), 64 * kMega, 'x');
  EXPECT_NEAR(usage({getpid()}).memory - before, 64 * kMega, 4 * kMega);
  Channel channel;
  Child child([&] {
    int64_t sum = 0;
    channel.tellParent(0);
    channel.hearParent();
    for (int64_t i = 0; i < 64 * kMega; i += 1024) sum += static_cast<char*>(shared)[i];
    channel.tellParent(static_cast<double>(sum));
    pause();
  });
  channel.hearChild();
  // A child has some megabytes of its own, with a sanitizer many.
  std::vector<int> both{getpid(), child.id()};
  int64_t apart = usage(both).memory, own = usage({child.id()}).memory;
  channel.tellChild();
  channel.hearChild();
  // Resident sets would be 64 more.
  EXPECT_NEAR(usage(both).memory, apart, 4 * kMega);
  EXPECT_NEAR(usage({child.id()}).memory - own, 32 * kMega, 4 * kMega);
  munmap(shared, 64 * kMega);
}

/// Process 1 is another user's, unless this is root; who then takes on another name for the
/// question.
TEST(Usage, TakesTheResidentSetWhereSharesAreHidden) {
  bool isRoot = geteuid() == 0;
  if (isRoot) ASSERT_EQ(seteuid(65534), 0);
  bool hidden = !std::ifstream("/proc/1/smaps_rollup").is_open();
  int64_t memory = usage({1}).memory;
  int64_t size = 0, resident = 0;
  std::ifstream("/proc/1/statm") >> size >> resident;
  if (isRoot) ASSERT_EQ(seteuid(0), 0);
  ASSERT_TRUE(hidden);
  EXPECT_GT(memory, 0);
  EXPECT_NEAR(memory, resident * sysconf(_SC_PAGESIZE), kMega);
}

TEST(Usage, AgreesWithGetrusage) {
  for (int time : {30, 400}) {
    Child child([&] {
      // Half in the program, half in the kernel.
      spin(milliseconds(time / 2));
      std::vector<char> block(kMega);
      std::ifstream zeros("/dev/zero");
      for (auto until = Clock::now() + milliseconds(time / 2); Clock::now() < until;)
        zeros.read(block.data(), kMega);
    });
    siginfo_t info;
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child.id()), &info, WEXITED | WNOWAIT), 0);
    Usage seen = usage({child.id()});
    rusage real;
    ASSERT_EQ(wait4(child.id(), nullptr, 0, &real), child.id());
    EXPECT_EQ(seen.processes, 1);
    EXPECT_NEAR(seen.cpuSeconds, cpuOf(real), std::max(0.02, 0.1 * cpuOf(real)));
    EXPECT_EQ(usage({child.id()}).processes, 0);
  }
}

TEST(ProcessTree, HasChildrenAndTheirs) {
  Channel channel;
  Child other([] { pause(); });
  Child child([&] {
    // What is a name to a program is much to a reader of /proc/PID/stat.
    prctl(PR_SET_NAME, "a) R 1 (b c");
    Child below([&] {
      Child lowest([&] { pause(); });
      channel.tellParent(lowest.id());
      pause();
    });
    channel.tellParent(below.id());
    pause();
  });
  int a = static_cast<int>(channel.hearChild()), b = static_cast<int>(channel.hearChild());
  std::vector<int> expected{child.id(), a, b}, tree = processTree(child.id());
  std::ranges::sort(expected);
  std::ranges::sort(tree);
  EXPECT_EQ(tree, expected);
  EXPECT_EQ(usage(tree).processes, 3);
  std::vector<int> ours = processTree(getpid());
  for (int p : {getpid(), other.id(), child.id(), a, b})
    EXPECT_NE(std::ranges::find(ours, p), ours.end()) << p;
  kill(a, SIGKILL);
  kill(b, SIGKILL);
  int gone = child.id();
  child.end();
  EXPECT_TRUE(processTree(gone).empty());
  EXPECT_TRUE(processTree(0).empty());
}

/// Work that is done two generations below counts; so does that of processes which come and go, and
/// none makes it negative.
TEST(Meter, CountsProcessesThatComeAndGo) {
  Channel channel;
  Child child([&] {
    channel.hearParent();
    double lived = 0;
    rusage all;
    for (int i = 0; i < 12; ++i) {
      pid_t below = fork();
      if (below == 0) {
        Child lowest([] { spin(milliseconds(130)); });
        waitpid(lowest.id(), nullptr, 0);
        _exit(0);
      }
      waitpid(below, nullptr, 0);
    }
    getrusage(RUSAGE_CHILDREN, &all);
    lived = cpuOf(all);
    channel.tellParent(lived);
    pause();
  });
  Meter meter(child.id(), milliseconds(20));
  meter.mark("steady");
  auto begin = Clock::now();
  channel.tellChild();
  double used = channel.hearChild();
  double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
  std::vector<double> cpu = valuesOf(meter.stop(), "cpu");
  ASSERT_FALSE(cpu.empty());
  EXPECT_GE(*std::ranges::min_element(cpu), 0);
  // The last moments of each are not seen: up to an interval of 20 ms and two steps of 10 ms, of
  // the 130 ms that it works.
  double seen = mean(cpu) / 100 * elapsed;
  EXPECT_LT(seen, 1.1 * used + 0.05);
  EXPECT_GT(seen, 0.5 * used);
}

TEST(Meter, GivesWhatWasSeenOfATreeThatIsGone) {
  Child child([] { spin(milliseconds(60'000)); });
  Meter meter(child.id(), milliseconds(20));
  meter.mark("steady");
  std::this_thread::sleep_for(milliseconds(300));
  child.end();
  std::this_thread::sleep_for(milliseconds(100));
  std::vector<Sample> samples = meter.stop();
  std::vector<double> cpu = valuesOf(samples, "cpu");
  EXPECT_GT(cpu.size(), 0u);
  // The intervals in which there was nothing to see are none.
  EXPECT_LE(cpu.size(), 15u);
  EXPECT_GT(mean(cpu), 0);
  EXPECT_EQ(valuesOf(samples, "memory").size(), 1u);
  EXPECT_EQ(meter.stop().size(), samples.size());
}

TEST(Meter, GivesNothingOfATreeThatNeverWas) {
  int gone = 0;
  {
    Child child([] {});
    gone = child.id();
  }
  Meter meter(gone, milliseconds(10));
  meter.mark("steady");
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_TRUE(meter.stop().empty());
}

TEST(Meter, CountsWholeIntervalsOfTheSteadyPhase) {
  Child child([] { pause(); });
  auto countOf = [&](std::vector<std::pair<const char*, int>> phases) {
    Meter meter(child.id(), milliseconds(50));
    double steady = 0;
    for (auto [phase, time] : phases) {
      meter.mark(phase);
      auto begin = Clock::now();
      std::this_thread::sleep_for(milliseconds(time));
      auto took = std::chrono::duration<double, std::milli>(Clock::now() - begin);
      if (std::string(phase) == "steady") steady += took.count();
    }
    double count = static_cast<double>(valuesOf(meter.stop(), "cpu").size());
    // An interval is never shorter than it should be.
    EXPECT_LE(count, steady / 50 + 0.5);
    return count;
  };
  EXPECT_EQ(countOf({}), 0);
  EXPECT_EQ(countOf({{"first", 200}, {"", 100}}), 0);
  EXPECT_EQ(countOf({{"steady", 20}, {"first", 200}, {"steady", 20}, {"steady", 20}}), 0);
  EXPECT_GE(countOf({{"first", 100}, {"steady", 400}, {"heap", 200}}), 1);
}

}  // namespace
}  // namespace fjord::study
