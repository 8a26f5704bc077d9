// With chromedriver and Chromium themselves: pages that hang and browsers that die, and that
// nothing is left of any of them.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <optional>

#include "drive/fake_server.h"
#include "drive/process.h"
#include "drive/testing.h"
#include "drive/webdriver.h"

namespace fjord::study {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kHeaders =
    "Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp\r\n";

Json chromium() { return capabilities({.softwareGpu = true}); }

class Live : public testing::Test {
 protected:
  void SetUp() override {
    auto program = driverOf("chromium");
    if (!program) GTEST_SKIP() << "SKIPPED: " << errorOf(program);
    auto started = Driver::start(*program);
    ASSERT_FINE(started);
    driver.emplace(std::move(*started));
  }

  FakeServer pages{[](const Heard&) {
    return answer(200, "<!doctype html><title>A local page</title>", "text/html", kHeaders);
  }};
  std::optional<Driver> driver;
};

TEST_F(Live, FindsItsProcesses) {
  auto session = driver->open(chromium());
  ASSERT_FINE(session);
  int browser = session->process();
  EXPECT_EQ(parentAndState(browser).first, driver->process());
  // A browser of several processes, which are its descendants.
  EXPECT_GE(descendants(browser).size(), 4u);

  auto second = driver->open(chromium());
  ASSERT_FINE(second);
  EXPECT_NE(second->process(), browser);
  EXPECT_EQ(parentAndState(second->process()).first, driver->process());
}

/// What the pages of the lab need of the browser, each with a profile and a page of its own.
TEST_F(Live, OpensPagesWithAllThatTheyNeed) {
  // Else memory is measured when Chromium next collects garbage, which may be in 20 s.
  auto session = driver->open(capabilities(
      {.softwareGpu = true, .arguments = {"--enable-blink-features=ForceEagerMeasureMemory"}}));
  ASSERT_FINE(session);
  ASSERT_FINE(session->go(pages.url()));
  EXPECT_EQ(session->title().value_or("none"), "A local page");
  EXPECT_EQ(session->script("return crossOriginIsolated").value_or(nullptr), true);
  EXPECT_EQ(session->script("return navigator.gpu.requestAdapter().then((a) => a !== null)")
                .value_or(nullptr),
            true);
  EXPECT_EQ(session->script("return document.createElement('canvas').getContext('webgl2') !== null")
                .value_or(nullptr),
            true);
  EXPECT_EQ(session->script("localStorage.kept = 1; return document.visibilityState"), "visible");
  auto memory = session->script("return performance.measureUserAgentSpecificMemory()");
  ASSERT_FINE(memory);
  EXPECT_GT(numberOr(*memory, "bytes", 0), 10'000);

  auto second = driver->open(chromium());
  ASSERT_FINE(second);
  ASSERT_FINE(second->go(pages.url()));
  EXPECT_EQ(second->script("return localStorage.kept ?? 'a fresh profile'").value_or(nullptr),
            "a fresh profile");
}

/// chromedriver itself waits for such a script without end, and then does not end the session
/// either.
TEST_F(Live, OutlivesAScriptThatHangs) {
  auto session = driver->open(chromium());
  ASSERT_FINE(session);
  ASSERT_FINE(session->setDeadline(Milliseconds(500)));
  int browser = session->process();
  auto begin = Clock::now();
  auto result = session->script("while (true);");
  EXPECT_EQ(errorOf(result), "no answer within 2.5 s to POST /session/.../execute/sync");
  ASSERT_FINE(session->close());
  EXPECT_LT(Clock::now() - begin, kDeadline);
  EXPECT_TRUE(soon([&] { return hasEnded(browser); }));

  auto next = driver->open(chromium());
  ASSERT_FINE(next);
  ASSERT_FINE(next->go(pages.url()));
}

/// A page that begins to hang only when it is loaded, as a trial does.
TEST_F(Live, OutlivesAPageThatHangs) {
  auto session = driver->open(chromium());
  ASSERT_FINE(session);
  ASSERT_FINE(session->go(pages.url()));
  ASSERT_FINE(session->script("setTimeout(() => {while (true);}, 300)"));
  int browser = session->process();
  // This asks the driver, not the page.
  ASSERT_FINE(session->setDeadline(Milliseconds(500)));
  auto title = session->title();
  while (title) title = session->title();
  ASSERT_FALSE(title);
  EXPECT_TRUE(saysTimeout(title.error())) << errorOf(title);
  ASSERT_FINE(session->close());
  EXPECT_TRUE(soon([&] { return hasEnded(browser); }));
  ASSERT_FINE(driver->open(chromium()));
}

TEST_F(Live, ReportsABrowserThatDied) {
  auto session = driver->open(chromium());
  ASSERT_FINE(session);
  ASSERT_GT(session->process(), 0);
  kill(session->process(), SIGKILL);
  auto title = session->title();
  EXPECT_STARTS(errorOf(title), "GET /session/.../title: ");
  ASSERT_FALSE(title);
  EXPECT_TRUE(saysCrash(title.error())) << errorOf(title);
  ASSERT_FINE(driver->open(chromium()));
}

TEST_F(Live, ReportsARendererThatDied) {
  auto session = driver->open(chromium());
  ASSERT_FINE(session);
  ASSERT_FINE(session->go(pages.url()));
  for (int p : descendants(session->process())) {
    std::ifstream file("/proc/" + std::to_string(p) + "/cmdline");
    std::string line((std::istreambuf_iterator<char>(file)), {});
    if (line.find("--type=renderer") != std::string::npos) kill(p, SIGKILL);
  }
  auto value = session->script("return 1");
  ASSERT_FALSE(value);
  EXPECT_TRUE(saysCrash(value.error())) << errorOf(value);
}

/// All that the guard of a driver has below it, the browsers' orphans too.
std::vector<int> everyProcess(const Driver& driver) {
  return descendants(parentAndState(driver.process()).first);
}

TEST_F(Live, LeavesNothingBehind) {
  std::optional<Session> session = driver->open(chromium()).value();
  ASSERT_FINE(session->go(pages.url()));
  auto all = everyProcess(*driver);
  EXPECT_GE(all.size(), 6u);
  session.reset();
  driver.reset();
  for (int p : all) EXPECT_EQ(parentAndState(p).second, 'X') << p;
}

TEST_F(Live, LeavesNothingBehindWhenTheDriverGoesFirst) {
  std::optional<Session> session = driver->open(chromium()).value();
  auto all = everyProcess(*driver);
  driver.reset();
  for (int p : all) EXPECT_EQ(parentAndState(p).second, 'X') << p;
  session.reset();
}

TEST_F(Live, LeavesNothingBehindWhenItIsKilled) {
  driver.reset();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t lab = fork();
  if (lab == 0) {
    auto own = Driver::start("chromedriver");
    auto session = own ? own->open(chromium()) : fail("no driver");
    int id = session ? own->process() : 0;
    if (write(ends[1], &id, sizeof id) == sizeof id) pause();
    _exit(1);
  }
  // Should it die, the pipe ends.
  close(ends[1]);
  int id = 0;
  ASSERT_EQ(read(ends[0], &id, sizeof id), static_cast<ssize_t>(sizeof id));
  ASSERT_GT(id, 0);
  int guard = parentAndState(id).first;
  std::vector<int> all = descendants(guard);
  EXPECT_GE(all.size(), 6u);
  kill(lab, SIGKILL);
  EXPECT_TRUE(soon([&] { return hasEnded(guard); }));
  for (int p : all) EXPECT_TRUE(hasEnded(p)) << p;
  waitpid(lab, nullptr, 0);
  close(ends[0]);
}

}  // namespace
}  // namespace fjord::study
