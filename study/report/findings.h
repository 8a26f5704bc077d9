// The paper's eight findings (its table 6), each with a verdict that is computed from a run by a
// criterion that the report states.
//
//   for (const Finding& finding : findings(cells)) show(finding.name, verdictText(finding));
//
// A verdict is "cannot be told" where the run lacks what its criterion needs, and "not decided" where
// its figure is too uncertain: the interval over the rounds has the threshold in it, or there is one
// round, which has no interval. `why` says so.
#pragma once

#include <vector>

#include "report/cells.h"
#include "report/document.h"

namespace fjord::study {

std::vector<Finding> findings(const Cells& cells);

Finding taskSupport(const Cells& cells);          // 1
Finding modelComplexity(const Cells& cells);      // 2
Finding modelLoading(const Cells& cells);         // 3
Finding gpuAgainstNative(const Cells& cells);     // 4
Finding gpuAgainstProcessor(const Cells& cells);  // 5
Finding fileEncoding(const Cells& cells);         // 6
Finding callStack(const Cells& cells);            // 7
Finding resourceUtilization(const Cells& cells);  // 8

/// The verdict's name, with the reason where there is none.
std::string verdictText(const Finding& finding);

// For those who write findings.
Finding unknown(Finding finding, const std::string& why);
Finding undecided(Finding finding, const Span& span, double threshold);
/// "× 2.51 (2.40–2.60), range of 3 rounds"
std::string estimateText(const Span& span);

}  // namespace fjord::study
