#include "report/rounds.h"

#include <algorithm>

namespace fjord::study {

ByRound byRound(const Cells& cells, const Cell& cell, const std::string& phase) {
  if (!cells.at(cell, phase).value) return {};
  std::map<int, std::vector<double>> values;
  for (const TrialRow* row : cells.trials().at(cell)) {
    if (row->result.outcome != Outcome::kOk) continue;
    if (auto value = ofTrial(row->result, phase)) values[row->trial.round].push_back(*value);
  }
  ByRound out;
  for (const auto& [round, numbers] : values) out[round] = median(numbers);
  return out;
}

Rounds commonRounds(std::span<const ByRound> things) {
  Rounds out;
  if (things.empty()) return out;
  for (const auto& [round, value] : things[0]) {
    bool all = std::ranges::all_of(things, [r = round](const ByRound& t) { return t.contains(r); });
    if (!all) continue;
    std::vector<double>& row = out.emplace_back();
    for (const ByRound& thing : things) row.push_back(thing.at(round));
  }
  if (!out.empty()) return out;
  std::vector<double>& row = out.emplace_back();
  for (const ByRound& thing : things) {
    std::vector<double> numbers;
    for (const auto& [round, value] : thing) numbers.push_back(value);
    row.push_back(median(numbers));
  }
  return out;
}

std::optional<Span> pairedRatio(const ByRound& first, const ByRound& second) {
  if (first.empty() || second.empty()) return {};
  std::vector<double> ratios;
  for (const std::vector<double>& round : commonRounds(std::vector{first, second})) {
    if (round[1] <= 0) return {};
    ratios.push_back(round[0] / round[1]);
  }
  return orderSpan(ratios);
}

}  // namespace fjord::study
