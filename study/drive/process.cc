#include "drive/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace fjord::study {

namespace {

/// What the process in between needs. It is made before the fork: with other threads around, a
/// forked process may only make system calls, so it allocates nothing.
struct Orders {
  char* const* arguments;  // of the program, its path first
  char* const* environment;
  char* const* cleanUp;  // the command line that removes the folder
  int life, output, id;
};

[[noreturn]] void becomeProgram(const Orders& orders) {
  // Should the process in between be killed, its child is as well.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int signal : {SIGPIPE, SIGCHLD, SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_DFL);
  dup2(open("/dev/null", O_RDONLY), 0);
  execve(orders.arguments[0], orders.arguments, orders.environment);
  const char* why = strerrordesc_np(errno);
  // What cannot be written is not read either.
  [[maybe_unused]] ssize_t written = write(2, why, strlen(why));
  _exit(127);
}

/// Kills the children that this process has now; false where the kernel does not list them.
bool killChildren() {
  int file = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  char text[4096];
  pid_t child = 0;
  for (ssize_t got; (got = read(file, text, sizeof text)) > 0;) {
    for (const char* c = text; c < text + got; ++c) {
      if (*c >= '0' && *c <= '9') {
        child = child * 10 + (*c - '0');
      } else if (child > 0) {
        kill(std::exchange(child, 0), SIGKILL);
      }
    }
  }
  close(file);
  return true;
}

/// Ends every descendant. A child that has ended leaves its own children to this process, before it
/// can be waited for; so when there are none left, there are no descendants left.
void endDescendants(pid_t program) {
  do {
    if (!killChildren()) kill(program, SIGKILL);
  } while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR);
}

void nothing(int) {}

/// Waits until the program has ended, or the one that started it has.
void keepWatch(pid_t program) {
  std::signal(SIGCHLD, nothing);  // so that a child's end interrupts ppoll()
  sigset_t none;
  sigemptyset(&none);
  for (;;) {
    for (pid_t ended; (ended = waitpid(-1, nullptr, WNOHANG)) > 0;) {
      if (ended == program) return;
    }
    pollfd life{.fd = 0, .events = POLLIN, .revents = 0};
    if (ppoll(&life, 1, nullptr, &none) > 0) return;
  }
}

[[noreturn]] void guard(const Orders& orders) {
  // Nothing but SIGKILL ends this process early; SIGCHLD waits for ppoll().
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  setpgid(0, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "fjord-guard");

  // Only these are kept: another guard's pipe, held open here, would keep that guard waiting.
  constexpr int kId = 3;
  int life = fcntl(orders.life, F_DUPFD, 10), output = fcntl(orders.output, F_DUPFD, 10);
  int id = fcntl(orders.id, F_DUPFD, 10);
  dup2(life, 0);
  dup2(output, 1);
  dup2(output, 2);
  dup2(id, kId);
  close_range(kId + 1, ~0u, 0);

  pid_t program = fork();
  if (program == 0) {
    close(kId);
    becomeProgram(orders);
  }
  if (program > 0) {
    [[maybe_unused]] ssize_t written = write(kId, &program, sizeof program);
    close(kId);
    keepWatch(program);
    endDescendants(program);
  }
  execve(orders.cleanUp[0], orders.cleanUp, orders.environment);
  _exit(127);
}

/// A list of C strings; the strings must outlive it.
std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> environmentWith(const std::string& name, const std::string& value) {
  std::vector<std::string> out{name + "=" + value};
  for (char** entry = environ; *entry; ++entry) {
    if (!std::string_view(*entry).starts_with(name + "=")) out.emplace_back(*entry);
  }
  return out;
}

Result<std::string> makeFolder() {
  const char* parent = std::getenv("TMPDIR");
  std::string path = std::string(parent && *parent ? parent : "/tmp") + "/fjord-XXXXXX";
  if (!mkdtemp(path.data()))
    return fail("no folder for temporary files can be made: ", path, ": ", std::strerror(errno));
  return path;
}

}  // namespace

Result<std::string> findProgram(const std::string& name) {
  auto isProgram = [](const std::string& path) { return access(path.c_str(), X_OK) == 0; };
  if (name.find('/') != std::string::npos) {
    if (isProgram(name)) return name;
    return fail("there is no program ", name);
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    size_t colon = rest.find(':');
    std::string candidate = std::string(rest.substr(0, colon)) + "/" + name;
    if (colon != 0 && isProgram(candidate)) return candidate;
    rest.remove_prefix(colon == std::string_view::npos ? rest.size() : colon + 1);
  }
  return fail("there is no program ", name, " on PATH");
}

Result<Process> Process::start(const std::string& path, const std::vector<std::string>& arguments) {
  FJORD_TRY(std::string program, findProgram(path));
  FJORD_TRY(std::string remove, findProgram("rm"));
  FJORD_TRY(std::string folder, makeFolder());

  std::vector<std::string> line{program}, cleanUp{remove, "-rf", "--", folder};
  line.insert(line.end(), arguments.begin(), arguments.end());
  std::vector<std::string> environment = environmentWith("TMPDIR", folder);
  std::vector<char*> linePointers = pointers(line), cleanUpPointers = pointers(cleanUp);
  std::vector<char*> environmentPointers = pointers(environment);

  int life[2] = {-1, -1}, id[2] = {-1, -1};
  Process process;
  process.output_ = memfd_create("output of a program", MFD_CLOEXEC);
  bool made = process.output_ >= 0 && pipe2(life, O_CLOEXEC) == 0 && pipe2(id, O_CLOEXEC) == 0;
  pid_t forked = made ? fork() : -1;
  if (forked == 0) {
    guard({.arguments = linePointers.data(),
           .environment = environmentPointers.data(),
           .cleanUp = cleanUpPointers.data(),
           .life = life[0],
           .output = process.output_,
           .id = id[1]});
  }
  int why = errno;
  for (int end : {life[0], id[1]}) close(end);
  process.life_ = life[1];
  process.guard_ = forked;
  // The pipe is closed without a number where the guard had no process for the program.
  ssize_t got = 0;
  while (forked > 0 && (got = read(id[0], &process.id_, sizeof process.id_)) < 0 &&
         errno == EINTR) {
  }
  close(id[0]);
  if (got != sizeof process.id_) {
    if (forked < 0) rmdir(folder.c_str());
    return fail(path, " cannot be started: ", std::strerror(why));
  }
  return process;
}

Process::~Process() {
  if (life_ >= 0) close(life_);
  while (guard_ > 0 && waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (output_ >= 0) close(output_);
}

void Process::swap(Process& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(guard_, other.guard_);
  std::swap(life_, other.life_);
  std::swap(output_, other.output_);
}

bool Process::running() {
  // The guard ends when the program has.
  if (guard_ > 0 && waitpid(guard_, nullptr, WNOHANG) != 0) guard_ = 0;
  return guard_ > 0;
}

std::string Process::output() const {
  std::string out;
  char block[4096];
  for (ssize_t got;
       (got = pread(output_, block, sizeof block, static_cast<off_t>(out.size()))) > 0;)
    out.append(block, static_cast<size_t>(got));
  return out;
}

}  // namespace fjord::study
