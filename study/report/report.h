// The report: the paper's tables and figures from what a store holds, with the paper's own numbers
// beside them, the gap to native, and a verdict on each of its findings.
//
//   Result<std::string> html = htmlReport({.run = run, .trials = trials, .catalogue = all, ..});
//
// HTML is one file that needs nothing else: Vega-Lite's specifications and the library that draws
// them are inside.
#pragma once

#include <string>
#include <vector>

#include "plan/subjects.h"
#include "store/store.h"

namespace fjord::study {

struct ReportInput {
  Run run;
  std::vector<TrialRow> trials;
  Catalogue catalogue;
  std::string
      modules;  // node_modules: sizes of libraries, and vega, vega-lite, vega-embed for the charts
};

Result<std::string> htmlReport(const ReportInput& input);
std::string markdownReport(const ReportInput& input);
/// The table that `fjord-study run` ends with, for a terminal: a line a cell would be too many; a
/// line a subject and task.
std::string terminalTable(const ReportInput& input);

/// How far two runs agree: by how much the medians of the cells differ that both have numbers for,
/// over all and for each task and phase, and the cells that differ most. As Markdown.
Result<std::string> compareRuns(const ReportInput& a, const ReportInput& b);

}  // namespace fjord::study
