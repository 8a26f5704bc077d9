// The numbers of a run, round by round: what happens to the machine in a round happens to all of its
// cells, so ratios are paired within rounds and intervals come from whole rounds.
//
//   ByRound ours = byRound(cells, {"tfjs", "wasm", "train", {2, 128}}, "steady");
//   Span ratio = pairedRatio(ours, theirs);
#pragma once

#include <map>
#include <optional>

#include "report/cells.h"
#include "stats/design.h"

namespace fjord::study {

/// One number a round.
using ByRound = std::map<int, double>;

/// The numbers of a cell's right trials; empty where the cell has no number. Trials of one round,
/// as a walk through the pages has them, are one number, their median.
ByRound byRound(const Cells& cells, const Cell& cell, const std::string& phase);

/// [round][thing], of the rounds that all things have; where they have none in common, as in a run
/// that was cut in its first round, one round of their medians. Each thing has a number at least.
Rounds commonRounds(std::span<const ByRound> things);

/// The median over the rounds of first over second; nothing where one has no number, or where the
/// second one has a 0.
std::optional<Span> pairedRatio(const ByRound& first, const ByRound& second);

}  // namespace fjord::study
