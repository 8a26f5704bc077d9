// Conversations with drivers: as they were recorded, and with the real ones where they are
// installed. To record them anew:
//
//   FJORD_RECORD=1 study_drive_tests --gtest_filter='*RealDriver*'
#include "drive/webdriver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>

#include "drive/fake_server.h"
#include "drive/process.h"
#include "drive/testing.h"
#include "drive/trace.h"

namespace fjord::study {
namespace {

constexpr const char* kPage = "data:text/html,<title>A page</title><p>text";

// ---- conversations: the same calls, with the same expectations, replayed and real

void page(Driver& driver, const Json& asked) {
  auto session = driver.open(asked);
  ASSERT_FINE(session);
  bool isFirefox = session->browser().starts_with("Firefox ");
  if (!isFirefox) EXPECT_STARTS(session->browser(), "Chromium 1");
  ASSERT_FINE(session->go(kPage));
  EXPECT_EQ(session->title().value_or("none"), "A page");
  EXPECT_EQ(session->script("return 6 * arguments[0]", Json::array({7})).value_or(nullptr), 42);
  EXPECT_EQ(session->script("return Promise.resolve({a: [null, 'é']})").value_or(nullptr),
            (Json{{"a", {nullptr, "é"}}}));
  ASSERT_FINE(session->setWindow(640, 480));
  auto picture = session->screenshot();
  ASSERT_FINE(picture);
  EXPECT_STARTS(*picture, "\x89PNG\r\n\x1a\n");
  auto version = session->devtools("Browser.getVersion");
  if (isFirefox) {
    EXPECT_EQ(errorOf(version), "Browser.getVersion: " + session->browser() +
                                    " has no DevTools protocol, only Chromium has");
  } else {
    ASSERT_FINE(version);
    EXPECT_HAS(stringOr(*version, "product", ""), "Chrome/");
  }
  ASSERT_FINE(session->close());
  EXPECT_EQ(errorOf(session->title()), "GET /session/.../title: the session is closed");
}

void mistakes(Driver& driver, const Json& asked) {
  auto session = driver.open(asked);
  ASSERT_FINE(session);
  EXPECT_STARTS(errorOf(session->go("nowhere")), "POST /session/.../url: invalid argument");
  auto thrown = session->script("throw new Error('this timeout is mine, no such window')");
  EXPECT_STARTS(errorOf(thrown), "POST /session/.../execute/sync: javascript error: ");
  EXPECT_HAS(errorOf(thrown), "this timeout is mine");
  ASSERT_FALSE(thrown);
  EXPECT_FALSE(saysTimeout(thrown.error()) || saysCrash(thrown.error()));
  // The second line names the versions of everything.
  EXPECT_EQ(errorOf(thrown).find('\n'), std::string::npos);
  EXPECT_STARTS(errorOf(session->go("http://127.0.0.1:65533/")),
                "POST /session/.../url: unknown error: net::ERR_CONNECTION_REFUSED");
}

void windowCloses(Driver& driver, const Json& asked) {
  auto session = driver.open(asked);
  ASSERT_FINE(session);
  ASSERT_FINE(session->go(kPage));
  ASSERT_FINE(session->devtools("Page.close"));
  auto title = session->title();
  EXPECT_STARTS(errorOf(title), "GET /session/.../title: no such window");
  ASSERT_FALSE(title);
  EXPECT_TRUE(saysCrash(title.error()));
}

void hangs(Driver& driver, const Json& asked) {
  auto session = driver.open(asked);
  ASSERT_FINE(session);
  ASSERT_FINE(session->setDeadline(Milliseconds(1000)));
  auto status = session->go("data:text/html,<script>while (true);</script>");
  EXPECT_STARTS(errorOf(status), "POST /session/.../url: timeout");
  ASSERT_FALSE(status);
  EXPECT_TRUE(saysTimeout(status.error()));
  EXPECT_FALSE(saysCrash(status.error()));
  ASSERT_FINE(session->close());
}

void crashes(Driver& driver, const Json& asked) {
  auto session = driver.open(asked);
  ASSERT_FINE(session);
  auto status = session->go("chrome://crash");
  EXPECT_EQ(errorOf(status), "POST /session/.../url: tab crashed");
  ASSERT_FALSE(status);
  EXPECT_TRUE(saysCrash(status.error()));
  EXPECT_FALSE(saysTimeout(status.error()));
  EXPECT_EQ(errorOf(session->script("return 1")), "POST /session/.../execute/sync: tab crashed");
  ASSERT_FINE(session->close());
}

void refuses(Driver& driver, const Json& asked) {
  Json wrong = asked;
  wrong["goog:chromeOptions"]["binary"] = "/nowhere/chromium";
  auto session = driver.open(wrong);
  EXPECT_EQ(errorOf(session),
            "POST /session: session not created; from unknown error: no chrome binary at "
            "/nowhere/chromium");
}

// ---- each replayed and real

struct Case {
  const char* name;
  const char* driver;  // "chromium", "firefox" or "grid"
  void (*conversation)(Driver&, const Json&);
};
std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class Conversation : public testing::TestWithParam<Case> {};

TEST_P(Conversation, GoesAsRecorded) {
  auto trace = Trace::read(GetParam().name);
  ASSERT_FINE(trace);
  FakeServer server([&](const Heard& heard) { return trace->replay(heard); });
  auto driver = Driver::at(server.url() + trace->prefix());
  ASSERT_FINE(driver);
  GetParam().conversation(*driver, trace->capabilities());
  EXPECT_TRUE(trace->isOver()) << "the client stopped asking";
}

/// A driver that is installed here, or why there is none.
struct Real {
  std::optional<Process> grid;
  std::optional<Driver> driver;
  std::string missing;
};

/// A Selenium Grid of one machine.
Result<Real> startGrid() {
  const char* jar = std::getenv("FJORD_SELENIUM_JAR");
  auto java = findProgram("java");
  if (!jar || !java)
    return Real{{},
                {},
                "FJORD_SELENIUM_JAR names no selenium-server-4.x.jar (there is one in"
                " npm's @nightwatch/selenium-server), or Java 11 is not installed"};
  FJORD_TRY(int port, freePort());
  FJORD_TRY(Process grid, Process::start(*java, {"-jar", jar, "standalone", "--selenium-manager",
                                                 "false", "--port", std::to_string(port)}));
  std::string url = cat("http://127.0.0.1:", port, "/wd/hub");
  Result<Driver> driver = fail("not asked yet");
  if (!soon([&] { return (driver = Driver::at(url)).has_value(); }, 60))
    return fail(driver.error().message, grid.output());
  return Real{std::move(grid), std::move(*driver), ""};
}

Result<Real> startReal(const std::string& name) {
  if (name == "grid") return startGrid();
  auto program = driverOf(name);
  if (!program) return Real{{}, {}, errorOf(program)};
  FJORD_TRY(Driver driver, Driver::start(*program));
  return Real{{}, std::move(driver), ""};
}

TEST_P(Conversation, GoesWithTheRealDriver) {
  auto real = startReal(GetParam().driver);
  ASSERT_FINE(real);
  if (!real->driver) GTEST_SKIP() << "SKIPPED: " << real->missing;
  std::string driver = GetParam().driver;
  Json asked =
      capabilities({.browser = driver == "firefox" ? "firefox" : "chromium", .softwareGpu = true});
  if (!std::getenv("FJORD_RECORD")) return GetParam().conversation(*real->driver, asked);

  auto endpoint = parseEndpoint(real->driver->url());
  ASSERT_FINE(endpoint);
  Trace trace;
  std::string path = endpoint->path;
  endpoint->path = "";  // it stands in the requests
  FakeServer between([&](const Heard& heard) { return trace.record(*endpoint, heard); });
  auto recorded = Driver::at(between.url() + path);
  ASSERT_FINE(recorded);
  GetParam().conversation(*recorded, asked);
  trace.write(GetParam().name);
}

INSTANTIATE_TEST_SUITE_P(
    All, Conversation,
    testing::Values(Case{"page", "chromium", page}, Case{"mistakes", "chromium", mistakes},
                    Case{"window-closes", "chromium", windowCloses},
                    Case{"hangs", "chromium", hangs}, Case{"crashes", "chromium", crashes},
                    Case{"refuses", "chromium", refuses}, Case{"firefox", "firefox", page},
                    Case{"grid", "grid", page}, Case{"grid-mistakes", "grid", mistakes}),
    [](const auto& info) {
      std::string name = info.param.name;
      std::erase(name, '-');
      return name;
    });

// ---- drivers that do not keep to the protocol

/// Opens a session, and answers everything else so.
FakeServer::Answer after(const std::string& bytes) {
  return [bytes](const Heard& heard) {
    if (heard.path == "/status") return answer(200, R"({"value": {"ready": true}})");
    if (heard.path == "/session") return answer(200, R"({"value": {"sessionId": "1"}})");
    if (heard.path == "/session/1/timeouts") return answer(200, R"({"value": null})");
    return bytes;
  };
}

/// What go() says when it is answered so.
std::string goAnswered(const std::string& bytes) {
  FakeServer server(after(bytes));
  auto driver = Driver::at(server.url());
  if (!driver) return errorOf(driver);
  auto session = driver->open({{"browserName", "x"}});
  return session ? errorOf(session->go("http://127.0.0.1/")) : errorOf(session);
}

TEST(WebDriver, SaysWhichCommandFailedAndHow) {
  EXPECT_EQ(goAnswered(answer(200, R"({"value": null})")), "no error");
  EXPECT_EQ(
      goAnswered(answer(500, R"({"value": {"error": "timeout", "message": "slow\nat 0x1"}})")),
      "POST /session/.../url: timeout: slow");
  EXPECT_EQ(goAnswered(answer(404, R"({"value": {"error": "unknown command", "message": ""}})")),
            "POST /session/.../url: unknown command");
  EXPECT_EQ(goAnswered(answer(500, R"({"value": null})")), "POST /session/.../url: unknown error");
}

TEST(WebDriver, TakesNoNonsenseForAnAnswer) {
  const std::pair<std::string, const char*> rows[] = {
      {answer(200, "{\"value\": "), "HTTP 200 with no answer of WebDriver: {\"value\": "},
      {answer(502, "<html>Bad Gateway\n", "text/html"),
       "HTTP 502 with no answer of WebDriver: <html>Bad Gateway"},
      {answer(200, ""), "HTTP 200 with no answer of WebDriver"},
      {answer(200, "[1]"), "HTTP 200 with no answer of WebDriver"},
      {answer(200, "{\"status\": 0}"), "HTTP 200 with no answer of WebDriver"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"value\"", "no whole answer from 127.0.0.1"},
      {"", "no whole answer from 127.0.0.1"},
  };
  for (const auto& [bytes, what] : rows)
    EXPECT_STARTS(goAnswered(bytes), cat("POST /session/.../url: ", what));
}

TEST(WebDriver, ChecksTheKindsOfValues) {
  FakeServer server(after(answer(200, R"({"value": {"a": 1}})")));
  auto driver = Driver::at(server.url());
  ASSERT_FINE(driver);
  auto session = driver->open({{"browserName", "x"}});
  ASSERT_FINE(session);
  EXPECT_EQ(errorOf(session->title()), "title: the driver's answer is not a text");
  EXPECT_EQ(errorOf(session->screenshot()), "screenshot: the driver's answer is not a text");
  EXPECT_EQ(session->process(), 0);

  FakeServer texts(after(answer(200, R"({"value": "no*base64"})")));
  driver = Driver::at(texts.url());
  ASSERT_FINE(driver);
  session = driver->open({{"browserName", "x"}});
  ASSERT_FINE(session);
  EXPECT_EQ(errorOf(session->screenshot()), "screenshot: the driver's answer is not base64");
}

/// "Hello, world!" and its beginnings, from the tool base64 of GNU coreutils.
TEST(WebDriver, ReadsScreenshots) {
  const std::pair<const char*, const char*> rows[] = {
      {"SGVsbG8sIHdvcmxkIQ==", "Hello, world!"}, {"SGVsbG8=", "Hello"}, {"SGVs", "Hel"}, {"", ""}};
  for (auto [encoded, bytes] : rows) {
    FakeServer server(after(answer(200, cat(R"({"value": ")", encoded, "\"}"))));
    auto driver = Driver::at(server.url());
    ASSERT_FINE(driver);
    auto session = driver->open({{"browserName", "x"}});
    ASSERT_FINE(session);
    EXPECT_EQ(session->screenshot().value_or("none"), bytes);
  }
}

TEST(WebDriver, SendsJson) {
  std::string body;
  FakeServer server([&](const Heard& heard) {
    if (heard.path == "/session/1/execute/sync") body = heard.body;
    return after(answer(200, R"({"value": null})"))(heard);
  });
  auto driver = Driver::at(server.url());
  ASSERT_FINE(driver);
  auto session = driver->open({{"browserName", "x"}});
  ASSERT_FINE(session);
  // Latin-1 is not UTF-8; U+FFFD stands for what cannot be read.
  ASSERT_FINE(session->script("return '\xe9\"'"));
  EXPECT_EQ(body, "{\"script\":\"return '\xef\xbf\xbd\\\"'\",\"args\":[]}");
}

TEST(WebDriver, GivesUpOnADriverThatHangs) {
  FakeServer server(after(FakeServer::kHang));
  auto driver = Driver::at(server.url());
  ASSERT_FINE(driver);
  auto session = driver->open({{"browserName", "x"}});
  ASSERT_FINE(session);
  ASSERT_FINE(session->setDeadline(Milliseconds(100)));
  auto status = session->go("http://127.0.0.1/");
  EXPECT_EQ(errorOf(status), "no answer within 2.1 s to POST /session/.../url");
  ASSERT_FALSE(status);
  EXPECT_TRUE(saysTimeout(status.error()));
  EXPECT_FALSE(saysCrash(status.error()));
  EXPECT_EQ(errorOf(session->close()), "no answer within 5 s to DELETE /session/...");
}

TEST(WebDriver, NoticesADriverThatIsGone) {
  auto server = std::make_unique<FakeServer>(after(answer(200, R"({"value": null})")));
  auto driver = Driver::at(server->url());
  ASSERT_FINE(driver);
  auto session = driver->open({{"browserName", "x"}});
  ASSERT_FINE(session);
  server.reset();
  auto title = session->title();
  EXPECT_STARTS(errorOf(title), "GET /session/.../title: no connection to 127.0.0.1:");
  ASSERT_FALSE(title);
  EXPECT_TRUE(saysCrash(title.error()));
}

TEST(WebDriver, OpensNothingWhereThereIsNoDriver) {
  EXPECT_HAS(errorOf(Driver::at("https://127.0.0.1")), "only http://");
  EXPECT_STARTS(errorOf(Driver::start("no-such-driver")), "there is no program no-such-driver");
  EXPECT_EQ(errorOf(Driver::start("false")), "false has ended: ");
  FakeServer busy([](const Heard&) {
    return answer(200, R"({"value": {"ready": false, "message": "No free slots"}})");
  });
  EXPECT_EQ(errorOf(Driver::at(busy.url())), "GET /status: the driver is not ready: No free slots");
  FakeServer odd([](const Heard& heard) {
    return answer(200,
                  heard.method == "GET" ? R"({"value": {"ready": true}})" : R"({"value": {}})");
  });
  auto driver = Driver::at(odd.url());
  ASSERT_FINE(driver);
  EXPECT_EQ(errorOf(driver->open({{"browserName", "x"}})),
            "POST /session: the answer has no sessionId");
}

/// A Grid behind a path has it before every request.
TEST(WebDriver, KeepsThePathOfAGrid) {
  std::vector<std::string> asked;
  FakeServer server([&](const Heard& heard) {
    asked.push_back(heard.method + " " + heard.path);
    return after(answer(200, R"({"value": null})"))({heard.method, heard.path.substr(7), ""});
  });
  {
    auto driver = Driver::at(server.url() + "/wd/hub/");
    ASSERT_FINE(driver);
    EXPECT_EQ(driver->url(), server.url() + "/wd/hub");
    EXPECT_EQ(driver->process(), 0);
    ASSERT_FINE(driver->open({{"browserName", "x"}}));
  }
  EXPECT_EQ(asked, (std::vector<std::string>{"GET /wd/hub/status", "POST /wd/hub/session",
                                             "POST /wd/hub/session/1/timeouts",
                                             "DELETE /wd/hub/session/1"}));
}

// ---- how browsers are started

std::vector<std::string> argumentsOf(const Json& capabilities, const char* key) {
  std::vector<std::string> out;
  for (const Json& a : member(member(capabilities, key), "args")) out.push_back(a.dump());
  return out;
}
bool has(const std::vector<std::string>& all, const std::string& argument) {
  return std::ranges::find(all, "\"" + argument + "\"") != all.end();
}

TEST(Capabilities, OfChromium) {
  Json software =
      capabilities({.binary = "/opt/chromium", .softwareGpu = true, .arguments = {"--a=b"}});
  EXPECT_EQ(stringOr(software, "browserName", ""), "chrome");
  EXPECT_EQ(stringOr(member(software, "goog:chromeOptions"), "binary", ""), "/opt/chromium");
  auto arguments = argumentsOf(software, "goog:chromeOptions");
  EXPECT_TRUE(has(arguments, "--headless=new") && has(arguments, "--use-angle=swiftshader"));
  EXPECT_EQ(has(arguments, "--no-sandbox"), geteuid() == 0);
  EXPECT_EQ(arguments.back(), "\"--a=b\"");

  auto shown = argumentsOf(capabilities({.headless = false}), "goog:chromeOptions");
  EXPECT_FALSE(has(shown, "--headless=new") || has(shown, "--use-angle=swiftshader"));
  EXPECT_EQ(has(shown, "--use-webgpu-adapter=default"), hasGpu());
}

TEST(Capabilities, LeaveToAnotherMachineWhatIsItsOwn) {
  Json grid = capabilities({.remote = true});
  EXPECT_FALSE(member(grid, "goog:chromeOptions").contains("binary"));
  auto arguments = argumentsOf(grid, "goog:chromeOptions");
  EXPECT_FALSE(has(arguments, "--no-sandbox") || has(arguments, "--use-webgpu-adapter=default"));
}

TEST(Capabilities, TakeTheBinaryThatTheEnvironmentNames) {
  const char* before = std::getenv("FJORD_CHROMIUM");
  std::string kept = before ? before : "";
  setenv("FJORD_CHROMIUM", "/opt/named", 1);
  Json named = capabilities({});
  if (before) {
    setenv("FJORD_CHROMIUM", kept.c_str(), 1);
  } else {
    unsetenv("FJORD_CHROMIUM");
  }
  EXPECT_EQ(stringOr(member(named, "goog:chromeOptions"), "binary", ""), "/opt/named");
}

TEST(Capabilities, OfFirefox) {
  Json firefox = capabilities({.browser = "firefox", .arguments = {"-a"}});
  EXPECT_EQ(stringOr(firefox, "browserName", ""), "firefox");
  EXPECT_EQ(argumentsOf(firefox, "moz:firefoxOptions"),
            (std::vector<std::string>{"\"-headless\"", "\"-a\""}));
}

TEST(DriverOf, KnowsTwoBrowsers) {
  EXPECT_EQ(errorOf(driverOf("netscape")),
            "there is no browser \"netscape\": chromium and firefox are known");
  std::string path = std::getenv("PATH");
  setenv("PATH", "/nowhere", 1);
  std::string chromium = errorOf(driverOf("chromium")), firefox = errorOf(driverOf("firefox"));
  setenv("PATH", path.c_str(), 1);
  EXPECT_STARTS(chromium, "there is no chromedriver on PATH: install");
  EXPECT_STARTS(firefox, "there is no geckodriver on PATH: install");
}

}  // namespace
}  // namespace fjord::study
