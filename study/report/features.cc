// The tables of what runs and what it offers: the run itself, versions, table 1, the size of
// libraries.
#include <algorithm>

#include "base/text.h"
#include "report/facts.h"
#include "report/format.h"
#include "report/paper.h"
#include "report/tables.h"

namespace fjord::study {

// ---- the run

namespace {

std::string memoryText(int64_t bytes) {
  return bytes > 0 ? number(static_cast<double>(bytes) / 1e9) + " GB" : "memory not told";
}

std::string outcomesText(const Cells& cells) {
  const std::vector<TrialRow>& trials = cells.input().trials;
  std::string out = count(trials.size());
  if (cells.unreached()) out += cat(" of ", count(trials.size() + cells.unreached()), " planned");
  bool any = false;
  for (size_t i = 0; i < std::size(kOutcomeNames); ++i) {
    auto times = std::ranges::count_if(
        trials, [&](const TrialRow& row) { return row.result.outcome == static_cast<Outcome>(i); });
    if (!times) continue;
    out += cat(any ? ", " : ": ", count(static_cast<size_t>(times)), " ", kOutcomeNames[i]);
    any = true;
  }
  return out;
}

/// One step of nothing, as the harness times it.
std::string overheadText(const Cells& cells) {
  std::vector<double> values;
  for (const auto& [cell, rows] : cells.trials()) {
    if (cell.task != "empty") continue;
    for (const TrialRow* row : rows) {
      auto value = ofTrial(row->result, "steady");
      if (value && row->result.outcome == Outcome::kOk) values.push_back(*value);
    }
  }
  if (values.empty()) return "not in this run";
  Interval value = orderSpan(values).interval;
  std::string range = value.low < value.high
                          ? cat(" (", duration(value.low), " to ", duration(value.high), ")")
                          : "";
  return cat(duration(value.centre), range, " a step, median of ", counted(values.size(), "trial"));
}

std::string sizesText(const Cells& cells) {
  std::string out;
  for (const Workload& workload : cells.workloads())
    out += (out.empty() ? "" : ", ") + workload.size();
  return out.empty() ? "none" : out;
}

std::string jsonText(const Json& value) {
  const auto* text = value.get_ptr<const std::string*>();
  return text ? *text : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// "sizes 1x64 2x128; subjects all; rounds 3"
std::string optionsText(const Json& options) {
  std::string out;
  for (const auto& [name, value] : options.items()) {
    out += (out.empty() ? "" : "; ") + name;
    if (value.is_array() && value.empty()) out += " all";
    for (const Json& element : value.is_array() ? value : Json::array({value}))
      out += " " + jsonText(element);
  }
  return out.empty() ? "none" : out;
}

/// "1 begun, of 3 planned", or "3" where all have begun, or where nothing is known of a plan.
std::string roundsText(const Cells& cells) {
  int begun = 0, planned = intOr(cells.input().run.options, "rounds", 0);
  for (const TrialRow& row : cells.input().trials) begun = std::max(begun, row.trial.round + 1);
  return begun < planned ? cat(begun, " begun, of ", planned, " planned") : cat(begun);
}

}  // namespace

Table runTable(const Cells& cells) {
  const Run& run = cells.input().run;
  const Machine& machine = run.machine;
  auto text = [](const std::string& value) { return word(value.empty() ? "not told" : value); };
  Table table;
  table.rows = {
      {word("Started"), text(run.started)},
      {word("Ended"), word(run.ended.empty() ? "not yet, or interrupted" : run.ended)},
      {word("Machine"), text(machine.name)},
      {word("Processor"), word(cat(machine.cpu.empty() ? "not told" : machine.cpu, ", ",
                                   counted(static_cast<size_t>(std::max(machine.cores, 0)), "core"),
                                   ", ", memoryText(machine.memory)))},
      {word("System"), text(machine.system)},
      {word("Browser"), text(run.browser)},
      {word("Graphics adapter"), text(machine.gpu)},
      {word("Sizes"), word(sizesText(cells))},
      {word("Rounds"), word(roundsText(cells))},
      {word("Seed"), word(cat(run.seed))},
      {word("Trials"), word(outcomesText(cells))},
      {word("The harness's overhead"), word(overheadText(cells))},
  };
  if (run.options.is_object())
    table.rows.push_back({word("Options"), word(optionsText(run.options))});
  return table;
}

Table enginesTable(const Cells& cells) {
  Table table{.caption = "What ran: versions, and what each engine says of itself",
              .head = {"Framework", "Version", "Engine"},
              .folded = true};
  for (const Series& series : cells.series()) {
    std::string version, engine;
    for (const auto& [cell, rows] : cells.trials()) {
      if (cell.subject != series.subject || cell.backend != series.backend) continue;
      for (const TrialRow* row : rows) {
        if (version.empty()) version = row->result.version;
        if (engine.empty()) engine = row->result.engine;
      }
    }
    auto told = [](const std::string& text) {
      return text.empty() ? Entry{.text = "not told", .kind = Entry::kReason} : word(text);
    };
    table.rows.push_back({nameOf(series, table), told(version), told(engine)});
  }
  return table;
}

// ---- table 1

namespace {

std::string paperWord(const char* text) {
  std::string value = text;
  return value == "Y" ? "yes" : value == "N" ? "no" : value == "NA" ? "" : value;
}

/// A fact: true or false, a list that is counted, or a number.
Entry factEntry(const Probe& probe, const char* key, Table& table) {
  if (!probe.reason.empty()) return table.reason(probe.reason);
  const Json& fact = member(probe.facts, key);
  if (fact.is_boolean()) return word(boolOr(probe.facts, key, false) ? "yes" : "no");
  if (fact.is_array()) return {.text = count(fact.size()), .kind = Entry::kNumber};
  if (fact.is_number()) return {.text = jsonText(fact), .kind = Entry::kNumber};
  return {.text = "not told", .kind = Entry::kReason};
}

std::string kilobytes(int64_t bytes) { return count(static_cast<size_t>((bytes + 500) / 1000)); }

/// The library's size over all backends: "1,470 to 1,906".
Entry sizeEntry(const PackageFacts& facts, int64_t LibrarySize::* size, Table& table) {
  if (facts.files.empty()) return table.reason(facts.missing);
  int64_t least = INT64_MAX, most = 0;
  for (const auto& [backend, files] : facts.files) {
    if (!files.missing.empty()) return table.reason(files.missing);
    least = std::min(least, files.*size);
    most = std::max(most, files.*size);
  }
  std::string text = kilobytes(least);
  if (kilobytes(most) != text) text += " to " + kilobytes(most);
  return {.text = text, .kind = Entry::kNumber};
}

Entry withPaper(Entry entry, const char* paper) {
  entry.paper = paperWord(paper);
  return entry;
}

/// The row of a subject that the catalogue has.
void addFeatures(Table& table, const Cells& cells, const Packages& packages, const Series& series,
                 const Subject& subject) {
  const PackageFacts& facts = packages.at(subject.name);
  Probe probe = cells.probe(series);
  constexpr paper::Features kNone{"",   "NA", "NA", "NA", "NA", "NA",
                                  "NA", "NA", "NA", "NA", "NA", "NA"};
  const paper::Features* found = paper::features(series.subject);
  const paper::Features& paper = found ? *found : kNone;
  auto fact = [&](const char* key, const char* theirs) {
    return withPaper(factEntry(probe, key, table), theirs);
  };
  auto ofPackage = [&](const std::string& text) {
    return text.empty() ? table.reason(facts.missing.empty() ? "not told" : facts.missing)
                        : word(text);
  };
  bool gpu = std::ranges::any_of(subject.backends, &Backend::gpu);
  Entry node =
      facts.missing.empty() ? word(facts.node ? "yes" : "no") : table.reason(facts.missing);
  table.rows.push_back(
      {nameOf(series, table), ofPackage(facts.version.empty() ? probe.version : facts.version),
       ofPackage(facts.license), fact("training", paper.training), fact("cnn", paper.cnn),
       fact("rnn", paper.rnn), fact("layers", paper.layers), fact("activations", paper.activations),
       fact("optimizers", paper.optimizers), withPaper(word(gpu ? "yes" : "no"), paper.gpu),
       fact("save", paper.save), fact("load", paper.load), withPaper(node, paper.node),
       withPaper(sizeEntry(facts, &LibrarySize::raw, table), paper.kilobytes),
       sizeEntry(facts, &LibrarySize::gzip, table)});
}

}  // namespace

Table featuresTable(const Cells& cells, const Packages& packages) {
  Table table{
      .caption = "Table 1: what the frameworks offer, as their packages and objects tell",
      .head = {"Framework", "Version", "License", "Training", "CNN", "RNN", "Layers", "Activations",
               "Optimizers", "GPU", "Save", "Load", "Node", "Library, KB", "gzip, KB"}};
  for (const Series& series : cells.subjects()) {
    if (const Subject* subject = cells.input().catalogue.subject(series.subject)) {
      addFeatures(table, cells, packages, series, *subject);
    } else {
      std::vector<Measured> row(table.head.size() - 1, {.reason = "not in the catalogue"});
      addRow(table, series, row);
    }
  }
  return table;
}

Table listsTable(const Cells& cells) {
  Table table{.caption = "The lists behind the counts of table 1",
              .head = {"Framework", "Layers", "Activations", "Optimizers"},
              .folded = true};
  for (const Series& series : cells.subjects()) {
    Probe probe = cells.probe(series);
    std::vector<Entry> row = {nameOf(series, table)};
    for (const char* key : {"layers", "activations", "optimizers"}) {
      std::string names;
      const Json& list = member(probe.facts, key);
      for (const Json& name : list.is_array() ? list : Json::array()) {
        names += (names.empty() ? "" : " ") + jsonText(name);
      }
      row.push_back(names.empty() ? Entry{.text = probe.reason.empty() ? "none" : probe.reason,
                                          .kind = Entry::kReason}
                                  : word(names));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

// ---- libraries

namespace {

/// A phase in all right trials of a series, whatever its task and size: a library opens in the same
/// way for all.
Measured opening(const Cells& cells, const Series& series, const std::string& phase) {
  Measured out;
  for (const auto& [cell, rows] : cells.trials()) {
    if (cell.subject != series.subject || cell.backend != series.backend) continue;
    for (const TrialRow* row : rows) {
      auto value = ofTrial(row->result, phase);
      if (value && row->result.outcome == Outcome::kOk) out.trials.push_back(*value);
      if (out.reason.empty()) out.reason = reasonOf(*row);
    }
  }
  if (out.trials.empty()) {
    if (out.reason.empty()) out.reason = "not in this run";
    return out;
  }
  out.value = orderSpan(out.trials).interval;
  return out;
}

}  // namespace

Table libraryTable(const Cells& cells, const Packages& packages) {
  Table table{.caption =
                  "Opening the library: bytes of the files that subject.json names, and ms, "
                  "over all trials",
              .head = {"Framework", "KB", "gzip, KB", "Download", "Parse", "Start"}};
  for (const Series& series : cells.series()) {
    std::vector<Measured> phases;
    for (const char* phase : {"download", "parse", "start"})
      phases.push_back(opening(cells, series, phase));
    addRow(table, series, phases);
    std::vector<Entry>& row = table.rows.back();
    LibrarySize size{.missing = series.native ? "a native program" : "not told"};
    if (auto found = packages.find(series.subject); found != packages.end()) {
      auto files = found->second.files.find(series.backend);
      if (files != found->second.files.end()) size = files->second;
    }
    for (int64_t bytes : {size.gzip, size.raw}) {
      Entry entry{.text = kilobytes(bytes), .kind = Entry::kNumber};
      row.insert(row.begin() + 1, size.missing.empty() ? entry : table.reason(size.missing));
    }
  }
  return table;
}

}  // namespace fjord::study
