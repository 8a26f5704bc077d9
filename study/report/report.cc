#include "report/report.h"

#include "base/text.h"
#include "report/analysis.h"
#include "report/charts.h"
#include "report/document.h"
#include "report/facts.h"
#include "report/findings.h"
#include "report/format.h"
#include "report/gap.h"
#include "report/paper.h"
#include "report/tables.h"

namespace fjord::study {

namespace {

Section runSection(const Cells& cells, const std::vector<Finding>& found) {
  Section section{.id = "run", .title = "The run"};
  const std::string& gpu = cells.input().run.machine.gpu;
  if (softwareAdapter(gpu)) {
    section.blocks.emplace_back(Paragraph{"THE GRAPHICS ADAPTER IS A PROGRAM (" + gpu +
                                              "): THE TIMES OF ALL GPU BACKENDS ARE THOSE OF A "
                                              "PROCESSOR THAT IMITATES A GPU AND MEAN NOTHING.",
                                          Paragraph::kLoud});
  }
  section.blocks.emplace_back(runTable(cells));
  section.blocks.emplace_back(Paragraph{
      "How to read it: a trial is one fresh page in a fresh profile, and counts as one number, the "
      "median of its samples. Tables and charts have the median of a cell's trials and, beneath it "
      "or as a line, an interval: from six trials on the one between two of them that holds the "
      "true median in 95 % of cases or more, from fewer the range of all, which says of how many "
      "it is and promises less: 75 % for 3. One trial has none. Bold is what may be the quickest, "
      "as far as these intervals tell. Only cells whose answers were right are timed; all others "
      "have their reason. What the paper reports stands beside ours. A size such as 2x128 is two "
      "hidden layers of 128 units between 784 inputs and 10 outputs."});
  Table glance{.caption = "The paper's findings today", .head = {"Finding", "Verdict"}};
  for (const Finding& finding : found)
    glance.rows.push_back(
        {word(cat(finding.number, ". ", finding.name)), word(verdictText(finding))});
  section.blocks.emplace_back(std::move(glance));
  section.blocks.emplace_back(enginesTable(cells));
  return section;
}

Section trainingSection(const Cells& cells) {
  return {
      "training",
      "Training",
      {timesFigure(cells, "train", "steady", "Figure 1: time for a batch of 64, ms"),
       timesTable(cells, "train", "steady",
                  "Time for a batch of 64, ms; what may be the browser's quickest in bold"),
       timesFigure(cells, "train", "first", "The first batch, with all that is compiled late, ms"),
       timesTable(cells, "train", "first", "Time for the first batch, ms")}};
}

Section inferenceSection(const Cells& cells, const Packages& packages) {
  Section section{.id = "inference", .title = "Loading and inference"};
  section.blocks.emplace_back(libraryTable(cells, packages));
  struct Part {
    const char* phase;
    const char* figure;
    const char* table;
  };
  constexpr Part kParts[] = {
      {"load", "Figure 2: loading a network, ms", "Time for loading a network, ms"},
      {"first", "Figure 3: warming up, the first inference, ms",
       "Time for the first inference, ms"},
      {"steady", "Figure 4: inference of one digit, ms", "Time for an inference of one digit, ms"}};
  for (const Part& part : kParts) {
    section.blocks.emplace_back(timesFigure(cells, "infer", part.phase, part.figure));
    section.blocks.emplace_back(timesTable(cells, "infer", part.phase, part.table));
  }
  return section;
}

Section gapSection(const Cells& cells) {
  Section section{.id = "gap", .title = "The gap to native programs"};
  section.blocks.emplace_back(Paragraph{
      cat("How many times as long the browser takes: geometric means over the sizes that both have "
          "times for, ratios paired by round; beneath them the interval over rounds, how many "
          "sizes, and "
          "the smallest and the largest of their ratios. The paper compares TensorFlow.js and "
          "TensorFlow on the processor: × ",
          number(paper::kTrainingGap), " in training, × ", number(paper::kInferenceGap),
          " in inference, on average over its dense networks (section 5.2.3).")});
  struct Part {
    const char* task;
    const char* name;
  };
  for (const Part& part : {Part{"train", "Training"}, Part{"infer", "Inference"}}) {
    section.blocks.emplace_back(
        gapFigure(cells, part.task, cat(part.name, ": times as long as native, each size")));
    section.blocks.emplace_back(
        gapTable(cells, part.task, cat(part.name, ": times as long as native, geometric means")));
    section.blocks.emplace_back(
        gapCellsTable(cells, part.task,
                      cat(part.name, ": times as long as native, each size with its interval")));
  }
  return section;
}

/// What the paper's section 5 has of another family than the dense networks: times in the browser and
/// natively, and what lies between them.
Section familySection(const ReportInput& input, const std::string& name) {
  Cells cells(input, name);
  const Family& family = cells.family();
  Section section{.id = "workload-" + name, .title = family.title.empty() ? name : family.title};
  auto add = [&](Block block) { section.blocks.push_back(std::move(block)); };
  add(Paragraph{cat("Sizes are ", family.depthIs, " × ", family.widthIs, ". ", family.note)});
  struct Part {
    const char *task, *name;
    std::string step;
  };
  const char* one = family.data == "text" ? "one sequence" : "one digit";
  for (const Part& part : {Part{"train", "Training", cat("a batch of ", family.batch)},
                           Part{"infer", "Inference", cat("an inference of ", one)}}) {
    add(timesFigure(cells, part.task, "steady", cat(part.name, ": time for ", part.step, ", ms")));
    add(timesTable(cells, part.task, "steady", cat(part.name, ": time for ", part.step, ", ms")));
    add(gapTable(cells, part.task,
                 cat("Table 5: ", part.task, ", times as long as native, geometric means")));
    add(gapCellsTable(cells, part.task, cat("Table 5: ", part.task, ", each size")));
  }
  add(timesTable(cells, "infer", "load", "Time for loading a network, ms"));
  add(timesTable(cells, "infer", "first", "Time for the first inference, ms"));
  add(filesTable(cells));
  return section;
}

Document documentOf(const ReportInput& input) {
  Cells cells(input);
  Packages packages = allPackages(input.modules, input.catalogue);
  std::vector<Finding> found = findings(cells);
  Section results{.id = "findings", .title = "The paper's findings today"};
  if (softwareAdapter(input.run.machine.gpu))
    results.blocks.emplace_back(Paragraph{
        "Times of GPU backends do not count in these verdicts: a processor imitated the GPU."});
  for (const Finding& finding : found) results.blocks.emplace_back(finding);
  Document document{.title = "How far can deep learning in this browser go?"};
  document.subtitle = cat("The study of Ma, Xiang, Zheng, Tian and Liu (WWW 2019), run again on ",
                          input.run.started.substr(0, 10), ", with ",
                          input.run.browser.empty() ? "a browser" : input.run.browser);
  document.sections.push_back(runSection(cells, found));
  document.sections.push_back(
      {"features", "What frameworks offer", {featuresTable(cells, packages), listsTable(cells)}});
  document.sections.push_back(trainingSection(cells));
  document.sections.push_back({"resources",
                               "What training takes",
                               {cpuTable(cells), resourcesTable(cells), stackTable(cells)}});
  document.sections.push_back({"files", "Model files", {filesTable(cells)}});
  document.sections.push_back(inferenceSection(cells, packages));
  document.sections.push_back(gapSection(cells));
  for (const std::string& family : familiesOf(input)) {
    if (family != "dense") document.sections.push_back(familySection(input, family));
  }
  document.sections.push_back(analysisSection(cells));
  document.sections.push_back(std::move(results));
  document.sections.push_back({"cells", "All cells", {rawTable(cells)}});
  return document;
}

}  // namespace

Result<std::string> htmlReport(const ReportInput& input) {
  Libraries libraries;
  struct Part {
    const char* name;
    std::string Libraries::* text;
  };
  for (const Part& part : {Part{"vega", &Libraries::vega}, Part{"vega-lite", &Libraries::vegaLite},
                           Part{"vega-embed", &Libraries::vegaEmbed}}) {
    std::string path = cat(input.modules, "/", part.name, "/build/", part.name, ".min.js");
    std::optional<std::string> text = fileBytes(path);
    if (!text) return fail(path, " is missing, which draws the charts: run ./dev setup");
    libraries.*part.text = std::move(*text);
  }
  return toHtml(documentOf(input), libraries);
}

std::string markdownReport(const ReportInput& input) { return toMarkdown(documentOf(input)); }

}  // namespace fjord::study
