// Findings 2 and 3, of times within the browser: width against depth, loading against inference. Each
// figure is a geometric mean over cells, one a round, so that its interval is over rounds.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "report/analysis.h"
#include "report/findings.h"
#include "report/format.h"
#include "report/gap.h"
#include "report/rounds.h"

namespace fjord::study {

namespace {

bool isPositive(const ByRound& numbers) {
  return !numbers.empty() &&
         std::ranges::all_of(numbers, [](const auto& number) { return number.second > 0; });
}

// ---- 2: width and depth

/// By how much a time grows, on average, where one side of the network doubles and the other stays:
/// log2 of the factor. `times` [sizes] > 0.
std::optional<double> growth(const std::vector<Workload>& sizes, std::span<const double> times,
                             int Workload::* grows, int Workload::* stays) {
  double sum = 0;
  int pairs = 0;
  for (size_t a = 0; a < sizes.size(); ++a) {
    for (size_t b = 0; b < sizes.size(); ++b) {
      if (sizes[a].*stays != sizes[b].*stays || !(sizes[a].*grows < sizes[b].*grows)) continue;
      sum += std::log2(times[b] / times[a]) /
             std::log2(static_cast<double>(sizes[b].*grows) / (sizes[a].*grows));
      ++pairs;
    }
  }
  if (!pairs) return {};
  return sum / pairs;
}

struct Growth {
  double width = 0, depth = 0;  // log2
};

std::optional<Growth> growthOf(const std::vector<Workload>& sizes, std::span<const double> times) {
  auto width = growth(sizes, times, &Workload::width, &Workload::depth);
  auto depth = growth(sizes, times, &Workload::depth, &Workload::width);
  if (!width || !depth) return {};
  return Growth{*width, *depth};
}

/// The times of a task's series that grow both ways.
struct Grown {
  std::vector<std::vector<Workload>> sizes;  // of each series
  std::vector<ByRound> times;                // series by series
};

Grown grownSeries(const Cells& cells, const std::string& task) {
  Grown out;
  for (const Series& series : timedSeries(cells)) {
    std::vector<Workload> sizes;
    std::vector<ByRound> times;
    for (const Workload& workload : cells.workloads()) {
      ByRound time = byRound(cells, {series.subject, series.backend, task, workload}, "steady");
      if (!isPositive(time)) continue;
      sizes.push_back(workload);
      times.push_back(std::move(time));
    }
    if (!growthOf(sizes, std::vector<double>(sizes.size(), 1.0))) continue;
    out.sizes.push_back(std::move(sizes));
    std::ranges::move(times, std::back_inserter(out.times));
  }
  return out;
}

struct TaskGrowth {
  Span width, depth,
      ratio;  // factors for twice the width, twice the depth; the first over the second
};

TaskGrowth growthOf(const Grown& grown) {
  std::vector<double> widths, depths, ratios;  // one a round
  for (const std::vector<double>& round : commonRounds(grown.times)) {
    double width = 0, depth = 0;
    size_t at = 0;
    for (const std::vector<Workload>& sizes : grown.sizes) {
      Growth one = *growthOf(sizes, std::span(round).subspan(at, sizes.size()));
      at += sizes.size();
      width += one.width / static_cast<double>(grown.sizes.size());
      depth += one.depth / static_cast<double>(grown.sizes.size());
    }
    widths.push_back(std::exp2(width));
    depths.push_back(std::exp2(depth));
    ratios.push_back(std::exp2(width - depth));
  }
  return {orderSpan(widths), orderSpan(depths), orderSpan(ratios)};
}

/// What the multiplications of these sizes alone grow by.
std::string workText(const Cells& cells, const Grown& grown, const std::string& task) {
  const std::vector<Workload>& sizes = grown.sizes[0];
  std::vector<double> macs;
  for (const Workload& workload : sizes)
    macs.push_back(workOf(cells.input().catalogue.families, workload, task).macs);
  Growth alone = *growthOf(sizes, macs);
  return cat(task, ": multiplications alone grow × ", number(std::exp2(alone.width)), " and × ",
             number(std::exp2(alone.depth)));
}

}  // namespace

Finding modelComplexity(const Cells& cells) {
  Finding finding{
      .number = 2,
      .name = "Complexity of the model",
      .paper =
          "Of a network's width and depth it is the width that decides about the time, "
          "in training and in inference.",
      .criterion =
          "In training and in inference, doubling the width multiplies the time by more "
          "than doubling the depth does (geometric mean over the browser's series, of "
          "all pairs of sizes that differ in one of them). It is arithmetic in part: "
          "multiplications grow so, too."};
  size_t tasks = 0, wider = 0;
  for (const char* task : {"train", "infer"}) {
    Grown grown = grownSeries(cells, task);
    if (grown.sizes.empty()) continue;
    TaskGrowth found = growthOf(grown);
    finding.evidence.push_back(
        cat(task, ": twice the width takes × ", number(found.width.interval.centre),
            ", twice the depth × ", number(found.depth.interval.centre), " the time (",
            count(grown.sizes.size()), " series); the first over the second ",
            estimateText(found.ratio)));
    finding.evidence.push_back(workText(cells, grown, task));
    Decision decision = decide(found.ratio, 1);
    if (decision == Decision::kNotDecided && finding.why.empty())
      finding = undecided(finding, found.ratio, 1);
    wider += decision == Decision::kAbove;
    ++tasks;
  }
  if (!tasks) return unknown(finding, "it needs sizes that differ in width and in depth");
  if (!finding.why.empty()) return finding;
  finding.verdict = wider == tasks ? Verdict::kHolds
                    : wider        ? Verdict::kPartly
                                   : Verdict::kNoLonger;
  return finding;
}

// ---- 3: loading

Finding modelLoading(const Cells& cells) {
  constexpr double kMuch = 10;
  Finding finding{.number = 3,
                  .name = "Loading of the model",
                  .paper = "Loading and warming up a network takes much longer than an inference.",
                  .criterion =
                      "Loading and the first inference together take more than 10 times as long as "
                      "one inference afterwards (geometric mean over the browser's cells)."};
  std::vector<ByRound> times;  // load, first, steady of each cell
  for (const Series& series : timedSeries(cells)) {
    for (const Workload& workload : cells.workloads()) {
      Cell cell{series.subject, series.backend, "infer", workload};
      ByRound load = byRound(cells, cell, "load"), first = byRound(cells, cell, "first"),
              steady = byRound(cells, cell, "steady");
      if (load.empty() || !isPositive(first) || !isPositive(steady)) continue;
      times.insert(times.end(), {load, first, steady});
    }
  }
  if (times.empty()) return unknown(finding, "no cell has times of loading and of inference");
  std::vector<double> means;  // one a round
  for (const std::vector<double>& round : commonRounds(times)) {
    std::vector<double> ratios;
    for (size_t i = 0; i < round.size(); i += 3)
      ratios.push_back((round[i] + round[i + 1]) / round[i + 2]);
    means.push_back(geometricMean(ratios));
  }
  Span span = orderSpan(means);
  finding.evidence = {
      cat("loading and the first inference take ", estimateText(span), ", of one inference, over ",
          counted(times.size() / 3, "cell")),
      "the paper's second part, integrated against standalone GPUs, needs runs on both"};
  Decision decision = decide(span, kMuch);
  if (decision == Decision::kNotDecided) return undecided(finding, span, kMuch);
  finding.verdict = decision == Decision::kAbove ? Verdict::kHolds : Verdict::kNoLonger;
  return finding;
}

}  // namespace fjord::study
