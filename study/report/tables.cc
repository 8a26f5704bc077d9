#include "report/tables.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "base/text.h"
#include "report/format.h"
#include "report/paper.h"

namespace fjord::study {

// ---- rows

Entry nameOf(const Series& series, Table& table) {
  return {.text = series.label,
          .note = series.note.empty() ? 0 : table.note(series.note),
          .colour = series.colour};
}

namespace {

/// "8.90–10.1"; from few trials it is their range, and says of how many.
std::string rangeOf(const Interval& value, size_t trials) {
  std::string ends = between(value);
  bool few = trials > 1 && trials < kLeastRounds;
  return ends.empty() || !few ? ends : cat(ends, " of ", trials);
}

}  // namespace

Entry entryOf(const Measured& measured, Table& table, double scale) {
  if (!measured.value) return table.reason(measured.reason);
  Interval value = *measured.value;
  value = {value.low * scale, value.centre * scale, value.high * scale};
  return {.text = number(value.centre),
          .kind = Entry::kNumber,
          .small = rangeOf(value, measured.trials.size()),
          .note = measured.caveat.empty() ? 0 : table.note(measured.caveat)};
}

void addRow(Table& table, const Series& series, const std::vector<Measured>& measured,
            double scale) {
  std::vector<Entry> row = {nameOf(series, table)};
  auto same = [&](const Measured& m) { return !m.value && m.reason == measured[0].reason; };
  if (measured.size() > 1 && std::ranges::all_of(measured, same)) {
    constexpr size_t kMost = 160;
    row.push_back({.text = clipped(measured[0].reason, kMost),
                   .kind = Entry::kReason,
                   .span = static_cast<int>(measured.size())});
  } else {
    for (const Measured& m : measured) row.push_back(entryOf(m, table, scale));
  }
  table.rows.push_back(std::move(row));
}

namespace {

std::vector<Measured> measuredRow(const Cells& cells, const Series& series, const std::string& task,
                                  const std::string& phase) {
  std::vector<Measured> row;
  for (const Workload& workload : cells.workloads())
    row.push_back(cells.at({series.subject, series.backend, task, workload}, phase));
  if (row.empty()) row.push_back({.reason = cells.absence(series, task, phase)});
  return row;
}

/// Sizes for the extremes: the smallest and the largest network, which may be the same.
std::vector<Workload> extremes(const Cells& cells) {
  const std::vector<Workload>& sizes = cells.workloads();
  if (sizes.empty()) return {};
  auto weights = [&](const Workload& workload) {
    return float32Bytes(cells.input().catalogue.families, workload, true);
  };
  Workload least = *std::ranges::min_element(sizes, {}, weights);
  Workload most = *std::ranges::max_element(sizes, {}, weights);
  return least == most ? std::vector{least} : std::vector{least, most};
}

std::vector<std::string> sizesHead(const Cells& cells) {
  std::vector<std::string> head = {"Framework"};
  for (const Workload& workload : cells.workloads()) head.push_back(workload.size());
  if (cells.workloads().empty()) head.emplace_back("Any size");
  return head;
}

}  // namespace

Table timesTable(const Cells& cells, const std::string& task, const std::string& phase,
                 const std::string& caption) {
  Table table{.caption = caption, .head = sizesHead(cells)};
  std::vector<std::vector<Measured>> rows;
  // The high end of the quickest: what begins below it may be as quick.
  std::vector<Interval> best(table.head.size(), {INFINITY, INFINITY, INFINITY});
  for (const Series& series : cells.series()) {
    rows.push_back(measuredRow(cells, series, task, phase));
    for (size_t i = 0; i < rows.back().size() && !series.native; ++i) {
      const Measured& m = rows.back()[i];
      if (m.value && m.value->centre < best[i].centre) best[i] = *m.value;
    }
  }
  for (size_t r = 0; r < rows.size(); ++r) {
    const Series& series = cells.series()[r];
    addRow(table, series, rows[r]);
    for (size_t i = 0; i < rows[r].size() && !series.native; ++i) {
      const Measured& m = rows[r][i];
      if (m.value && m.value->low <= best[i].high) table.rows.back()[i + 1].best = true;
    }
  }
  return table;
}

// ---- table 2

namespace {

/// What the paper's table 2 has for a series, "–" where it has nothing.
std::vector<Entry> paperCpu(const Series& series) {
  std::vector<Entry> out(3);
  for (const paper::Cpu& row : paper::cpu()) {
    if (series.subject != row.subject || series.backend != row.backend) continue;
    const double values[] = {row.most, row.least, row.average};
    for (size_t i = 0; i < out.size(); ++i) {
      std::string& text = out[i].text;
      text += cat(text.empty() ? "" : ", ", fixed(values[i], 1), *row.gpu ? " " : "", row.gpu);
    }
  }
  for (Entry& entry : out) {
    entry.kind = Entry::kNumber;
    if (entry.text.empty()) entry.text = "–";
  }
  return out;
}

}  // namespace

Table cpuTable(const Cells& cells) {
  Table table{.caption =
                  "Table 2: processor time while training, percent of one core: intervals of "
                  "100 ms, all sizes together, all processes of the browser",
              .head = {"Framework", "Max", "Min", "Average", "Paper: max", "min", "average"}};
  for (const Series& series : cells.series()) {
    std::vector<double> values = cells.pooled(series, "train", "cpu");
    // An extension sees the machine and not the browser.
    bool machine = values.empty();
    if (machine) values = cells.pooled(series, "train", "machine");
    if (values.empty()) {
      Measured none{.reason = cells.absence(series, "train", "cpu")};
      addRow(table, series, {none, none, none});
    } else {
      auto [least, most] = std::ranges::minmax(values);
      double mean =
          std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
      table.rows.push_back({nameOf(series, table)});
      for (double value : {most, least, mean})
        table.rows.back().push_back(
            {.text = number(value),
             .kind = Entry::kNumber,
             .note = machine ? table.note("of all that ran on the machine") : 0});
    }
    std::ranges::move(paperCpu(series), std::back_inserter(table.rows.back()));
  }
  return table;
}

Table resourcesTable(const Cells& cells) {
  constexpr double kMega = 1e-6;
  struct Column {
    const char* phase;
    const char* title;
    double scale;
  };
  constexpr Column kColumns[] = {{"memory", "Memory, MB", kMega},
                                 {"heap", "Heap, MB", kMega},
                                 {"frame", "Frame time, 95th percentile, ms", 1},
                                 {"longtask", "Longest task, ms", 1}};
  Table table{.caption =
                  "What else training takes: the most memory of all of the browser's "
                  "processes, the page's heap afterwards, and how it answers meanwhile (0: no "
                  "task of more than 50 ms)",
              .head = {"Framework"}};
  std::vector<Workload> sizes = extremes(cells);
  for (const Column& column : kColumns) {
    for (const Workload& workload : sizes)
      table.head.push_back(cat(column.title, ", ", workload.size()));
    if (sizes.empty()) table.head.emplace_back(column.title);
  }
  for (const Series& series : cells.series()) {
    std::vector<Measured> row;
    for (const Column& column : kColumns) {
      for (const Workload& workload : sizes) {
        Measured m = cells.at({series.subject, series.backend, "train", workload}, column.phase);
        if (m.value) {
          *m.value = {m.value->low * column.scale, m.value->centre * column.scale,
                      m.value->high * column.scale};
        }
        row.push_back(m);
      }
      if (sizes.empty()) row.push_back({.reason = cells.absence(series, "train", column.phase)});
    }
    addRow(table, series, row);
  }
  return table;
}

Table stackTable(const Cells& cells) {
  Table table{.caption = "Call stack: how deep the calls of a training step go, network 1x64",
              .head = {"Framework", "Calls"}};
  for (const Series& series : cells.series()) {
    Measured m = cells.at({series.subject, series.backend, "stack", {}}, "depth");
    addRow(table, series, {m});
    Entry& entry = table.rows.back().back();
    if (m.value) entry.text = count(static_cast<size_t>(m.value->centre));
    if (series.backend != "cpu") continue;
    if (series.subject == paper::kTensorFlowJs) entry.paper = cat(paper::kDepthTensorFlowJs);
    if (series.subject == paper::kConvNetJs) entry.paper = cat(paper::kDepthConvNetJs);
  }
  return table;
}

// ---- table 3

Table filesTable(const Cells& cells) {
  Table table{.caption =
                  "Table 3: size of model files, MB (10^6 bytes), and beneath it how many "
                  "times the 4 bytes that each weight takes in memory",
              .head = sizesHead(cells)};
  for (const Series& series : cells.subjects()) {
    const Subject* subject = cells.input().catalogue.subject(series.subject);
    std::vector<Measured> row;
    for (const Workload& workload : cells.workloads())
      row.push_back(cells.once(series, "save", workload, "file"));
    if (row.empty()) row.push_back({.reason = cells.absence(series, "save", "file")});
    addRow(table, series, row);
    std::vector<Entry>& entries = table.rows.back();
    for (size_t i = 0; i < cells.workloads().size() && entries.size() == row.size() + 1; ++i) {
      const Workload& workload = cells.workloads()[i];
      if (row[i].value) {
        double bytes = row[i].value->centre;
        entries[i + 1].text = megabytes(bytes);
        entries[i + 1].small =
            "× " + number(bytes / float32Bytes(cells.input().catalogue.families, workload,
                                               !subject || subject->style.bias));
      }
      if (auto paper = paper::fileMegabytes(series.subject, workload))
        entries[i + 1].paper = fixed(*paper, 1);
    }
  }
  return table;
}

// ---- all cells

namespace {

std::string outcomesOf(const std::vector<const TrialRow*>& rows) {
  std::map<std::string, size_t> counts;
  for (const TrialRow* row : rows)
    ++counts[row->result.outcome == Outcome::kOk ? "ok" : reasonOf(*row)];
  std::string out;
  for (const auto& [reason, times] : counts)
    out += cat(out.empty() ? "" : "; ", counts.size() > 1 ? count(times) + " " : "", reason);
  return out;
}

std::string differenceOf(const std::vector<const TrialRow*>& rows) {
  double most = 0;
  bool told = false;
  for (const TrialRow* row : rows) {
    if (row->result.correctness.kind.empty()) continue;
    most = std::max(most, row->result.correctness.difference);
    told = true;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", most);
  return told ? text : "–";
}

}  // namespace

Table rawTable(const Cells& cells) {
  Table table{.caption = "All cells: medians of trials; ms, bytes, percent or calls",
              .head = {"Cell", "Trials", "Outcome", "Difference"},
              .folded = true};
  for (const Phase& phase : kPhases) table.head.emplace_back(phase.name);
  for (const Series& series : cells.series()) {
    size_t before = table.rows.size();
    for (const auto& [cell, rows] : cells.trials()) {
      if (cell.subject != series.subject || cell.backend != series.backend) continue;
      std::string outcome = outcomesOf(rows);
      std::string what = cell.task + (cell.workload.depth ? " " + cell.workload.name() : "");
      table.rows.push_back({{.text = series.label, .small = what, .colour = series.colour},
                            {.text = count(rows.size()), .kind = Entry::kNumber},
                            outcome == "ok" ? word(outcome) : table.reason(outcome),
                            {.text = differenceOf(rows), .kind = Entry::kNumber}});
      for (const Phase& phase : kPhases) {
        Measured m = cells.at(cell, phase.name);
        table.rows.back().push_back(
            {.text = m.value ? number(m.value->centre) : "–", .kind = Entry::kNumber});
      }
    }
    if (table.rows.size() == before)
      addRow(table, series,
             std::vector<Measured>(table.head.size() - 1, {.reason = "not in this run"}));
  }
  return table;
}

}  // namespace fjord::study
