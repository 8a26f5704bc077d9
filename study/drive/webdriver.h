// A client of the W3C WebDriver protocol (https://www.w3.org/TR/webdriver2/), as far as the lab
// needs it: sessions, pages, scripts, and Chromium's own command for its DevTools protocol.
//
//   BrowserOptions options{.browser = "chromium"};
//   FJORD_TRY(std::string program, driverOf(options.browser));
//   FJORD_TRY(Driver driver, Driver::start(program));                // a child process
//   FJORD_TRY(Session session, driver.open(capabilities(options)));  // a fresh profile
//   FJORD_CHECK(session.go("http://127.0.0.1:8000/"));
//   FJORD_TRY(Json title, session.script("return document.title"));
//
// Errors have the protocol's own words ("no such window", ..) and the command that failed. Each
// call has a deadline, so a page that hangs cannot hang the lab. Of a driver that was started here
// nothing is left when it goes: no process, no profile, and that also where this program is killed.
// A driver and its sessions are for one thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "drive/http.h"

namespace fjord::study {

/// Which browser, and how it is started.
struct BrowserOptions {
  std::string browser = "chromium";  // or "firefox"
  std::string binary = {};  // "" for this system's: what FJORD_CHROMIUM names, /usr/bin/chromium
  bool headless = true;
  bool softwareGpu = false;  // Chromium's: WebGPU and WebGL on the CPU, right and slow
  bool remote = false;       // behind a Grid: which binary and which GPU is for that machine to say
  std::vector<std::string> arguments = {};  // added to our own
};

/// Whether this machine has a GPU that Linux tells of.
bool hasGpu();

/// The driver program of a browser, found on PATH; an error says how to get it.
Result<std::string> driverOf(const std::string& browser);

/// The capabilities to ask a driver for.
Json capabilities(const BrowserOptions& options);

/// How long a call may take unless said otherwise.
inline constexpr Milliseconds kDeadline{30'000};

class Session {
 public:
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  /// Ends the session and with it the browser; what goes wrong then is nobody's concern.
  ~Session();

  /// "Chromium 156.0.8078.108"
  const std::string& browser() const;
  /// The process of the browser, found by the folder of its profile; 0 where it runs on another
  /// machine.
  int process() const;

  /// How long each call from here on may take. The driver is asked to give up by then, and to stay
  /// usable; one that does not answer at all has kGrace more.
  Status setDeadline(Milliseconds deadline);
  static constexpr Milliseconds kGrace{2'000};

  /// Opens a page and waits until it is loaded.
  Status go(const std::string& url);
  Result<std::string> title();
  /// Runs the body of a function in the page; a promise is waited for.
  Result<Json> script(const std::string& body, const Json& arguments = Json::array());
  /// Chromium's DevTools protocol (goog/cdp/execute); an error elsewhere.
  Result<Json> devtools(const std::string& method, const Json& parameters = Json::object());
  Result<std::string> screenshot();  // PNG bytes
  Status setWindow(int width, int height);
  /// Ends the session; where the driver cannot (it waits for a page that hangs), the browser is
  /// killed.
  Status close();

 private:
  friend class Driver;
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Whether an error of a session says that the page or the browser is gone, and not only slow.
bool saysCrash(const Error& error);
/// Whether it says that there was no answer in time.
bool saysTimeout(const Error& error);

class Driver {
 public:
  /// Starts a driver program ("chromedriver", "geckodriver" or a path) on a free port and waits
  /// until it is ready.
  static Result<Driver> start(const std::string& program);
  /// A driver or a Selenium Grid that runs already: "http://host:4444" or with a path.
  static Result<Driver> at(const std::string& url);

  Driver(Driver&&) noexcept;
  Driver& operator=(Driver&&) noexcept;
  ~Driver();

  /// A new browser with a fresh profile. One that comes up only after the deadline stays as long as
  /// the driver does.
  Result<Session> open(const Json& capabilities, Milliseconds deadline = Milliseconds(60'000));
  /// The driver's own process; 0 where it was not started here.
  int process() const;
  /// Where it listens: "http://127.0.0.1:9515".
  std::string url() const;

 private:
  struct State;
  explicit Driver(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fjord::study
