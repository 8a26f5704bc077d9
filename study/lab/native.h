// Trials of native subjects: programs that are told of a trial on their standard input and say what
// came of it on their standard output, line by line (docs/study.md). What they print to their
// standard error is told where no result comes.
//
//   NativeRunner natives({.study = .., .files = .., .build = .., .cache = ..});
//   FJORD_CHECK(natives.prepare(subject, say));         // its Python environment, once
//   TrialResult result = natives.run(subject, trialJson, timeout);
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "drive/process.h"
#include "plan/data.h"
#include "plan/subjects.h"

namespace fjord::study {

struct NativeOptions {
  std::string study;  // the folder with subjects/
  Sources sources;    // of what networks learn
  std::string files;  // SUBJECT/WORKLOAD/NAME: the model files of all subjects
  std::string build;  // {build} of a command: where our own programs are
  // Python environments are made here, one for a subject with a requirements.txt.
  std::string cache;
  std::vector<Family> families;  // of the networks
};

class NativeRunner {
 public:
  explicit NativeRunner(NativeOptions options) : options_(std::move(options)) {}

  /// What the subject's program needs; `say` is told of what takes long.
  Status prepare(const Subject& subject, void (*say)(const std::string&)) const;
  /// `trial` is Trials::json's. Samples of cpu and memory come from the meter.
  TrialResult run(const Subject& subject, const Json& trial,
                  std::chrono::milliseconds timeout) const;

 private:
  std::string python(const Subject& subject) const;
  Result<Process> start(const Subject& subject, const std::filesystem::path& folder) const;
  Status writeFiles(const std::string& folder, const Subject& subject, const Json& trial) const;

  NativeOptions options_;
};

}  // namespace fjord::study
