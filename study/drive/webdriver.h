// A client of the W3C WebDriver protocol (https://www.w3.org/TR/webdriver2/), as far as the lab needs it: sessions, pages,
// scripts, and Chromium's own command for its DevTools protocol.
//
//   Result<Driver> driver = Driver::start("chromedriver");             // a child process on a free port
//   Result<Session> session = driver->open(chromium({.headless = true}));  // a fresh profile
//   session->go("http://127.0.0.1:8000/");
//   Result<Json> title = session->script("return document.title");
//
// Errors have the protocol's own words ("no such window", ..) and the command that failed. Each call has a deadline, so a
// page that hangs cannot hang the lab.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "nn/json.h"

namespace fjord::study {

using Milliseconds = std::chrono::milliseconds;

/// Which browser, and how it is started.
struct BrowserOptions {
  std::string browser = "chromium";  // or "firefox"
  std::string binary;                // "" for the one of this system
  bool headless = true;
  std::vector<std::string> arguments;  // added to our own
};

/// The capabilities to ask a driver for.
Json capabilities(const BrowserOptions& options);

class Session {
 public:
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  /// Ends the session and with it the browser; what goes wrong then is nobody's concern.
  ~Session();

  /// "Chromium 156.0.8078.108"
  const std::string& browser() const;
  /// The process of the browser, where the driver tells it (moz:processID) or it can be found from the profile's folder
  /// (chrome.userDataDir); 0 on another machine.
  int process() const;

  Status go(const std::string& url);
  Result<std::string> title();
  /// Runs the body of a function in the page.
  Result<Json> script(const std::string& body, const Json& arguments = Json::array());
  /// Chromium's DevTools protocol (goog/cdp/execute); an error elsewhere.
  Result<Json> devtools(const std::string& method, const Json& parameters = Json::object());
  Result<std::string> screenshot();  // PNG bytes
  Status setWindow(int width, int height);
  Status close();

 private:
  friend class Driver;
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class Driver {
 public:
  /// Starts a driver program ("chromedriver", "geckodriver" or a path) on a free port and waits until it is ready.
  static Result<Driver> start(const std::string& program);
  /// A driver or a Selenium Grid that runs already: "http://host:4444" or with a path.
  static Result<Driver> at(const std::string& url);

  Driver(Driver&&) noexcept;
  Driver& operator=(Driver&&) noexcept;
  ~Driver();

  /// A new browser with a fresh profile.
  Result<Session> open(const Json& capabilities, Milliseconds deadline = Milliseconds(60'000));
  /// The driver's own process; 0 where it was not started here.
  int process() const;

 private:
  struct State;
  explicit Driver(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fjord::study
