// How far two runs agree.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "report/cells.h"
#include "report/document.h"
#include "report/format.h"

namespace fjord::study {

namespace {

/// From here on two runs tell the same order.
constexpr double kAgreement = 0.95;

/// The medians of a cell's phase in both runs.
struct Pair {
  Cell cell;
  std::string label, phase;
  double a = 0, b = 0;
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
    if (ours.value && theirs.value)
      out.push_back({cell, labelOf(a, cell), phase, ours.value->centre, theirs.value->centre});
  }
  return out;
}

/// NaN for fewer than two, or where all of one run are equal.
double correlationOf(const std::vector<Pair>& pairs) {
  if (pairs.size() < 2) return NAN;
  std::vector<double> a, b;
  for (const Pair& pair : pairs) {
    a.push_back(pair.a);
    b.push_back(pair.b);
  }
  return rankCorrelation(a, b);
}

std::string correlationText(double correlation) {
  // Three digits are not enough near 1: 0.9996 is not 1.
  if (!std::isfinite(correlation)) return "cannot be told";
  std::string text = cat(std::floor(correlation * 1e4) / 1e4);
  return text;
}

/// How many times one is the other, at least 1; the largest for what one run has as 0.
double factorOf(const Pair& pair) {
  double least = std::min(pair.a, pair.b), most = std::max(pair.a, pair.b);
  return most == 0 ? 1 : least > 0 ? most / least : INFINITY;
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
                          word(pair.cell.size.name()), numeric(pair.a), numeric(pair.b),
                          numeric(factorOf(pair))});
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

std::string sentenceOf(double correlation, size_t cells) {
  std::string figure =
      cat("rank correlation ", correlationText(correlation), " over ", counted(cells, "cell"));
  if (!std::isfinite(correlation))
    return cat("Whether the two runs agree cannot be told: all medians of one are equal, over ",
               counted(cells, "cell"), ".");
  if (correlation >= kAgreement)
    return cat("The two runs agree: ", figure, ", at least ", kAgreement, ".");
  return cat("The two runs do not agree: ", figure, ", less than ", kAgreement, ".");
}

}  // namespace

Result<std::string> compareRuns(const ReportInput& a, const ReportInput& b) {
  Cells first(a), second(b);
  Table table{.caption = "Rank correlation of the medians, for each task and phase",
              .head = {"Task", "Phase", "Cells", "Rank correlation", "At least 0.95"}};
  std::vector<Pair> all;
  std::vector<Block> apart;  // tasks that do not agree, whatever all together do
  for (auto [task, phase] : {std::pair{"train", "steady"},
                             {"train", "first"},
                             {"infer", "load"},
                             {"infer", "first"},
                             {"infer", "steady"}}) {
    std::vector<Pair> pairs = pairsOf(first, second, task, phase);
    double correlation = correlationOf(pairs);
    table.rows.push_back({word(task),
                          word(phase),
                          {.text = count(pairs.size()), .kind = Entry::kNumber},
                          {.text = correlationText(correlation), .kind = Entry::kNumber},
                          word(!std::isfinite(correlation) ? "cannot be told"
                               : correlation >= kAgreement ? "yes"
                                                           : "no")});
    // The time of a step is what a cell is about; the others are told beside it.
    if (std::string_view(phase) != "steady") continue;
    all.insert(all.end(), pairs.begin(), pairs.end());
    if (correlation < kAgreement) {
      apart.emplace_back(
          Paragraph{cat("The task ", task, " alone does not: ", correlationText(correlation),
                        " over ", counted(pairs.size(), "cell"), ".")});
    }
  }
  if (all.size() < 2) {
    return fail("runs ", a.run.id, " and ", b.run.id, " have times for ",
                counted(all.size(), "cell"),
                " in common; 2 are needed: choose runs with the same subjects and sizes");
  }
  std::vector<Block> blocks = {Paragraph{sentenceOf(correlationOf(all), all.size())}};
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
