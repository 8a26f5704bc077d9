// Runs for the tests of the report: made by hand, a trial a line.
//
//   SampleRun run;
//   run.subject("tfjs", "TensorFlow.js", {{"cpu", "JavaScript"}});
//   run.ok({"tfjs", "cpu", "train", {1, 64}}, {{"steady", 50.9}});
//   run.ended({"tfjs", "cpu", "train", {8, 256}}, Outcome::kTimeout, "");
//   htmlReport(run.input);
#pragma once

#include "report/report.h"

namespace fjord::study {

/// This checkout's workloads.
const std::vector<Family>& networks();

struct SampleRun {
  struct Way {
    std::string name, title;
    bool gpu = false;
  };

  ReportInput input;

  SampleRun();
  /// Adds a subject; gives it, to be changed further until the next one is added.
  Subject& subject(const std::string& name, const std::string& title, const std::vector<Way>& ways);
  /// A right trial; samples as {phase, value}.
  SampleRun& ok(const Cell& cell, const std::vector<std::pair<std::string, double>>& samples);
  SampleRun& ended(const Cell& cell, Outcome outcome, const std::string& message);
  SampleRun& facts(const std::string& subject, const std::string& backend, const Json& facts);

 private:
  TrialRow& add(const Cell& cell);
};

/// All subjects of the lab and the paper's grid, with times near those of a laptop: for looking at.
ReportInput wholeRun();

}  // namespace fjord::study
