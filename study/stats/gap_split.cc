#include "stats/gap_split.h"

#include <cmath>

#include "base/text.h"

namespace fjord::study {

namespace {

Status comparable(std::span<const Stage> stages, std::span<const std::string> names) {
  if (stages.size() < 2) return fail("a gap is between two programs; there are ", stages.size());
  if (names.size() + 1 != stages.size())
    return fail(stages.size(), " programs have ", stages.size() - 1, " steps between them, not ",
                names.size());
  size_t rounds = stages[0].times.size();
  if (rounds == 0 || stages[0].times[0].empty()) return fail(stages[0].name, " has no times");
  size_t cells = stages[0].times[0].size();
  for (const Stage& stage : stages) {
    if (stage.times.size() != rounds)
      return fail(stage.name, " has ", stage.times.size(), " rounds where ", stages[0].name,
                  " has ", rounds);
    for (const std::vector<double>& round : stage.times) {
      if (round.size() != cells)
        return fail(stage.name, " has ", round.size(), " cells where ", stages[0].name, " has ",
                    cells);
      for (double time : round) {
        if (!(time > 0) || !std::isfinite(time))
          return fail(stage.name, " has a time of ", time, ", which has no ratio");
      }
    }
  }
  return {};
}

GapStep stepOf(const std::string& name, const Stage& slow, const Stage& fast) {
  std::vector<double> means;  // one a round
  for (size_t round = 0; round < slow.times.size(); ++round) {
    std::vector<double> ratios;
    for (size_t cell = 0; cell < slow.times[round].size(); ++cell)
      ratios.push_back(slow.times[round][cell] / fast.times[round][cell]);
    means.push_back(geometricMean(ratios));
  }
  GapStep step{.name = name, .slow = slow.name, .fast = fast.name, .ratio = geometricSpan(means)};
  step.octaves = std::log2(step.ratio.interval.centre);
  return step;
}

}  // namespace

Result<GapSplit> splitGap(std::span<const Stage> stages, std::span<const std::string> names) {
  FJORD_CHECK(comparable(stages, names));
  GapSplit out{.whole = stepOf("all", stages.front(), stages.back()),
               .cells = stages[0].times[0].size()};
  for (size_t i = 0; i < names.size(); ++i)
    out.steps.push_back(stepOf(names[i], stages[i], stages[i + 1]));
  return out;
}

}  // namespace fjord::study
