#include "report/report.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "report/sample_run.h"

namespace fjord::study {
namespace {

void writeFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// Left where FJORD_REPORT names a folder, for report.test.mjs and for people who want to look at a report.
TEST(Report, OfAWholeRun) {
  ReportInput input = wholeRun();
  Result<std::string> html = htmlReport(input);
  ASSERT_TRUE(html) << html.error().message;
  std::string markdown = markdownReport(input);
  const char* folder = std::getenv("FJORD_REPORT");
  if (!folder) return;
  writeFile(std::string(folder) + "/report.html", *html);
  writeFile(std::string(folder) + "/report.md", markdown);
  writeFile(std::string(folder) + "/report.txt", terminalTable(input));
}

}  // namespace
}  // namespace fjord::study
