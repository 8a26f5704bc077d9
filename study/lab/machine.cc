#include "lab/machine.h"

#include <sched.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <ctime>
#include <filesystem>
#include <fstream>

namespace fjord::study {

namespace {

/// The value of the first line `key: value` or `key=value` of a file, without quotes.
std::string valueIn(const char* path, const std::string& key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    size_t at = line.find(separator);
    if (at == std::string::npos || !line.starts_with(key)) continue;
    std::string value = line.substr(at + 1);
    std::erase(value, '"');
    size_t begin = value.find_first_not_of(" \t");
    return begin == std::string::npos ? "" : value.substr(begin);
  }
  return "";
}

/// Such as "machine-3fa91c": a name that says nothing of its owner, the same for all runs here.
std::string nameIn(const std::string& folder) {
  std::filesystem::path path = std::filesystem::path(folder) / "study-machine";
  std::string name;
  if (std::ifstream file(path); std::getline(file, name) && !name.empty()) return name;
  uint32_t number = 0;
  if (getrandom(&number, sizeof number, 0) != sizeof number) number = 0;
  char text[32];
  std::snprintf(text, sizeof text, "machine-%06x", number & 0xffffff);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::ofstream(path) << text << '\n';
  return text;
}

}  // namespace

Machine thisMachine(const std::string& folder) {
  Machine machine{.name = nameIn(folder)};
  machine.cpu = valueIn("/proc/cpuinfo", "model name", ':');
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) machine.cores = CPU_COUNT(&cores);
  struct sysinfo info{};
  if (sysinfo(&info) == 0) machine.memory = static_cast<int64_t>(info.totalram) * info.mem_unit;
  utsname system{};
  uname(&system);
  machine.system =
      valueIn("/etc/os-release", "PRETTY_NAME", '=') + ", " + system.sysname + " " + system.release;
  return machine;
}

std::string utcNow() {
  std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace fjord::study
