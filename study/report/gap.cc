#include "report/gap.h"

#include <algorithm>

#include "base/text.h"
#include "report/format.h"
#include "report/paper.h"
#include "report/rounds.h"
#include "report/tables.h"

namespace fjord::study {

namespace {

std::vector<Series> seriesWhere(const Cells& cells, bool native) {
  std::vector<Series> out;
  std::ranges::copy_if(cells.series(), std::back_inserter(out),
                       [&](const Series& s) { return s.native == native; });
  return out;
}

Cell cellOf(const Series& series, const std::string& task, const Workload& workload) {
  return {series.subject, series.backend, task, workload};
}

/// Of each round the geometric mean over sizes; their median. `times`: ours and theirs, size by size.
Span overSizes(const std::vector<ByRound>& times) {
  std::vector<double> means;
  for (const std::vector<double>& round : commonRounds(times)) {
    std::vector<double> ratios;
    for (size_t i = 0; i < round.size(); i += 2) ratios.push_back(round[i] / round[i + 1]);
    means.push_back(geometricMean(ratios));
  }
  return orderSpan(means);
}

}  // namespace

std::vector<Series> nativeSeries(const Cells& cells) { return seriesWhere(cells, true); }
std::vector<Series> browserSeries(const Cells& cells) { return seriesWhere(cells, false); }

std::vector<Series> timedSeries(const Cells& cells) {
  std::vector<Series> out = browserSeries(cells);
  if (softwareAdapter(cells.input().run.machine.gpu))
    std::erase_if(out, [](const Series& s) { return s.gpu; });
  return out;
}

std::optional<Interval> gapAt(const Cells& cells, const Series& series, const Series& native,
                              const std::string& task, const Workload& workload) {
  auto ratio = pairedRatio(byRound(cells, cellOf(series, task, workload), "steady"),
                           byRound(cells, cellOf(native, task, workload), "steady"));
  if (!ratio) return {};
  return ratio->interval;
}

Gap gapOf(const Cells& cells, const Series& series, const Series& native, const std::string& task) {
  Gap gap;
  std::vector<ByRound> times;  // ours and theirs of each size
  for (const Workload& workload : cells.workloads()) {
    ByRound ours = byRound(cells, cellOf(series, task, workload), "steady"),
            theirs = byRound(cells, cellOf(native, task, workload), "steady");
    auto ratio = pairedRatio(ours, theirs);
    if (!ratio || ratio->interval.centre <= 0) continue;
    gap.ratios.push_back(ratio->interval.centre);
    times.insert(times.end(), {ours, theirs});
  }
  if (!gap.ratios.empty()) {
    gap.span = overSizes(times);
    gap.mean = gap.span.interval.centre;
    return gap;
  }
  gap.reason = cells.absence(series, task, "steady");
  if (!gap.reason.empty()) return gap;
  std::string theirs = cells.absence(native, task, "steady");
  gap.reason = theirs.empty() ? "no size in common" : "no native time: " + theirs;
  return gap;
}

namespace {

/// Section 5.2.3 compares TensorFlow.js and TensorFlow on the CPU, over dense networks.
std::string paperGap(const Cells& cells, const Series& series, const Series& native,
                     const std::string& task) {
  if (cells.family().name != "dense") return "";
  if (series.subject != paper::kTensorFlowJs || series.backend != "cpu") return "";
  if (native.subject != paper::kTensorFlow || native.backend != "cpu") return "";
  return number(task == "train" ? paper::kTrainingGap : paper::kInferenceGap);
}

}  // namespace

Table gapTable(const Cells& cells, const std::string& task, const std::string& caption) {
  Table table{.caption = caption, .head = {"Framework"}};
  std::vector<Series> natives = nativeSeries(cells);
  for (const Series& native : natives) table.head.push_back("over " + native.label);
  if (natives.empty()) table.head.emplace_back("over native programs");
  for (const Series& series : browserSeries(cells)) {
    std::vector<Measured> means;
    std::vector<std::string> sizes;  // how many, with the smallest and the largest ratio
    for (const Series& native : natives) {
      Gap gap = gapOf(cells, series, native, task);
      sizes.emplace_back();
      means.push_back({.reason = gap.reason});
      if (gap.ratios.empty()) continue;
      means.back().value = gap.span.interval;
      means.back().trials.resize(gap.span.rounds);
      auto [least, most] = std::ranges::minmax(gap.ratios);
      sizes.back() = counted(gap.ratios.size(), "size");
      if (least < most) sizes.back() += cat(", ", between({least, 0, most}));
    }
    if (natives.empty()) means.push_back({.reason = "no native program in the catalogue"});
    addRow(table, series, means);
    std::vector<Entry>& row = table.rows.back();
    // One reason for all leaves nothing to say beside it.
    for (size_t i = 0; i < sizes.size() && i + 1 < row.size(); ++i) {
      if (!sizes[i].empty()) row[i + 1].small += (row[i + 1].small.empty() ? "" : "; ") + sizes[i];
      row[i + 1].paper = paperGap(cells, series, natives[i], task);
    }
  }
  return table;
}

Table gapCellsTable(const Cells& cells, const std::string& task, const std::string& caption) {
  Table table{.caption = caption, .head = {"Framework", "over"}, .folded = true};
  for (const Workload& workload : cells.workloads()) table.head.push_back(workload.size());
  for (const Series& series : browserSeries(cells)) {
    for (const Series& native : nativeSeries(cells)) {
      std::vector<Measured> row;
      for (const Workload& workload : cells.workloads()) {
        Measured m{.value = gapAt(cells, series, native, task, workload)};
        if (!m.value) m.reason = cells.at(cellOf(series, task, workload), "steady").reason;
        if (!m.value && m.reason.empty())
          m.reason = "no native time: " + cells.at(cellOf(native, task, workload), "steady").reason;
        row.push_back(m);
      }
      if (row.empty()) continue;
      addRow(table, series, row);
      table.rows.back().insert(table.rows.back().begin() + 1, word(native.label));
    }
  }
  return table;
}

}  // namespace fjord::study
