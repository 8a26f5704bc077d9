#include "drive/process.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

#include "drive/testing.h"

namespace fjord::study {
namespace {

/// A shell that runs a script.
Result<Process> shell(const std::string& script) {
  return Process::start("/bin/sh", {"-c", script, "a shell"});
}

/// The words that a program has printed, once there are so many.
std::vector<std::string> words(const Process& process, size_t count) {
  std::vector<std::string> out;
  soon([&] {
    std::istringstream text(process.output());
    out.assign(std::istream_iterator<std::string>(text), {});
    return out.size() >= count;
  });
  out.resize(count);
  return out;
}

TEST(FindProgram, LooksInPath) {
  EXPECT_HAS(findProgram("sh").value_or(""), "/sh");
  EXPECT_EQ(findProgram("/bin/sh").value_or(""), "/bin/sh");
  EXPECT_EQ(errorOf(findProgram("no-such-program")), "there is no program no-such-program on PATH");
  EXPECT_EQ(errorOf(findProgram("/etc/passwd")), "there is no program /etc/passwd");
}

TEST(Process, KeepsWhatIsPrinted) {
  auto process = shell("echo out; echo err >&2; cat; echo $0");
  ASSERT_FINE(process);
  EXPECT_GT(process->id(), 0);
  // Its input is empty, so that cat ends.
  ASSERT_TRUE(soon([&] { return !process->running(); }));
  EXPECT_EQ(process->output(), "out\nerr\na shell\n");
}

TEST(Process, ReportsAProgramThatCannotRun) {
  // A file with the right to run that is no program.
  std::string path = testing::TempDir() + "fjord-no-program";
  std::ofstream(path) << "\x7f"
                         "ELF no";
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  auto process = Process::start(path, {});
  ASSERT_FINE(process);
  EXPECT_TRUE(soon([&] { return !process->running(); }));
  std::filesystem::remove(path);
  EXPECT_EQ(process->output(), "Exec format error");
}

TEST(Process, HasAFolderThatGoesWithIt) {
  std::string folder;
  {
    auto process = shell("mkdir $TMPDIR/a && echo $TMPDIR; sleep 100");
    ASSERT_FINE(process);
    folder = words(*process, 1)[0];
    EXPECT_TRUE(std::filesystem::is_directory(folder + "/a")) << folder;
    EXPECT_NE(folder, words(*shell("echo $TMPDIR"), 1)[0]);
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
}

/// The shell prints the numbers of four processes: its own, a child's, an orphan's, and one's in a
/// session of its own that is an orphan as well and ignores what can be ignored.
constexpr const char* kFamily =
    "echo $$; sleep 100 & echo $!; (sleep 100 & echo $!);"
    "(setsid sh -c 'trap \"\" TERM HUP INT; echo $$; sleep 100; sleep 100' &); wait";

std::vector<int> familyOf(const Process& process) {
  std::vector<int> out;
  for (const std::string& word : words(process, 4)) out.push_back(std::atoi(word.c_str()));
  return out;
}

TEST(Process, TakesAllDescendantsWithIt) {
  std::vector<int> family;
  {
    auto process = shell(kFamily);
    ASSERT_FINE(process);
    family = familyOf(*process);
    EXPECT_EQ(family[0], process->id());
    for (int p : family) ASSERT_FALSE(hasEnded(p)) << p;
  }
  // Not even zombies are there once it is destroyed.
  for (int p : family) EXPECT_EQ(parentAndState(p).second, 'X') << p;
}

TEST(Process, TakesTheRestWithItWhenTheProgramEnds) {
  auto process = shell(kFamily);
  ASSERT_FINE(process);
  std::vector<int> family = familyOf(*process);
  kill(process->id(), SIGKILL);
  EXPECT_TRUE(soon([&] { return !process->running(); }));
  for (int p : family) EXPECT_EQ(parentAndState(p).second, 'X') << p;
}

/// Two at a time: neither holds the other's pipe open.
TEST(Process, GoesWhileAnotherStays) {
  auto first = shell("sleep 100");
  auto second = shell("sleep 100");
  ASSERT_FINE(first);
  ASSERT_FINE(second);
  int id = first->id();
  {
    Process gone = std::move(*first);
  }
  EXPECT_TRUE(hasEnded(id));
  EXPECT_TRUE(second->running());
}

TEST(Process, GoesWhenItsParentIsKilled) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t parent = fork();
  if (parent == 0) {
    auto process = shell(kFamily);
    std::vector<int> family = familyOf(*process);
    bool told = write(ends[1], family.data(), 4 * sizeof(int)) == 4 * sizeof(int);
    if (told) pause();
    _exit(1);
  }
  int family[4] = {};
  ASSERT_EQ(read(ends[0], family, sizeof family), static_cast<ssize_t>(sizeof family));
  for (int p : family) ASSERT_FALSE(hasEnded(p)) << p;
  int guard = parentAndState(family[0]).first;
  EXPECT_EQ(parentAndState(guard).first, parent);
  kill(parent, SIGKILL);
  EXPECT_TRUE(soon([&] { return hasEnded(guard); }));
  for (int p : family) EXPECT_TRUE(hasEnded(p)) << p;
  waitpid(parent, nullptr, 0);
  for (int end : ends) close(end);
}

}  // namespace
}  // namespace fjord::study
