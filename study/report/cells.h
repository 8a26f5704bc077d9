// The trials of a run, cell by cell: one number a trial and phase, the median of the trials with
// its interval, or the reason why there is none.
//
//   Cells cells(input);                    // of dense networks; Cells(input, "cnn") of those
//   Measured m = cells.at({"tfjs", "wasm", "train", {2, 128}}, "steady");
//   m.value ? number(m.value->centre) : m.reason   // "unsupported: no gradients", "timeout: > 60 s"
//
// A cell with a wrong answer in any of its trials has no numbers.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "report/report.h"
#include "stats/interval.h"

namespace fjord::study {

/// What a figure has a line for: a subject on one backend.
struct Series {
  std::string subject, backend;
  std::string label;  // "TensorFlow.js · WebGL"
  std::string note;   // the subject's, which every table carries
  bool native = false;
  bool gpu = false;
  int colour = 0;  // of the subject, the same everywhere: its place among the subjects
};

struct Measured {
  std::vector<double> trials;     // one number for each that has the phase
  std::optional<Interval> value;  // by order statistics; of few trials their range: orderSpan
  std::string reason;             // why there is no value
  std::string caveat;             // what became of other trials of the cell, or ""
};

/// What the probe of a subject brought, or why there is nothing.
struct Probe {
  std::string version;
  Json facts;
  std::string reason;
};

class Cells {
 public:
  /// `input` stays alive and as it is. Tables and figures are of one family of workloads.
  explicit Cells(const ReportInput& input, const std::string& family = "dense");

  const ReportInput& input() const { return input_; }
  /// Browsers' first, then native programs; subjects of trials that the catalogue lacks, too.
  const std::vector<Series>& series() const { return series_; }
  /// The first of each subject.
  std::vector<Series> subjects() const;
  /// The family, as the catalogue has it; without one that it lacks.
  const Family& family() const { return family_; }
  /// Whether a cell is of this family, or of none.
  bool has(const Cell& cell) const {
    return cell.workload.depth == 0 || cell.workload.family == family_.name;
  }
  /// Those of the family that have a trial, by depth and width.
  const std::vector<Workload>& workloads() const { return workloads_; }
  std::vector<int> widths() const;

  const Measured& at(const Cell& cell, const std::string& phase) const;
  /// Of a task that a subject does once: on whichever backend that was.
  Measured once(const Series& series, const std::string& task, const Workload& workload,
                const std::string& phase) const;
  /// All numbers of a phase, sample by sample, in the right trials of a series and task over all
  /// sizes.
  std::vector<double> pooled(const Series& series, const std::string& task,
                             const std::string& phase) const;
  Probe probe(const Series& series) const;
  /// Why a series has no such numbers at all; "" where it has some.
  std::string absence(const Series& series, const std::string& task,
                      const std::string& phase) const;

  std::optional<double> median(const Series& series, const std::string& task,
                               const Workload& workload, const std::string& phase) const;

  const std::map<Cell, std::vector<const TrialRow*>>& trials() const { return trials_; }
  /// The cells that the run was to have, as far as its options tell.
  const std::set<Cell>& planned() const { return planned_; }
  /// Trials that were planned and did not begin, though the cell had not failed.
  size_t unreached() const { return unreached_; }

 private:
  void findPlanned();
  std::string refusal(const Cell& cell) const;
  Measured measure(const Cell& cell, const std::string& phase) const;

  const ReportInput& input_;
  Family family_;
  std::vector<Series> series_;
  std::vector<Workload> workloads_;
  std::map<Cell, std::vector<const TrialRow*>> trials_;
  std::set<Cell> planned_;
  size_t unreached_ = 0;
  // Several tables ask for the same one.
  mutable std::map<std::pair<Cell, std::string>, Measured> measured_;
};

/// How a trial ended, for a table: "timeout: > 60 s", "wrong by 0.2, may be 0.001", "error: ..".
std::string reasonOf(const TrialRow& row);
/// One trial's number for a phase: the median of its samples; the 95th percentile of frame times,
/// the longest task, the most memory. A trial that watched frames and saw no long task has 0.
std::optional<double> ofTrial(const TrialResult& result, const std::string& phase);
/// Bytes of a network's weights as float32; not a number where there is no such network.
double float32Bytes(const std::vector<Family>& families, const Workload& workload, bool bias);
/// The families that a run has trials of, dense networks first.
std::vector<std::string> familiesOf(const ReportInput& input);
/// Whether an adapter's name tells that a processor computes what a GPU should.
bool softwareAdapter(const std::string& gpu);

}  // namespace fjord::study
