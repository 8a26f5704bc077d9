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
    if (cell.subject != subject.subject || cell.task != task) continue;
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
    if (cells.sizes().empty() || cell.size == cells.sizes().front() || !cell.size.depth)
      line.least = std::min(value, line.least.value_or(value));
    if (cells.sizes().empty() || cell.size != cells.sizes().back()) continue;
    if (line.most && *line.most <= value) continue;
    line.most = value;
    line.quickest = cell.backend;
  }
  if (line.backends.size() < 2) line.quickest.clear();
  for (const Cell& cell : cells.planned()) {
    bool isOurs = cell.subject == subject.subject && cell.task == task;
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

}  // namespace

std::string terminalTable(const ReportInput& input) {
  Cells cells(input);
  std::vector<std::vector<std::string>> rows;
  std::string least = cells.sizes().empty() ? "smallest" : cells.sizes().front().name();
  std::string most = cells.sizes().empty() ? "largest" : cells.sizes().back().name();
  rows.push_back({"framework", "task", "cells", least, most, "quickest, and what went wrong"});
  constexpr size_t kLabel = 40, kReason = 60;
  for (const Series& subject : cells.subjects()) {
    for (const Task& task : input.catalogue.tasks) {
      Line line = lineOf(cells, subject, task.name);
      // Of what is not timed at a size only failures are news.
      if (!line.cells || (!task.sized && line.right == line.cells)) continue;
      std::string phase = phaseOf(task.name);
      auto text = [&](std::optional<double> v) { return v ? valueText(phase, *v) : "–"; };
      std::string last = line.quickest;
      if (!line.reason.empty()) last += (last.empty() ? "" : "; ") + clipped(line.reason, kReason);
      rows.push_back({clipped(subject.label, kLabel), task.name, cat(line.right, "/", line.cells),
                      text(line.least), text(line.most), last});
    }
  }
  if (cells.sizes().size() == 1) {
    for (auto& row : rows) row.erase(row.begin() + 4);  // the largest is the smallest
  }
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
  if (rows.size() == 1) out += "no trial in this run\n";
  return out;
}

}  // namespace fjord::study
