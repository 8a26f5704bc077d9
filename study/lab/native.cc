#include "lab/native.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "drive/process.h"
#include "meter/meter.h"
#include "serve/api.h"

namespace fjord::study {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLook(20);

/// All that is in a folder, into another.
Status copyAll(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_directories(to, error);
  if (!error)
    fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::overwrite_existing, error);
  if (error) return fail(to.string(), ": ", error.message());
  return {};
}

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A folder that goes when this does.
struct Folder {
  fs::path path;
  Folder() {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "fjord-trial-XXXXXX").string();
    if (!error && mkdtemp(name.data())) path = name;
  }
  ~Folder() {
    std::error_code error;
    if (!path.empty()) fs::remove_all(path, error);
  }
};

/// What a program has said so far, line by line.
class Lines {
 public:
  /// Calls f with each new line that is a JSON object.
  template <class F>
  void take(const std::string& output, F f) {
    for (size_t end; (end = output.find('\n', at_)) != std::string::npos; at_ = end + 1) {
      Json json = Json::parse(output.substr(at_, end - at_), nullptr, false);
      if (json.is_object()) f(json);
    }
  }

 private:
  size_t at_ = 0;
};

std::string lastWords(const std::string& output) {
  std::string text = output.substr(output.size() > 400 ? output.size() - 400 : 0);
  size_t end = text.find_last_not_of("\n");
  return end == std::string::npos ? "it said nothing" : text.substr(0, end + 1);
}

}  // namespace

std::string NativeRunner::python(const Subject& subject) const {
  return options_.cache + "/study-" + subject.name + "/bin/python";
}

Status NativeRunner::prepare(const Subject& subject, void (*say)(const std::string&)) const {
  fs::path wanted = fs::path(options_.study) / "subjects" / subject.name / "requirements.txt";
  std::error_code error;
  if (!fs::exists(wanted, error)) return {};
  fs::path folder = options_.cache + "/study-" + subject.name;
  auto isMade = [&] {
    return fs::exists(folder / "made", error) && read(folder / "made") == read(wanted);
  };
  if (isMade()) return {};
  say(cat("making a Python environment for ", subject.title, " (once)"));
  std::string script =
      "python3 -m venv --clear \"$0\" && \"$0/bin/python\" -m pip install --quiet "
      "--disable-pip-version-check -r \"$1\" && cp \"$1\" \"$0/made\"";
  FJORD_TRY(Process process,
            Process::start("/bin/sh", {"-c", script, folder.string(), wanted.string()}));
  while (process.running()) std::this_thread::sleep_for(kLook);
  if (!isMade())
    return fail("the Python environment of ", subject.title,
                " could not be made: ", lastWords(process.output()));
  return {};
}

Status NativeRunner::writeFiles(const std::string& folder, const Subject& subject,
                                const Json& trial) const {
  std::error_code error;
  fs::create_directories(fs::path(folder) / "files", error);
  std::optional<Workload> workload = workloadOf(stringOr(trial, "workload", ""));
  if (!workload) return {};
  FJORD_TRY(Network network, networkOf(options_.families, *workload, subject.style));
  FJORD_CHECK(writeData(options_.families, options_.sources, network, folder));
  fs::path models =
      fs::path(options_.files) / stringOr(trial, "models", subject.name) / workload->name();
  if (!fs::exists(models, error)) return {};
  return copyAll(models, fs::path(folder) / "files");
}

Result<Process> NativeRunner::start(const Subject& subject, const fs::path& folder) const {
  fs::path place = fs::path(options_.study) / "subjects" / subject.name;
  // What it complains about goes to a file of its own, so that no half line of that gets before
  // its result.
  std::vector<std::string> arguments = {
      "-c", "cd \"$1\" && shift && exec \"$@\" <\"$0/trial.json\" 2>\"$0/complaints\"",
      folder.string(), place.string()};
  std::error_code error;
  for (std::string word : subject.command) {
    for (const auto& [mark, value] :
         {std::pair<std::string, std::string>("{python}", python(subject)),
          {"{build}", options_.build}}) {
      // The program runs in another folder.
      if (size_t at = word.find(mark); at != std::string::npos)
        word.replace(at, mark.size(), fs::absolute(value, error).string());
    }
    arguments.push_back(word);
  }
  return Process::start("/bin/sh", arguments);
}

TrialResult NativeRunner::run(const Subject& subject, const Json& trial,
                              std::chrono::milliseconds timeout) const {
  Folder folder;
  if (folder.path.empty()) return failed(Outcome::kError, "no temporary folder could be made");
  if (Status ready = writeFiles(folder.path.string(), subject, trial); !ready)
    return failed(Outcome::kError, ready.error().message);
  Json told = {
      {"trial", trial}, {"network", member(trial, "network")}, {"data", folder.path.string()}};
  if (Status written = writeFile(folder.path / "trial.json", told.dump()); !written)
    return failed(Outcome::kError, written.error().message);
  Result<Process> process = start(subject, folder.path);
  if (!process) return failed(Outcome::kError, process.error().message);

  Meter meter(process->id());
  Lines lines;
  Json last;
  auto hear = [&](const Json& line) {
    if (line.contains("phase")) {
      meter.mark(stringOr(line, "phase", ""));
    } else {
      last = line;
    }
  };
  auto end = std::chrono::steady_clock::now() + timeout;
  while (process->running()) {
    lines.take(process->output(), hear);
    if (std::chrono::steady_clock::now() > end)
      return failed(Outcome::kTimeout, cat("no end within ", timeout.count() / 1000, " s"));
    std::this_thread::sleep_for(kLook);
  }
  std::vector<Sample> used = meter.stop();
  lines.take(process->output() + "\n", hear);
  if (last.is_null())
    return failed(Outcome::kCrash,
                  cat("it ended without a result: ",
                      lastWords(process->output() + read(folder.path / "complaints"))));
  Checked<TrialResult> result = resultOf(last);
  if (!result)
    return failed(Outcome::kError, cat("its result is malformed: ", result.error().message, " at ",
                                       result.error().at));
  if (result->outcome != Outcome::kOk) return *result;
  result->samples.insert(result->samples.end(), used.begin(), used.end());
  if (stringOr(trial, "task", "") == "save") {
    fs::path kept = fs::path(options_.files) / subject.name / stringOr(trial, "workload", "");
    if (Status copied = copyAll(folder.path / "files", kept); !copied)
      return failed(Outcome::kError, copied.error().message);
  }
  return *result;
}

}  // namespace fjord::study
