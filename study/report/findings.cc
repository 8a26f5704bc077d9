#include "report/findings.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/text.h"
#include "report/format.h"
#include "report/gap.h"
#include "report/paper.h"

namespace fjord::study {

namespace {

/// n of m, and whether that is most of them.
struct Tally {
  size_t yes = 0, all = 0;
  void add(bool holds) {
    yes += holds;
    ++all;
  }
  bool most() const { return 2 * yes > all; }
  std::string text() const { return cat(count(yes), " of ", count(all)); }
};

/// A finding of two parts.
Verdict both(bool a, bool b) {
  return a && b ? Verdict::kHolds : a || b ? Verdict::kPartly : Verdict::kNoLonger;
}

std::string times(double ratio) { return "× " + number(ratio); }

/// The quickest backend of a browser's subject for a task at a size.
std::optional<double> quickest(const Cells& cells, const std::string& subject,
                               const std::string& task, const Workload& workload,
                               const std::string& phase) {
  std::optional<double> out;
  for (const Series& series : timedSeries(cells)) {
    if (series.subject != subject) continue;
    auto value = cells.median(series, task, workload, phase);
    if (value && !(out <= value && out)) out = value;
  }
  return out;
}

std::vector<Series> browserSubjects(const Cells& cells) {
  std::vector<Series> out;
  std::ranges::copy_if(cells.subjects(), std::back_inserter(out),
                       [](const Series& s) { return !s.native; });
  return out;
}

}  // namespace

// ---- 1: tasks and frameworks

namespace {

/// How far apart subjects are at one size, each on its quickest backend: slowest over fastest;
/// nothing for fewer than two.
std::optional<double> spreadAt(const Cells& cells, const std::string& task,
                               const Workload& workload) {
  std::vector<double> found;
  for (const Series& subject : browserSubjects(cells)) {
    if (auto time = quickest(cells, subject.subject, task, workload, "steady"))
      found.push_back(*time);
  }
  if (found.size() < 2) return {};
  auto [fast, slow] = std::ranges::minmax(found);
  if (fast <= 0) return {};
  return slow / fast;
}

}  // namespace

Finding taskSupport(const Cells& cells) {
  Finding finding{
      .number = 1,
      .name = "Support for tasks",
      .paper =
          "Most frameworks do only some of the tasks; those that do the same take times of one "
          "order of magnitude.",
      .criterion =
          "Fewer than half of the browser's frameworks have training, convolutional and "
          "recurrent networks; and in more than half of the sizes, trained and inferred, the "
          "slowest takes less than 10 times the fastest (each on its quickest backend)."};
  Tally general, close;
  std::string names;
  for (const Series& subject : browserSubjects(cells)) {
    Probe probe = cells.probe(subject);
    if (!probe.reason.empty()) continue;
    bool all = boolOr(probe.facts, "training", false) && boolOr(probe.facts, "cnn", false) &&
               boolOr(probe.facts, "rnn", false);
    general.add(all);
    if (all) names += (names.empty() ? ": " : ", ") + subject.label;
  }
  double widest = 0;
  std::string where;
  for (const char* task : {"train", "infer"}) {
    for (const Workload& workload : cells.workloads()) {
      auto spread = spreadAt(cells, task, workload);
      if (!spread) continue;
      close.add(*spread < 10);
      if (*spread > widest) where = cat(" (", task, ", ", workload.size(), ")");
      widest = std::max(widest, *spread);
    }
  }
  finding.evidence = {cat(general.text(), " frameworks have all three", names),
                      cat("within 10 times of each other in ", close.text(), " sizes",
                          close.all ? cat("; the widest gap is ", times(widest), where) : "")};
  if (general.all < 2) return unknown(finding, "fewer than two frameworks told what they can do");
  if (!close.all) return unknown(finding, "no size has times of two frameworks");
  finding.verdict = both(2 * general.yes < general.all, close.most());
  return finding;
}

// ---- 6: files

namespace {

/// Text takes more than two times the bytes of the weights; binary files little more than one.
constexpr double kText = 2;

/// The geometric means over subjects at one size, of those that keep text and of those that keep
/// binary files.
struct ByEncoding {
  std::vector<double> text, binary;
  bool whole() const { return !text.empty() && !binary.empty(); }
  double ratio() const { return geometricMean(text) / geometricMean(binary); }
};

}  // namespace

Finding fileEncoding(const Cells& cells) {
  Finding finding{.number = 6,
                  .name = "Encoding of model files",
                  .paper =
                      "Networks in JSON take 7 times the bytes of binary files, and much longer to "
                      "load.",
                  .criterion =
                      "Files of more than 2 times the weights' 4 bytes count as text. Text is at "
                      "least 5 times as large as binary files (geometric means over frameworks "
                      "and sizes); and loads slower in more than half of the sizes (each "
                      "framework on its quickest backend)."};
  std::vector<double> ratios, bytes, loads;
  Tally slower;
  for (const Workload& workload : cells.workloads()) {
    ByEncoding files, times;
    for (const Series& series : browserSubjects(cells)) {
      const Subject* subject = cells.input().catalogue.subject(series.subject);
      Measured file = cells.once(series, "save", workload, "file");
      if (!file.value || file.value->centre <= 0) continue;
      double ratio = file.value->centre / float32Bytes(cells.input().catalogue.families, workload,
                                                       !subject || subject->style.bias);
      (ratio > kText ? files.text : files.binary).push_back(ratio);
      auto load = quickest(cells, series.subject, "infer", workload, "load");
      if (!load || *load <= 0) continue;
      (ratio > kText ? times.text : times.binary).push_back(*load);
      bytes.push_back(file.value->centre);
      loads.push_back(*load);
    }
    if (files.whole()) ratios.push_back(files.ratio());
    if (times.whole()) slower.add(times.ratio() > 1);
  }
  if (ratios.empty()) return unknown(finding, "it needs files of both encodings at one size");
  double larger = geometricMean(ratios);
  finding.evidence = {cat("text is ", times(larger), " as large as binary files (the paper: × ",
                          number(paper::kTextOverBinary), ")"),
                      cat("text loads slower in ", slower.text(), " sizes")};
  if (bytes.size() > 2) {
    double correlation = rankCorrelation(bytes, loads);
    if (std::isfinite(correlation))
      finding.evidence.push_back(cat("rank correlation of bytes and time of loading: ",
                                     number(correlation), " over ", counted(bytes.size(), "cell")));
  }
  if (!slower.all) return unknown(finding, "no size has times of loading for both encodings");
  finding.verdict = both(larger >= 5, slower.most());
  return finding;
}

// ---- 7: call stack

namespace {

std::optional<double> stackOf(const Cells& cells, const Series& series) {
  return cells.median(series, "stack", {}, "depth");
}

/// The first series of a subject whose call stack was seen.
std::optional<Series> withStack(const Cells& cells, const std::string& subject) {
  for (const Series& series : browserSeries(cells)) {
    if (series.subject == subject && stackOf(cells, series)) return series;
  }
  return {};
}

}  // namespace

Finding callStack(const Cells& cells) {
  Finding finding{
      .number = 7,
      .name = "Call stack",
      .paper = cat("TensorFlow.js calls ", paper::kDepthTensorFlowJs, " functions deep, ConvNetJS ",
                   paper::kDepthConvNetJs, ", which may be why it is slower."),
      .criterion =
          "TensorFlow.js's deepest call stack in a step is at least 2 times "
          "ConvNetJS's; and it trains slower in more than half of the sizes, on the "
          "same backend."};
  std::string depths;
  for (const Series& series : browserSeries(cells)) {
    auto calls = stackOf(cells, series);
    if (!calls) continue;
    depths += cat(depths.empty() ? "calls deep: " : ", ", series.label, " ",
                  count(static_cast<size_t>(*calls)));
  }
  if (!depths.empty()) finding.evidence.push_back(depths);
  auto deep = withStack(cells, paper::kTensorFlowJs), flat = withStack(cells, paper::kConvNetJs);
  if (!deep || !flat)
    return unknown(finding, "it needs the call stacks of TensorFlow.js and of ConvNetJS");
  Tally slower;
  for (const Workload& workload : cells.workloads()) {
    auto a = cells.median(*deep, "train", workload, "steady");
    auto b = cells.median(*flat, "train", workload, "steady");
    if (a && b) slower.add(*a > *b);
  }
  finding.evidence.push_back(
      cat(deep->label, " trains slower than ", flat->label, " in ", slower.text(), " sizes"));
  if (!slower.all) return unknown(finding, "no size has times of both in training");
  bool deeper = *stackOf(cells, *deep) >= 2 * *stackOf(cells, *flat);
  finding.verdict = !deeper         ? Verdict::kNoLonger
                    : slower.most() ? Verdict::kHolds
                                    : Verdict::kPartly;
  return finding;
}

// ---- 8: resources

Finding resourceUtilization(const Cells& cells) {
  Finding finding{
      .number = 8,
      .name = "Use of the machine",
      .paper =
          "Training on the processor takes one core and leaves the others idle, as JavaScript has "
          "one thread; the memory of a GPU is limited to 1 GB.",
      .criterion = cat("No backend of a browser that computes on the processor takes more than ",
                       number(paper::kCoreLimit), " % of a core on average while it trains.")};
  Tally above;
  double most = 0;
  std::string names;
  for (const Series& series : browserSeries(cells)) {
    std::vector<double> values = cells.pooled(series, "train", "cpu");
    if (series.gpu || values.empty()) continue;
    double mean =
        std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    above.add(mean > paper::kCoreLimit);
    if (mean > paper::kCoreLimit)
      names += cat(names.empty() ? ": " : ", ", series.label, " ", number(mean), " %");
    most = std::max(most, mean);
  }
  finding.evidence = {cat(above.text(), " take more", names)};
  if (above.all) finding.evidence.push_back(cat("the most is ", number(most), " % on average"));
  finding.evidence.emplace_back("the limit of a GPU's memory is not measured");
  if (!above.all) return unknown(finding, "processor time in training was not measured");
  if (cells.input().run.machine.cores == 1) return unknown(finding, "the machine has one core");
  finding.verdict = above.yes ? Verdict::kNoLonger : Verdict::kHolds;
  return finding;
}

// ---- all

std::vector<Finding> findings(const Cells& cells) {
  return {taskSupport(cells),      modelComplexity(cells),     modelLoading(cells),
          gpuAgainstNative(cells), gpuAgainstProcessor(cells), fileEncoding(cells),
          callStack(cells),        resourceUtilization(cells)};
}

std::string verdictText(const Finding& finding) {
  std::string name = kVerdictNames[static_cast<int>(finding.verdict)];
  return finding.why.empty() ? name : name + ": " + finding.why;
}

Finding unknown(Finding finding, const std::string& why) {
  finding.verdict = Verdict::kUnknown;
  finding.why = why;
  return finding;
}

Finding undecided(Finding finding, const Span& span, double threshold) {
  finding.verdict = Verdict::kNotDecided;
  finding.why = span.rounds == 1
                    ? "one round has no interval"
                    : cat("the ", promiseOf(span), " has × ", number(threshold), " in it");
  return finding;
}

std::string estimateText(const Span& span) {
  std::string ends = between(span.interval);
  return cat("× ", number(span.interval.centre), ends.empty() ? "" : " (" + ends + ")", ", ",
             promiseOf(span));
}

}  // namespace fjord::study
