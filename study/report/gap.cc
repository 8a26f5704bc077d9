#include "report/gap.h"

#include <algorithm>

#include "base/text.h"
#include "report/format.h"
#include "report/paper.h"
#include "report/tables.h"

namespace fjord::study {

namespace {

std::vector<Series> seriesWhere(const Cells& cells, bool native) {
  std::vector<Series> out;
  std::ranges::copy_if(cells.series(), std::back_inserter(out),
                       [&](const Series& s) { return s.native == native; });
  return out;
}

Cell cellOf(const Series& series, const std::string& task, const Size& size) {
  return {series.subject, series.backend, task, size};
}

}  // namespace

std::vector<Series> nativeSeries(const Cells& cells) { return seriesWhere(cells, true); }
std::vector<Series> browserSeries(const Cells& cells) { return seriesWhere(cells, false); }

std::optional<Interval> gapAt(const Cells& cells, const Series& series, const Series& native,
                              const std::string& task, const Size& size) {
  Measured ours = cells.at(cellOf(series, task, size), "steady");
  Measured theirs = cells.at(cellOf(native, task, size), "steady");
  if (!ours.value || !theirs.value || theirs.value->low <= 0) return {};
  return ratioInterval(ours.trials, theirs.trials, cells.input().run.seed);
}

Gap gapOf(const Cells& cells, const Series& series, const Series& native, const std::string& task) {
  Gap gap;
  for (const Size& size : cells.sizes()) {
    auto ratio = gapAt(cells, series, native, task, size);
    if (ratio && ratio->centre > 0) gap.ratios.push_back(ratio->centre);
  }
  if (!gap.ratios.empty()) {
    gap.mean = geometricMean(gap.ratios);
    return gap;
  }
  gap.reason = cells.absence(series, task, "steady");
  if (!gap.reason.empty()) return gap;
  std::string theirs = cells.absence(native, task, "steady");
  gap.reason = theirs.empty() ? "no size in common" : "no native time: " + theirs;
  return gap;
}

namespace {

/// Section 5.2.3 compares TensorFlow.js and TensorFlow on the CPU.
std::string paperGap(const Series& series, const Series& native, const std::string& task) {
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
    std::vector<size_t> sizes;
    for (const Series& native : natives) {
      Gap gap = gapOf(cells, series, native, task);
      sizes.push_back(gap.ratios.size());
      means.push_back({.reason = gap.reason});
      if (gap.ratios.empty()) continue;
      auto [least, most] = std::ranges::minmax(gap.ratios);
      means.back().value = {least, gap.mean, most};
    }
    if (natives.empty()) means.push_back({.reason = "no native program in the catalogue"});
    addRow(table, series, means);
    std::vector<Entry>& row = table.rows.back();
    // One reason for all leaves nothing to say beside it.
    for (size_t i = 0; i < sizes.size() && i + 1 < row.size(); ++i) {
      if (sizes[i])
        row[i + 1].small += cat(row[i + 1].small.empty() ? "" : "; ", counted(sizes[i], "size"));
      row[i + 1].paper = paperGap(series, natives[i], task);
    }
  }
  return table;
}

Table gapCellsTable(const Cells& cells, const std::string& task, const std::string& caption) {
  Table table{.caption = caption, .head = {"Framework", "over"}, .folded = true};
  for (const Size& size : cells.sizes()) table.head.push_back(size.name());
  for (const Series& series : browserSeries(cells)) {
    for (const Series& native : nativeSeries(cells)) {
      std::vector<Measured> row;
      for (const Size& size : cells.sizes()) {
        Measured m{.value = gapAt(cells, series, native, task, size)};
        if (!m.value) m.reason = cells.at(cellOf(series, task, size), "steady").reason;
        if (!m.value && m.reason.empty())
          m.reason = "no native time: " + cells.at(cellOf(native, task, size), "steady").reason;
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
