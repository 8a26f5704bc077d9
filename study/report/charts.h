// The paper's figures as Vega-Lite: small multiples by width; a line of dots for each series, one
// for each depth, with the intervals of their medians, on a logarithmic axis that all panels share.
//
//   Figure figure = timesFigure(cells, "train", "steady", "Figure 1: ..");
//
// A subject has one colour everywhere; the page defines them (colourOf), for light and for dark.
#pragma once

#include "report/cells.h"
#include "report/document.h"

namespace fjord::study {

/// Without panels where nothing was measured.
Figure timesFigure(const Cells& cells, const std::string& task, const std::string& phase,
                   const std::string& caption);

/// Browsers' times over native programs': a panel for each native series, a line at 1.
Figure gapFigure(const Cells& cells, const std::string& task, const std::string& caption);

/// The page's colours: more subjects than these share one; all lines have their names.
inline constexpr int kColours = 8;
/// A value for CSS and SVG: "var(--c3)".
std::string colourOf(int colour);

}  // namespace fjord::study
