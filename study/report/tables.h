// The paper's tables, from the cells of a run: each subject has a number or a reason in each.
#pragma once

#include "report/cells.h"
#include "report/document.h"
#include "report/facts.h"

namespace fjord::study {

/// A row's first entry: the series' name, its colour and its note.
Entry nameOf(const Series& series, Table& table);
/// A number with its interval; or the reason why there is none.
Entry entryOf(const Measured& measured, Table& table, double scale = 1);
/// A row of a series: its name, then what was measured; one reason where all are the same.
void addRow(Table& table, const Series& series, const std::vector<Measured>& measured,
            double scale = 1);

/// The run: machine, browser, seed, how trials ended, the harness's overhead.
Table runTable(const Cells& cells);
/// What each series says of itself: version and engine.
Table enginesTable(const Cells& cells);
/// Table 1, and the lists behind its counts.
Table featuresTable(const Cells& cells, const Packages& packages);
Table listsTable(const Cells& cells);
/// A row a series, a column a size: medians of a phase, for figures 1 to 4.
Table timesTable(const Cells& cells, const std::string& task, const std::string& phase,
                 const std::string& caption);
/// Table 2, and what else training takes of a machine.
Table cpuTable(const Cells& cells);
Table resourcesTable(const Cells& cells);
/// How deep a training step's calls go.
Table stackTable(const Cells& cells);
/// Table 3.
Table filesTable(const Cells& cells);
/// Bytes of the library, and how long it takes to open it.
Table libraryTable(const Cells& cells, const Packages& packages);
/// All cells.
Table rawTable(const Cells& cells);

}  // namespace fjord::study
