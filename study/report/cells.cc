#include "report/cells.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/text.h"
#include "plan/folders.h"
#include "plan/plan.h"
#include "report/format.h"

namespace fjord::study {

// ---- trials

std::optional<double> ofTrial(const TrialResult& result, const std::string& phase) {
  std::vector<double> values;
  bool watched = false;
  for (const Sample& sample : result.samples) {
    if (sample.phase == phase) values.push_back(sample.value);
    watched = watched || sample.phase == "frame";
  }
  if (values.empty()) {
    if (phase == "longtask" && watched) return 0.0;
    return {};
  }
  if (phase == "frame") return quantile(values, 0.95);
  if (phase == "longtask" || phase == "memory") return *std::ranges::max_element(values);
  return median(values);
}

std::string reasonOf(const TrialRow& row) {
  const TrialResult& result = row.result;
  const Correctness& check = result.correctness;
  std::string message = result.message.empty() ? "" : ": " + result.message;
  switch (result.outcome) {
    case Outcome::kOk:
      return "not measured";
    case Outcome::kWrong:
      if (check.kind == "falling") {
        return cat("wrong: the loss ended at ", number(check.difference),
                   " times where it began, may be ", number(check.tolerance));
      }
      if (check.kind.empty()) return "wrong" + message;
      return cat("wrong by ", number(check.difference), ", may be ", number(check.tolerance));
    case Outcome::kTimeout:
      return cat("timeout: > ", static_cast<int64_t>(row.seconds), " s");
    case Outcome::kUnsupported:
    case Outcome::kCrash:
    case Outcome::kError:
      return kOutcomeNames[static_cast<int>(result.outcome)] + message;
  }
  return "error" + message;
}

double float32Bytes(const std::vector<Family>& families, const Workload& workload, bool bias) {
  Result<Network> network = networkOf(families, workload, {.bias = bias});
  return network ? 4 * static_cast<double>(network->weights()) : NAN;
}

std::vector<std::string> familiesOf(const ReportInput& input) {
  // Dense networks, the paper's section 4, are before all others.
  std::set<std::pair<bool, std::string>> found;
  for (const TrialRow& row : input.trials) {
    const Workload& workload = row.trial.cell.workload;
    if (workload.depth) found.insert({workload.family != "dense", workload.family});
  }
  std::vector<std::string> out;
  for (const auto& [isLater, name] : found) out.push_back(name);
  return out;
}

bool softwareAdapter(const std::string& gpu) {
  std::string name = gpu;
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const char* known :
       {"swiftshader", "llvmpipe", "lavapipe", "softpipe", "basic render", "software"}) {
    if (name.find(known) != std::string::npos) return true;
  }
  return false;
}

// ---- series

namespace {

std::string titleOf(const Subject& subject) {
  bool told = subject.title.find("ative") != std::string::npos;
  return subject.native && !told ? subject.title + " (native)" : subject.title;
}

void addSubject(std::vector<Series>& out, const Subject& subject, int colour) {
  for (const Backend& backend : subject.backends) {
    std::string label = titleOf(subject);
    if (subject.backends.size() > 1) label += " · " + backend.title;
    out.push_back({.subject = subject.name,
                   .backend = backend.name,
                   .label = label,
                   .note = subject.note,
                   .native = subject.native,
                   .gpu = backend.gpu,
                   .colour = colour});
  }
}

}  // namespace

Cells::Cells(const ReportInput& input, const std::string& family) : input_(input) {
  family_.name = family;
  if (const Family* known = findNamed(input.catalogue.families, family)) family_ = *known;
  std::set<Workload> sizes;
  for (const TrialRow& row : input.trials) {
    trials_[row.trial.cell].push_back(&row);
    if (row.trial.cell.workload.depth && has(row.trial.cell)) sizes.insert(row.trial.cell.workload);
  }
  workloads_.assign(sizes.begin(), sizes.end());
  findPlanned();
  std::set<std::pair<std::string, std::string>> known;
  int colour = 0;
  for (bool native : {false, true}) {
    for (const Subject& subject : input.catalogue.subjects) {
      if (subject.native == native) addSubject(series_, subject, colour++);
    }
  }
  if (softwareAdapter(input.run.machine.gpu)) {
    for (Series& series : series_) {
      if (series.gpu && !series.native)
        series.note +=
            (series.note.empty() ? "" : "; ") + std::string("a processor imitates its GPU");
    }
  }
  for (const Series& series : series_) known.insert({series.subject, series.backend});
  std::string last;
  for (const auto& [cell, rows] : trials_) {
    if (!known.insert({cell.subject, cell.backend}).second) continue;
    const Subject* subject = input.catalogue.subject(cell.subject);
    if (!subject && cell.subject != last) ++colour;
    last = cell.subject;
    series_.push_back({.subject = cell.subject,
                       .backend = cell.backend,
                       .label = (subject ? titleOf(*subject) : cell.subject) + " · " + cell.backend,
                       .native = subject && subject->native,
                       .colour = colour - 1});
  }
}

/// A run whose subjects or tasks are not in the catalogue any more tells nothing of its plan.
void Cells::findPlanned() {
  if (member(input_.run.options, "workloads").is_null()) return;
  Result<PlanOptions> options = planOptionsOf(input_.catalogue, input_.run);
  if (!options) return;
  Result<Plan> plan = makePlan(input_.catalogue, *options);
  if (!plan) return;
  for (const Trial& trial : plan->trials) planned_.insert(trial.cell);
  auto failed = [](const TrialRow* row) { return row->result.outcome != Outcome::kOk; };
  for (const Trial& trial : remaining(*plan, input_.trials)) {
    auto known = trials_.find(trial.cell);
    bool isGivenUp = known != trials_.end() && std::ranges::any_of(known->second, failed);
    unreached_ += !isGivenUp;
  }
}

std::vector<Series> Cells::subjects() const {
  std::vector<Series> out;
  std::set<std::string> known;
  for (const Series& series : series_) {
    if (!known.insert(series.subject).second) continue;
    out.push_back(series);
    const Subject* subject = input_.catalogue.subject(series.subject);
    out.back().label = subject ? titleOf(*subject) : series.subject;
    out.back().note = subject ? subject->note : "";
  }
  return out;
}

std::vector<int> Cells::widths() const {
  std::set<int> out;
  for (const Workload& workload : workloads_) out.insert(workload.width);
  return {out.begin(), out.end()};
}

// ---- cells

std::string Cells::refusal(const Cell& cell) const {
  std::string reason = input_.catalogue.refusal(cell);
  if (!reason.empty()) return "unsupported: " + reason;
  return planned_.contains(cell) ? "no time left" : "not in this run";
}

const Measured& Cells::at(const Cell& cell, const std::string& phase) const {
  auto [found, added] = measured_.try_emplace({cell, phase});
  if (added) found->second = measure(cell, phase);
  return found->second;
}

Measured Cells::measure(const Cell& cell, const std::string& phase) const {
  auto found = trials_.find(cell);
  if (found == trials_.end()) return {.reason = refusal(cell)};
  const std::vector<const TrialRow*>& rows = found->second;
  Measured out;
  std::string first;  // reason of a trial without the number
  for (const TrialRow* row : rows) {
    if (row->result.outcome == Outcome::kWrong) return {.reason = reasonOf(*row)};
    std::optional<double> value;
    if (row->result.outcome == Outcome::kOk) value = ofTrial(row->result, phase);
    if (value) {
      out.trials.push_back(*value);
    } else if (first.empty()) {
      first = reasonOf(*row);
    }
  }
  if (out.trials.empty()) return {.reason = first};
  out.value = orderSpan(out.trials).interval;
  if (!first.empty()) {
    out.caveat =
        cat(count(out.trials.size()), " of ", counted(rows.size(), "trial"), "; another: ", first);
  }
  return out;
}

Measured Cells::once(const Series& series, const std::string& task, const Workload& workload,
                     const std::string& phase) const {
  for (const Series& other : series_) {
    Cell cell{other.subject, other.backend, task, workload};
    if (other.subject == series.subject && trials_.contains(cell)) return at(cell, phase);
  }
  return {.reason = refusal({series.subject, series.backend, task, workload})};
}

std::vector<double> Cells::pooled(const Series& series, const std::string& task,
                                  const std::string& phase) const {
  std::vector<double> out;
  for (const Workload& workload : workloads_) {
    Cell cell{series.subject, series.backend, task, workload};
    if (!at(cell, phase).value) continue;
    for (const TrialRow* row : trials_.at(cell)) {
      if (row->result.outcome != Outcome::kOk) continue;
      for (const Sample& sample : row->result.samples) {
        if (sample.phase == phase) out.push_back(sample.value);
      }
    }
  }
  return out;
}

Probe Cells::probe(const Series& series) const {
  for (const auto& [cell, rows] : trials_) {
    if (cell.subject != series.subject || cell.task != "probe") continue;
    std::string reason = "not told";
    for (const TrialRow* row : rows) {
      if (row->result.outcome != Outcome::kOk) reason = reasonOf(*row);
      if (row->result.facts.is_object())
        return {.version = row->result.version, .facts = row->result.facts};
    }
    return {.reason = reason};
  }
  return {.reason = refusal({series.subject, series.backend, "probe", {}})};
}

std::string Cells::absence(const Series& series, const std::string& task,
                           const std::string& phase) const {
  std::string tried, untried;
  for (const Workload& workload : workloads_) {
    Cell cell{series.subject, series.backend, task, workload};
    const Measured& m = at(cell, phase);
    if (m.value) return "";
    std::string& out = trials_.contains(cell) ? tried : untried;
    if (out.empty()) out = m.reason;
  }
  if (!tried.empty()) return tried;
  return untried.empty() ? refusal({series.subject, series.backend, task, {}}) : untried;
}

std::optional<double> Cells::median(const Series& series, const std::string& task,
                                    const Workload& workload, const std::string& phase) const {
  const Measured& found = at({series.subject, series.backend, task, workload}, phase);
  if (!found.value) return {};
  return found.value->centre;
}

}  // namespace fjord::study
