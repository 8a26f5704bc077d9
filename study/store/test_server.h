// A PostgreSQL server for tests: a real one in a temporary folder, reached through a socket there,
// gone with the program.
//
//   TestServer& server = TestServer::shared();     // started by whoever asks first
//   if (!server.missing().empty()) GTEST_SKIP() << server.missing();
//   Result<Store> store = Store::open(server.newDatabase());
#pragma once

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "store/database.h"

namespace fjord::study {

class TestServer {
 public:
  static TestServer& shared() {
    static TestServer server;
    return server;
  }

  /// Why there is no server; "" where there is one.
  const std::string& missing() const { return missing_; }

  /// The address of a database with nothing in it.
  std::string newDatabase() {
    std::string name = cat("test", ++databases_);
    auto admin = openPostgresql(address("postgres"));
    if (!admin || !(*admin)->script(cat("CREATE DATABASE ", name))) return "postgresql://missing";
    return address(name);
  }

  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

 private:
  TestServer() {
    std::filesystem::path programs = newestPrograms();
    if (programs.empty()) {
      missing_ = "PostgreSQL's server is not installed: apt-get install postgresql";
      return;
    }
    // It refuses to run as root.
    if (geteuid() == 0 && !(user_ = getpwnam("postgres"))) {
      missing_ = "this is root and there is no user postgres to run PostgreSQL's server as";
      return;
    }
    std::string pattern = (std::filesystem::temp_directory_path() / "fjord-store-XXXXXX").string();
    if (!mkdtemp(pattern.data())) {
      missing_ = cat("cannot make a folder ", pattern);
      return;
    }
    folder_ = pattern;
    if (user_ && chown(folder_.c_str(), user_->pw_uid, user_->pw_gid)) missing_ = "cannot chown";
    std::string data = (folder_ / "data").string();
    int made = wait(start({(programs / "initdb").string(), "-D", data, "-U", "lab", "-A", "trust",
                           "-E", "UTF8", "--no-locale", "--no-sync"}));
    if (made != 0) {
      missing_ = cat("initdb failed with status ", made);
      return;
    }
    // Reached through the socket alone. Tests kill programs, not the machine: nothing need be
    // flushed.
    server_ = start({(programs / "postgres").string(), "-D", data, "-k", folder_.string(), "-c",
                     "listen_addresses=", "-c", "fsync=off"});
    if (!answers()) missing_ = "PostgreSQL's server does not answer";
  }

  ~TestServer() {
    if (server_ > 0) {
      kill(server_, SIGINT);  // a fast shutdown
      wait(server_);
    }
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  /// Debian keeps each major version's programs in a folder of their own.
  static std::filesystem::path newestPrograms() {
    std::error_code ignored;
    std::filesystem::path newest;
    int version = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
      int major = atoi(entry.path().filename().c_str());
      if (major <= version || !std::filesystem::exists(entry.path() / "bin/postgres")) continue;
      version = major;
      newest = entry.path() / "bin";
    }
    return newest;
  }

  pid_t start(const std::vector<std::string>& command) const {
    pid_t child = fork();
    if (child != 0) return child;
    if (user_ && (setgroups(0, nullptr) || setgid(user_->pw_gid) || setuid(user_->pw_uid)))
      _exit(126);
    // It must not outlive a test that is killed.
    prctl(PR_SET_PDEATHSIG, SIGINT);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    if (chdir("/") || !freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
      _exit(126);
    execv(arguments[0], arguments.data());
    _exit(127);
  }

  static int wait(pid_t child) {
    int status = -1;
    waitpid(child, &status, 0);
    return status;
  }

  bool answers() const {
    for (int tries = 0; tries < 300; ++tries) {
      if (openPostgresql(address("postgres"))) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return false;
  }

  std::string address(const std::string& database) const {
    return cat("postgresql://lab@/", database, "?host=", folder_.string());
  }

  std::string missing_;
  const passwd* user_ = nullptr;
  std::filesystem::path folder_;
  pid_t server_ = 0;
  int databases_ = 0;
};

}  // namespace fjord::study
