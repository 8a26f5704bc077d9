// What decides about the times of a run, and where the gap to native programs comes from: a time
// model of each series, the variance that layers and width explain, the paper's decision tree with
// the error that it makes, and the gap as a product of steps.
//
//   Section section = analysisSection(cells);
//
// The statistics are those of stats/, which know nothing of cells; here cells become rows.
#pragma once

#include "report/cells.h"
#include "report/document.h"
#include "stats/design.h"
#include "stats/time_model.h"

namespace fjord::study {

Section analysisSection(const Cells& cells);

// ---- models.cc

/// Layers with weights, and millions of multiplications with additions, of one step of a task.
Work workOf(const std::vector<Family>& families, const Workload& workload, const std::string& task);

/// The model of a series' steady times in milliseconds; an error says what is missing.
Result<TimeModel> modelOf(const Cells& cells, const Series& series, const std::string& task);

/// A row a series: time a layer, speed, errors.
Table modelsTable(const Cells& cells, const std::string& task, const std::string& caption);
/// Time a layer over speed, a dot a series.
Figure modelsFigure(const Cells& cells, const std::string& caption);
/// From which size on a backend with a large time a layer pays.
Table breakEvenTable(const Cells& cells, const std::string& caption);

// ---- shares.cc

/// Values of a design, round by round, as log2; or why there are none.
struct Observed {
  Design design;
  Rounds rounds;  // [round][row of the design]
};

/// Steady times of a series over layers and width.
Result<Observed> timesOf(const Cells& cells, const Series& series, const std::string& task);
/// A row a series: what layers, width and both explain of the variance of its times; on top what
/// multiplications alone would.
Table sharesTable(const Cells& cells, const std::string& task, const std::string& caption);
/// "86 %" with the interval.
Entry shareEntry(const Span& span);

// ---- gap_factors.cc

/// TensorFlow.js over TensorFlow on the processor: task, backend, layers and width, as far as the
/// run has them.
Result<Observed> gapDesign(const Cells& cells);
/// What explains the gap: shares, multipliers, the tree with its figure, its error, what it is blind
/// to; or one paragraph that says why not.
std::vector<Block> gapFactors(const Cells& cells);

// ---- gap_origin.cc

/// The gap of a task as a product of steps; or a paragraph that says why not.
Block gapOrigin(const Cells& cells, const std::string& task, const std::string& caption);

}  // namespace fjord::study
