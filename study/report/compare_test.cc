#include <gtest/gtest.h>

#include "report/report.h"
#include "report/sample_run.h"

namespace fjord::study {
namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A run with one time for each of so many sizes.
ReportInput timed(const std::vector<double>& times) {
  SampleRun run;
  run.subject("a", "A", {{"cpu", "JavaScript"}});
  for (size_t i = 0; i < times.size(); ++i)
    run.ok({"a", "cpu", "train", {static_cast<int>(i) + 1, 64}}, {{"steady", times[i]}});
  return run.input;
}

std::string compared(const ReportInput& a, const ReportInput& b) {
  Result<std::string> text = compareRuns(a, b);
  return text ? *text : "error: " + text.error().message;
}

TEST(CompareRuns, SameOrderAgrees) {
  std::string text = compared(timed({1, 2, 3, 4}), timed({10, 21, 32, 45}));
  EXPECT_TRUE(has(text, "The two runs agree: rank correlation 1 over 4 cells, at least 0.95."))
      << text;
  EXPECT_TRUE(has(text, "| train | steady | 4 | 1 | yes |")) << text;
  EXPECT_TRUE(has(text, "| infer | steady | 0 | cannot be told | cannot be told |")) << text;
  EXPECT_FALSE(has(text, "They differ"));
  EXPECT_FALSE(has(text, "alone does not"));
}

/// Spearman by hand: one swap of neighbours among 4, 1 - 6 * 2 / (4 * 15) = 0.8.
TEST(CompareRuns, AnotherOrderDoesNot) {
  std::string text = compared(timed({1, 2, 3, 4}), timed({10, 20, 40, 30}));
  EXPECT_TRUE(has(text, "do not agree: rank correlation 0.8 over 4 cells, less than 0.95."))
      << text;
  EXPECT_TRUE(has(text, "The task train alone does not: 0.8 over 4 cells.")) << text;
  EXPECT_TRUE(has(text, "| train | steady | 4 | 0.8 | no |")) << text;
}

/// Factors 10, 10, 13.3, 7.5: the third first, then the first two in their order.
TEST(CompareRuns, CellsThatDifferMostComeFirst) {
  std::string text = compared(timed({1, 2, 3, 4}), timed({10, 20, 40, 30}));
  size_t third = text.find("| A | train | steady | 3x64 | 3.00 | 40.0 | 13.3 |");
  size_t first = text.find("| A | train | steady | 1x64 | 1.00 | 10.0 | 10.0 |");
  size_t last = text.find("| A | train | steady | 4x64 | 4.00 | 30.0 | 7.50 |");
  ASSERT_NE(last, std::string::npos) << text;
  EXPECT_TRUE(third < first && first < last);
}

TEST(CompareRuns, SaysWhatDiffers) {
  ReportInput a = timed({1, 2, 3}), b = timed({1, 2, 3});
  b.run.machine.gpu = "Another GPU";
  b.run.browser = "Firefox 153";
  std::string text = compared(a, b);
  EXPECT_TRUE(has(text, "They differ in the graphics adapter: A GPU and Another GPU.")) << text;
  EXPECT_TRUE(has(text, "They differ in the browser: Chromium 156.0 and Firefox 153.")) << text;
}

TEST(CompareRuns, NeedsTwoCells) {
  EXPECT_TRUE(
      has(compared(timed({1}), timed({1, 2})), "have times for 1 cell in common; 2 are needed"));
  EXPECT_TRUE(
      has(compared(timed({5, 5}), timed({1, 2})), "cannot be told: all medians of one are equal"));
}

}  // namespace
}  // namespace fjord::study
