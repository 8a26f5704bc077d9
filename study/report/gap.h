// The gap between browsers and native programs: ratios of medians, cell by cell.
#pragma once

#include "report/cells.h"
#include "report/document.h"
#include "stats/interval.h"

namespace fjord::study {

/// How many times as long as `native` a series takes at one size, the ratios paired by round;
/// nothing where one has no number.
std::optional<Interval> gapAt(const Cells& cells, const Series& series, const Series& native,
                              const std::string& task, const Workload& workload);

/// The geometric mean over all sizes that both have numbers for.
struct Gap {
  std::vector<double> ratios;  // one a size
  double mean = 0;
  Span span;           // the mean of each round, over the rounds
  std::string reason;  // why there are none
};
Gap gapOf(const Cells& cells, const Series& series, const Series& native, const std::string& task);

/// Rows: browsers' series; columns: native ones; geometric means.
Table gapTable(const Cells& cells, const std::string& task, const std::string& caption);
/// The same, cell by cell with intervals.
Table gapCellsTable(const Cells& cells, const std::string& task, const std::string& caption);

std::vector<Series> nativeSeries(const Cells& cells);
std::vector<Series> browserSeries(const Cells& cells);
/// Browsers' series whose times mean something: not those of a GPU that a processor imitates.
std::vector<Series> timedSeries(const Cells& cells);

}  // namespace fjord::study
