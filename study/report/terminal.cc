// The table that a run ends with: a line a subject and task.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "report/cells.h"
#include "report/format.h"

namespace fjord::study {

namespace {

/// What a task is about: the time of a step, or the bytes of a file.
std::string phaseOf(const std::string& task) { return task == "save" ? "file" : "steady"; }

std::string valueText(const std::string& phase, double value) {
  return phase == "file" ? megabytes(value) + " MB" : duration(value);
}

/// The cells of a subject and task, over its backends.
struct Line {
  size_t cells = 0, right = 0;
  std::optional<double> least, most;  // the quickest at the smallest and at the largest size
  std::string quickest;               // the backend of `most`, if there are several
  std::set<std::string> backends;
  std::string reason;  // of the first cell without numbers
};

Line lineOf(const Cells& cells, const Series& subject, const std::string& task) {
  Line line;
  std::string phase = phaseOf(task);
  for (const auto& [cell, rows] : cells.trials()) {
    if (cell.subject != subject.subject || cell.task != task || !cells.has(cell)) continue;
    ++line.cells;
    line.backends.insert(cell.backend);
    auto good = [](const TrialRow* row) { return row->result.outcome == Outcome::kOk; };
    const Measured& m = cells.at(cell, phase);
    // A probe has no times, and is right without.
    bool right = m.value || (m.reason == "not measured" && std::ranges::all_of(rows, good));
    line.right += right;
    if (!right && line.reason.empty()) line.reason = m.reason;
    if (!m.value) continue;
    double value = m.value->centre;
    if (cells.workloads().empty() || cell.workload == cells.workloads().front() ||
        !cell.workload.depth)
      line.least = std::min(value, line.least.value_or(value));
    if (cells.workloads().empty() || cell.workload != cells.workloads().back()) continue;
    if (line.most && *line.most <= value) continue;
    line.most = value;
    line.quickest = cell.backend;
  }
  if (line.backends.size() < 2) line.quickest.clear();
  for (const Cell& cell : cells.planned()) {
    bool isOurs = cell.subject == subject.subject && cell.task == task && cells.has(cell);
    if (!isOurs || cells.trials().contains(cell)) continue;
    ++line.cells;
    // What was not reached may be quicker.
    line.quickest.clear();
    if (line.reason.empty()) line.reason = "no time left for all";
  }
  return line;
}

size_t characters(const std::string& text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char c) { return static_cast<unsigned char>(c) >> 6 != 2; }));
}

std::string padded(const std::string& text, size_t width, bool right = false) {
  size_t have = characters(text);
  std::string space(have < width ? width - have : 0, ' ');
  return right ? space + text : text + space;
}

using Rows = std::vector<std::vector<std::string>>;

/// A line a subject and task, of one family; what has no network is told with the first one.
Rows rowsOf(const Cells& cells, bool isFirst) {
  std::string least = cells.workloads().empty() ? "smallest" : cells.workloads().front().size();
  std::string most = cells.workloads().empty() ? "largest" : cells.workloads().back().size();
  Rows rows = {{"framework", "task", "cells", least, most, "quickest, and what went wrong"}};
  constexpr size_t kLabel = 40, kReason = 60;
  for (const Series& subject : cells.subjects()) {
    for (const Task& task : cells.input().catalogue.tasks) {
      Line line = lineOf(cells, subject, task.name);
      // Of what is not timed at a size only failures are news.
      if (!line.cells || (!task.sized && (!isFirst || line.right == line.cells))) continue;
      std::string phase = phaseOf(task.name);
      auto text = [&](std::optional<double> v) { return v ? valueText(phase, *v) : "–"; };
      std::string last = line.quickest;
      if (!line.reason.empty()) last += (last.empty() ? "" : "; ") + clipped(line.reason, kReason);
      rows.push_back({clipped(subject.label, kLabel), task.name, cat(line.right, "/", line.cells),
                      text(line.least), text(line.most), last});
    }
  }
  if (cells.workloads().size() == 1) {
    for (auto& row : rows) row.erase(row.begin() + 4);  // the largest is the smallest
  }
  return rows;
}

std::string textOf(const Rows& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string text;
    for (size_t i = 0; i + 1 < row.size(); ++i) text += padded(row[i], widths[i], i >= 2) + "  ";
    text += row.back();
    out += text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

}  // namespace

std::string terminalTable(const ReportInput& input) {
  std::vector<std::string> families = familiesOf(input);
  if (families.empty()) families.emplace_back("dense");
  std::string out;
  for (const std::string& family : families) {
    Cells cells(input, family);
    Rows rows = rowsOf(cells, family == families[0]);
    if (families.size() > 1) out += cat(out.empty() ? "" : "\n", cells.family().title, "\n");
    out += textOf(rows);
    if (rows.size() == 1) out += "no trial in this run\n";
  }
  return out;
}

}  // namespace fjord::study
