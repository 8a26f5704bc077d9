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

TEST(CompareRuns, SmallDifferencesAgree) {
  // 2, 1, 4 and 2.5 % apart, both ways: the median of these is 2.25 %, the 95th percentile between
  // 2.5 and 4 at 0.85: 3.775 %. The logarithms have the mean 0.0111 and the deviation 0.0268: 95 % of
  // ratios from exp(0.0111 - 1.96 * 0.0268) on.
  std::string text = compared(timed({1, 200, 3, 4}), timed({1.02, 202, 3.12, 4 / 1.025}));
  EXPECT_TRUE(
      has(text,
          "The two runs agree: half of the cells differ by at most 2.25 %, 95 % of them by at "
          "most 3.78 %, over 4 cells. They agree where these are below 5.00 % and 20.0 %."))
      << text;
  EXPECT_TRUE(has(text, "Differences below 3.78 % between two programs mean nothing")) << text;
  EXPECT_TRUE(
      has(text, "| train | steady | 4 | 2.25 % | 3.78 % | 0 % | × 1.01 (0.959–1.07) | yes |"))
      << text;
  EXPECT_TRUE(has(text, "| infer | steady | 0 | – | – | – | – | cannot be told |")) << text;
  EXPECT_FALSE(has(text, "They differ"));
  EXPECT_FALSE(has(text, "alone does not"));
}

/// Everything takes twice as long, in the same order.
TEST(CompareRuns, TwiceAsLongDoesNot) {
  std::string text = compared(timed({1, 20, 300, 4000}), timed({2, 40, 600, 8000}));
  EXPECT_TRUE(has(text,
                  "The two runs do not agree: half of the cells differ by at most 100 %, 95 % of "
                  "them by at most 100 %, over 4 cells."))
      << text;
  EXPECT_TRUE(has(text, "The task train alone does not: half of the cells")) << text;
  EXPECT_TRUE(has(text, "The second run takes × 2.00 the first one's times")) << text;
}

/// One cell of four is 50 % apart: the median does not see it, the 95th percentile does.
TEST(CompareRuns, ATailDoesNot) {
  std::string text = compared(timed({1, 2, 3, 4}), timed({1, 2, 3, 6}));
  EXPECT_TRUE(has(text, "do not agree: half of the cells differ by at most 0 %")) << text;
  EXPECT_TRUE(has(text, "| train | steady | 4 | 0 % | 42.5 % | 75.0 % |")) << text;
}

/// Factors 10, 10, 13.3, 7.5: the third first, then the first two in their order.
TEST(CompareRuns, CellsThatDifferMostComeFirst) {
  std::string text = compared(timed({1, 2, 3, 4}), timed({10, 20, 40, 30}));
  size_t third = text.find("| A | train | steady | dense/3x64 | 3.00 | 40.0 | 13.3 |");
  size_t first = text.find("| A | train | steady | dense/1x64 | 1.00 | 10.0 | 10.0 |");
  size_t last = text.find("| A | train | steady | dense/4x64 | 4.00 | 30.0 | 7.50 |");
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
  // A clock that saw nothing leaves no ratio.
  EXPECT_TRUE(has(compared(timed({0, 1}), timed({1, 2})), "have times for 1 cell in common"));
}

}  // namespace
}  // namespace fjord::study
