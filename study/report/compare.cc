// How far two runs agree.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "report/cells.h"
#include "report/document.h"
#include "report/format.h"
#include "stats/agreement.h"

namespace fjord::study {

namespace {

/// A cell's phase in both runs.
struct Pair {
  Cell cell;
  std::string label, phase;
  Interval a, b;
};

std::string labelOf(const Cells& cells, const Cell& cell) {
  for (const Series& series : cells.series()) {
    if (series.subject == cell.subject && series.backend == cell.backend) return series.label;
  }
  return cell.subject + " · " + cell.backend;
}

std::vector<Pair> pairsOf(const Cells& a, const Cells& b, const std::string& task,
                          const std::string& phase) {
  std::vector<Pair> out;
  for (const auto& [cell, rows] : a.trials()) {
    if (cell.task != task) continue;
    Measured ours = a.at(cell, phase), theirs = b.at(cell, phase);
    // What a clock did not see has no ratio.
    if (ours.value && theirs.value && ours.value->centre > 0 && theirs.value->centre > 0)
      out.push_back({cell, labelOf(a, cell), phase, *ours.value, *theirs.value});
  }
  return out;
}

Agreement agreementOf(const std::vector<Pair>& pairs) {
  std::vector<MeasuredTwice> both;
  for (const Pair& pair : pairs) both.push_back({pair.a, pair.b});
  return agreementOf(both);
}

/// How many times one is the other, at least 1.
double factorOf(const Pair& pair) {
  double least = std::min(pair.a.centre, pair.b.centre),
         most = std::max(pair.a.centre, pair.b.centre);
  return most / least;
}

std::string percent(double share) {
  return std::isfinite(share) ? number(100 * share) + " %" : "–";
}

Table pairsTable(std::vector<Pair> pairs) {
  constexpr size_t kMost = 10;
  std::ranges::sort(pairs, [](const Pair& a, const Pair& b) {
    return factorOf(a) != factorOf(b) ? factorOf(a) > factorOf(b) : a.cell < b.cell;
  });
  Table table{.caption = "The cells that differ most, ms",
              .head = {"Framework", "Task", "Phase", "Size", "First run", "Second run", "Factor"}};
  for (const Pair& pair : pairs) {
    if (table.rows.size() == kMost) break;
    auto numeric = [](double value) {
      return Entry{.text = number(value), .kind = Entry::kNumber};
    };
    table.rows.push_back({word(pair.label), word(pair.cell.task), word(pair.phase),
                          word(pair.cell.workload.name()), numeric(pair.a.centre),
                          numeric(pair.b.centre), numeric(factorOf(pair))});
  }
  return table;
}

/// What has to be the same for two runs to measure the same.
std::vector<std::string> settings(const Run& a, const Run& b) {
  std::vector<std::string> out;
  auto compare = [&](const char* what, const std::string& first, const std::string& second) {
    if (first != second)
      out.push_back(cat("They differ in the ", what, ": ", first, " and ", second, "."));
  };
  compare("machine", a.machine.name, b.machine.name);
  compare("processor", a.machine.cpu, b.machine.cpu);
  compare("number of cores", cat(a.machine.cores), cat(b.machine.cores));
  compare("graphics adapter", a.machine.gpu, b.machine.gpu);
  compare("browser", a.browser, b.browser);
  return out;
}

std::string figuresOf(const Agreement& found) {
  return cat("half of the cells differ by at most ", percent(found.median),
             ", 95 % of them by at most ", percent(found.tail), ", over ",
             counted(found.cells, "cell"));
}

std::string sentenceOf(const Agreement& found) {
  return cat("The two runs ", found.agrees ? "agree" : "do not agree", ": ", figuresOf(found),
             ". They agree where these are below ", percent(kMedianLimit), " and ",
             percent(kTailLimit), ".");
}

/// The noise that one has to allow for, and whether it goes one way.
std::string noiseOf(const Agreement& found) {
  std::string out = cat("The second run takes × ", number(found.ratio.centre),
                        " the first one's times (geometric mean)");
  std::string limits = between(found.ratio);
  if (!limits.empty()) out += cat("; 95 % of the ratios lie within ", limits);
  return out + cat(". Differences below ", percent(found.tail),
                   " between two programs mean nothing by these runs.");
}

std::vector<Entry> rowOf(const std::string& task, const std::string& phase,
                         const Agreement& found) {
  auto numeric = [](const std::string& text) {
    return Entry{.text = text, .kind = Entry::kNumber};
  };
  Entry ratio = numeric(found.cells ? "× " + number(found.ratio.centre) : "–");
  ratio.small = between(found.ratio);
  return {word(task),
          word(phase),
          numeric(count(found.cells)),
          numeric(percent(found.median)),
          numeric(percent(found.tail)),
          numeric(found.cells ? percent(found.overlapping) : "–"),
          ratio,
          word(!found.cells   ? "cannot be told"
               : found.agrees ? "yes"
                              : "no")};
}

}  // namespace

Result<std::string> compareRuns(const ReportInput& a, const ReportInput& b) {
  Cells first(a), second(b);
  Table table{
      .caption =
          "How far the medians of cells are apart, for each task and phase: the larger over "
          "the smaller one, less 1",
      .head = {"Task", "Phase", "Cells", "Median", "95th percentile", "Intervals touch",
               "Second over first", "Agree"}};
  std::vector<Pair> all;
  std::vector<Block> apart;  // tasks that do not agree, whatever all together do
  for (auto [task, phase] : {std::pair{"train", "steady"},
                             {"train", "first"},
                             {"infer", "load"},
                             {"infer", "first"},
                             {"infer", "steady"}}) {
    std::vector<Pair> pairs = pairsOf(first, second, task, phase);
    Agreement found = agreementOf(pairs);
    table.rows.push_back(rowOf(task, phase, found));
    // The time of a step is what a cell is about; the others are told beside it.
    if (std::string_view(phase) != "steady") continue;
    all.insert(all.end(), pairs.begin(), pairs.end());
    if (found.cells && !found.agrees)
      apart.emplace_back(
          Paragraph{cat("The task ", task, " alone does not: ", figuresOf(found), ".")});
  }
  if (all.size() < 2) {
    return fail("runs ", a.run.id, " and ", b.run.id, " have times for ",
                counted(all.size(), "cell"),
                " in common; 2 are needed: choose runs with the same subjects and sizes");
  }
  Agreement together = agreementOf(all);
  std::vector<Block> blocks = {Paragraph{sentenceOf(together)}, Paragraph{noiseOf(together)}};
  std::ranges::move(apart, std::back_inserter(blocks));
  for (const std::string& line : settings(a.run, b.run)) blocks.emplace_back(Paragraph{line});
  blocks.emplace_back(table);
  blocks.emplace_back(pairsTable(all));
  Document document{.title = "Two runs of the study",
                    .subtitle = cat("Run ", a.run.id, " of ", a.run.started, " and run ", b.run.id,
                                    " of ", b.run.started),
                    .sections = {{"agreement", "Agreement", std::move(blocks)}}};
  return toMarkdown(document);
}

}  // namespace fjord::study
