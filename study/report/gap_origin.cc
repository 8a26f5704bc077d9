// The gap between TensorFlow.js and TensorFlow as a product of steps, which only one engine that
// runs in both places can tell apart.
#include "base/text.h"
#include "report/analysis.h"
#include "report/format.h"
#include "report/paper.h"
#include "report/rounds.h"
#include "stats/gap_split.h"

namespace fjord::study {

namespace {

struct Place {
  const char *subject, *backend;
  const char* step;  // what differs from this one to the next
};

/// A native build with vectors of 128 bits would tell the instruction set from the browser; the lab
/// has none, so the two are one step.
constexpr Place kChain[] = {
    {paper::kTensorFlowJs, "wasm", "the framework, in the browser"},
    {"fjord", "wasm", "the browser, with vectors of 128 bits"},
    {"fjord-native", "1-thread", "threads"},
    {"fjord-native", "threads", "the framework, natively"},
    {paper::kTensorFlow, "cpu", ""},
};

std::string labelOf(const Cells& cells, const Place& place) {
  for (const Series& series : cells.series()) {
    if (series.subject == place.subject && series.backend == place.backend) return series.label;
  }
  return cat(place.subject, " · ", place.backend);
}

/// The chain's times over the sizes that all of it has; an error says what is missing.
Result<std::vector<Stage>> stagesOf(const Cells& cells, const std::string& task) {
  std::vector<ByRound> all;  // size by size, the chain within
  std::string missing;
  for (const Workload& workload : cells.workloads()) {
    std::vector<ByRound> here;
    for (const Place& place : kChain) {
      here.push_back(byRound(cells, {place.subject, place.backend, task, workload}, "steady"));
      if (!here.back().empty()) continue;
      missing = labelOf(cells, place);
      break;
    }
    if (here.size() == std::size(kChain) && !here.back().empty())
      all.insert(all.end(), here.begin(), here.end());
  }
  if (all.empty())
    return fail(missing.empty() ? std::string("the run has no sizes")
                                : "the run has no times of " + missing);
  std::vector<Stage> stages(std::size(kChain));
  for (const std::vector<double>& round : commonRounds(all)) {
    for (size_t s = 0; s < stages.size(); ++s) {
      std::vector<double>& times = stages[s].times.emplace_back();
      for (size_t i = s; i < round.size(); i += stages.size()) times.push_back(round[i]);
    }
  }
  for (size_t s = 0; s < stages.size(); ++s) stages[s].name = labelOf(cells, kChain[s]);
  return stages;
}

std::vector<Entry> rowOf(const GapStep& step, const GapSplit& split) {
  const Interval& ratio = step.ratio.interval;
  return {word(step.name),
          word(step.slow),
          word(step.fast),
          {.text = "× " + number(ratio.centre), .kind = Entry::kNumber, .small = between(ratio)},
          {.text = number(step.octaves), .kind = Entry::kNumber},
          word(cat(promiseOf(step.ratio), "; ", counted(split.cells, "size")))};
}

}  // namespace

Block gapOrigin(const Cells& cells, const std::string& task, const std::string& caption) {
  Result<std::vector<Stage>> stages = stagesOf(cells, task);
  if (!stages) return Paragraph{cat(caption, ": ", stages.error().message, ".")};
  std::vector<std::string> names;
  for (size_t i = 0; i + 1 < std::size(kChain); ++i) names.emplace_back(kChain[i].step);
  Result<GapSplit> split = splitGap(*stages, names);
  if (!split) return Paragraph{cat(caption, ": ", split.error().message, ".")};
  Table table{.caption = caption,
              .head = {"What differs", "From", "To", "Times as long", "Octaves", "Intervals"}};
  for (const GapStep& step : split->steps) table.rows.push_back(rowOf(step, *split));
  table.rows.push_back(rowOf(split->whole, *split));
  table.rows.back()[0].text = "all of it";
  return table;
}

}  // namespace fjord::study
