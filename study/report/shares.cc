// What layers and width explain of the variance of a series' times.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "report/analysis.h"
#include "report/format.h"
#include "report/rounds.h"
#include "report/tables.h"
#include "stats/anova.h"

namespace fjord::study {

namespace {

constexpr int kResamples = 1000;

Factor factorOf(const std::string& name, const std::vector<Workload>& sizes, int Workload::* side) {
  std::set<int> values;
  for (const Workload& workload : sizes) values.insert(workload.*side);
  Factor factor{.name = name};
  for (int value : values) {
    factor.levels.push_back(cat(value));
    factor.at.push_back(value);
  }
  return factor;
}

int levelOf(const Factor& factor, int value) {
  return static_cast<int>(std::ranges::find(factor.at, value) - factor.at.begin());
}

/// What multiplications alone would take: the same design with their number.
std::vector<double> ofWork(const Cells& cells, const std::string& task) {
  std::vector<double> out;
  for (const Workload& workload : cells.workloads())
    out.push_back(std::log2(workOf(cells.input().catalogue.families, workload, task).macs));
  return out;
}

/// Shares of layers, width, both together.
std::vector<double> sharesOf(const Design& design, std::span<const double> values) {
  Result<Anova> found = anova(design.with(values));
  if (!found) return {NAN, NAN, NAN};
  return {found->first[0], found->first[1], found->terms[2].share};
}

}  // namespace

Entry shareEntry(const Span& span) {
  if (!std::isfinite(span.interval.centre)) return {.text = "–", .kind = Entry::kNumber};
  auto whole = [](double share) { return fixed(100 * share, 0); };
  Entry entry{.text = whole(span.interval.centre) + " %", .kind = Entry::kNumber};
  std::string low = whole(span.interval.low), high = whole(span.interval.high);
  if (low != high) entry.small = low + "–" + high;
  return entry;
}

Result<Observed> timesOf(const Cells& cells, const Series& series, const std::string& task) {
  Observed out;
  const std::vector<Workload>& sizes = cells.workloads();
  out.design.factors = {factorOf("layers", sizes, &Workload::depth),
                        factorOf("width", sizes, &Workload::width)};
  std::vector<ByRound> times;
  for (const Workload& workload : sizes) {
    ByRound time = byRound(cells, {series.subject, series.backend, task, workload}, "steady");
    if (time.empty()) continue;
    out.design.rows.push_back({{levelOf(out.design.factors[0], workload.depth),
                                levelOf(out.design.factors[1], workload.width)}});
    times.push_back(std::move(time));
  }
  if (times.empty()) return fail(cells.absence(series, task, "steady"));
  out.rounds = commonRounds(times);
  for (std::vector<double>& round : out.rounds) {
    for (double& value : round) value = std::log2(value);
  }
  out.design = out.design.with(mediansOf(out.rounds));
  FJORD_CHECK(balanced(out.design));
  return out;
}

Table sharesTable(const Cells& cells, const std::string& task, const std::string& caption) {
  Table table{.caption = caption,
              .head = {"Framework", "Layers", "Width", "Both together", "Intervals"}};
  bool worked = false;
  for (const Series& series : cells.series()) {
    Result<Observed> times = timesOf(cells, series, task);
    if (!times) {
      addRow(table, series, std::vector<Measured>(4, {.reason = times.error().message}));
      continue;
    }
    if (!worked) {
      std::vector<double> shares = sharesOf(times->design, ofWork(cells, task));
      std::vector<Entry> row = {word("Multiplications alone")};
      for (double share : shares) row.push_back(shareEntry({.interval = {share, share, share}}));
      row.push_back(word("exact"));
      table.rows.insert(table.rows.begin(), row);
      worked = true;
    }
    std::vector<Entry> row = {nameOf(series, table)};
    std::vector<Span> spans =
        overRounds(times->rounds, cells.input().run.seed, kResamples,
                   [&](const std::vector<double>& v) { return sharesOf(times->design, v); });
    for (const Span& span : spans) row.push_back(shareEntry(span));
    row.push_back(word(promiseOf(spans[0])));
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace fjord::study
