#include "report/report.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "report/document.h"
#include "report/sample_run.h"

namespace fjord::study {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

size_t times(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++count;
  return count;
}

std::string html(const ReportInput& input) {
  Result<std::string> text = htmlReport(input);
  return text ? *text : "error: " + text.error().message;
}

/// Left where FJORD_REPORT names a folder, for report.test.mjs and for people who want to look at a
/// report.
TEST(Report, OfAWholeRun) {
  ReportInput input = wholeRun();
  std::string page = html(input), markdown = markdownReport(input), table = terminalTable(input);
  for (const std::string& text : {page, markdown}) {
    EXPECT_TRUE(has(text, "THE GRAPHICS ADAPTER IS A PROGRAM (Google SwiftShader"));
    EXPECT_TRUE(has(text, "holds in part"));
    for (const Subject& subject : input.catalogue.subjects) EXPECT_TRUE(has(text, subject.title));
  }
  if (const char* folder = std::getenv("FJORD_REPORT")) {
    std::ofstream(std::string(folder) + "/report.html", std::ios::binary) << page;
    std::ofstream(std::string(folder) + "/report.md", std::ios::binary) << markdown;
    std::ofstream(std::string(folder) + "/report.txt", std::ios::binary) << table;
  }
}

/// As a quick run has it: one depth, so dots of one size; left beside the other one.
TEST(Report, OfOneDepth) {
  ReportInput input = wholeRun();
  std::erase_if(input.trials, [](const TrialRow& row) {
    return row.trial.cell.workload.depth && row.trial.cell.workload != Workload{1, 64};
  });
  std::string page = html(input);
  EXPECT_TRUE(has(page, "Networks of 1 hidden layer"));
  if (const char* folder = std::getenv("FJORD_REPORT"))
    std::ofstream(std::string(folder) + "/one-depth.html", std::ios::binary) << page;
}

/// A catalogue and nothing else; not even that.
TEST(Report, OfNothing) {
  ReportInput input = wholeRun();
  input.trials.clear();
  std::string page = html(input);
  EXPECT_TRUE(has(page, "not in this run"));
  EXPECT_TRUE(has(page, "Nothing was measured: the table tells why."));
  EXPECT_EQ(times(page, "class=\"verdict v3\""), 8u);
  EXPECT_EQ(terminalTable(input).find("framework"), 0u);
  EXPECT_TRUE(has(terminalTable(input), "no trial in this run"));
  ReportInput nothing;
  nothing.modules = input.modules;
  EXPECT_TRUE(has(html(nothing), "</html>"));
  EXPECT_TRUE(has(markdownReport(nothing), "# How far can"));
}

TEST(Report, OfOneSubjectAndSize) {
  SampleRun run;
  run.subject("a", "A", {{"cpu", "JavaScript"}});
  run.ok({"a", "cpu", "train", {1, 64}}, {{"steady", 12.5}});
  EXPECT_TRUE(has(html(run.input), "12.5"));
  EXPECT_TRUE(has(markdownReport(run.input), "| A | **12.5** |"));
  EXPECT_FALSE(has(html(run.input), "GRAPHICS ADAPTER IS A PROGRAM"));
  EXPECT_EQ(terminalTable(run.input),
            "framework  task   cells     1x64  quickest, and what went wrong\n"
            "A          train    1/1  12.5 ms\n");
}

/// The charts' libraries come from node_modules.
TEST(Report, SaysThatLibrariesAreMissing) {
  ReportInput input;
  input.modules = "nowhere";
  Result<std::string> text = htmlReport(input);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().message,
            "nowhere/vega/build/vega.min.js is missing, which draws the charts: run ./dev setup");
}

// ---- texts of pages

const std::string kEvil = "</script><script>alert(1)</script><!-- \" & | *x* `y` \n# z";

/// What a page reports stands in messages, versions, engines, facts and names.
ReportInput evilRun() {
  SampleRun run;
  run.subject("a", "A " + kEvil, {{"cpu", "JavaScript " + kEvil}}).note = kEvil;
  run.ok({"a", "cpu", "train", {1, 64}}, {{"steady", 1}});
  run.input.trials.back().result.version = kEvil;
  run.input.trials.back().result.engine = kEvil;
  run.facts("a", "cpu", {{"layers", {kEvil}}});
  run.ended({"a", "cpu", "train", {2, 64}}, Outcome::kError, kEvil);
  run.ended({kEvil, kEvil, "train", {2, 64}}, Outcome::kCrash, kEvil + "\xff\xfe");
  run.ok({kEvil, kEvil, "train", {1, 64}}, {{"steady", 1}});
  run.input.run.machine.gpu = run.input.run.browser = kEvil;
  run.input.run.options = {{"note", kEvil}};
  return run.input;
}

TEST(Report, EscapesWhatPagesSay) {
  std::string page = html(evilRun());
  EXPECT_FALSE(has(page, "<script>alert"));
  EXPECT_FALSE(has(page, "</script><script>alert"));
  EXPECT_TRUE(has(page, "&lt;script&gt;alert(1)&lt;/script&gt;"));
  // In the charts' data.
  EXPECT_TRUE(has(page, "\\u003cscript>alert(1)"));
  // The specifications, three libraries and our own program: no other script begins or ends.
  EXPECT_EQ(times(page, "</script>"), 5u);
  EXPECT_EQ(times(page, "<!--"), 0u);
}

TEST(Report, EscapesInMarkdown) {
  std::string markdown = markdownReport(evilRun());
  EXPECT_FALSE(has(markdown, "<script"));
  EXPECT_FALSE(has(markdown, "\n# z"));
  EXPECT_TRUE(has(markdown, "&lt;/script&gt;&lt;script&gt;alert(1)"));
  EXPECT_TRUE(has(markdown, "\\| \\*x\\* \\`y\\`"));
}

/// A library that holds what would end its element.
TEST(Report, EscapesLibraries) {
  std::string page = toHtml({.title = "t"}, {.vega = "a = '</script>'; b = '<!-- <script>'"});
  EXPECT_TRUE(has(page, "a = '\\x3c/script>'; b = '\\x3c!-- <script>'"));
  EXPECT_EQ(times(page, "</script>"), 5u);
}

/// One definition of a table gives both forms.
TEST(Report, TableInBothForms) {
  Table table{.caption = "Sizes & more", .head = {"Name", "MB"}};
  table.rows = {{{.text = "A", .note = table.note("a note"), .colour = 1},
                 {.text = "1.37", .kind = Entry::kNumber, .small = "× 6.7", .paper = "1.3"}},
                {{.text = "B"}, {.text = "unsupported: no", .kind = Entry::kReason}}};
  Document document{.title = "t", .sections = {{"s", "S", {table}}}};
  EXPECT_TRUE(has(toMarkdown(document),
                  "*Sizes &amp; more*\n\n| Name | MB |\n|---|---:|\n"
                  "| A <sup>1</sup> | 1.37 (× 6.7) *paper: 1.3* |\n| B | unsupported: no |\n"
                  "\n<sup>1</sup> a note\n"));
  std::string page = toHtml(document, {});
  EXPECT_TRUE(has(page,
                  "<tr><th scope=\"row\"><i style=\"color:var(--c1)\" "
                  "aria-hidden=\"true\">●</i>&nbsp;A<sup>1</sup></th>"
                  "<td class=\"n\">1.37<small>× 6.7</small><small class=\"paper\">paper: "
                  "1.3</small></td></tr>"));
  EXPECT_TRUE(has(page, "<td class=\"why\">unsupported: no</td>"));
  EXPECT_TRUE(has(page, "<figcaption>Sizes &amp; more</figcaption>"));
}

}  // namespace
}  // namespace fjord::study
