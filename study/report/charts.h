// The paper's figures as Vega-Lite: small multiples by width; a line of dots for each series, one
// for each depth, with the intervals of their medians, on a logarithmic axis that all panels share.
//
//   Figure figure = timesFigure(cells, "train", "steady", "Figure 1: ..");
//
// A subject has one colour and one shape everywhere; the page defines the colours (colourOf), for light and for dark.
#pragma once

#include "report/cells.h"
#include "report/document.h"

namespace fjord::study {

/// Without panels where nothing was measured.
Figure timesFigure(const Cells& cells, const std::string& task, const std::string& phase,
                   const std::string& caption);

/// Browsers' times over native programs': a panel for each native series, a line at 1.
Figure gapFigure(const Cells& cells, const std::string& task, const std::string& caption);

/// The page's colours, which colour-blind eyes tell apart, too: the ninth subject has the first one again, and another shape.
inline constexpr int kColours = 8;
/// As Vega names a dot's shape, and as a character of a table.
struct DotShape {
  const char* name;
  const char* glyph;
};
inline constexpr DotShape kShapes[] = {
    {"circle", "●"}, {"diamond", "◆"}, {"square", "■"}, {"triangle-up", "▲"}};
const DotShape& shapeOf(int colour);
/// A value for CSS and SVG: "var(--c3)".
std::string colourOf(int colour);

}  // namespace fjord::study
