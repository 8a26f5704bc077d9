#include "drive/webdriver.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <span>
#include <sstream>
#include <thread>

#include "drive/process.h"

namespace fjord::study {

namespace {

using Clock = std::chrono::steady_clock;

/// How long a driver may take to start, on a machine that is busy.
constexpr Milliseconds kStart{20'000};
/// How long one may take to end a browser, before that is killed.
constexpr Milliseconds kEnd{5'000};

/// The first line of a message, and chromedriver's lines that say what it came from; versions and
/// stacks are left out.
std::string reasonIn(const std::string& message) {
  std::istringstream lines(message);
  std::string out, line;
  std::getline(lines, out);
  while (std::getline(lines, line)) {
    if (line.starts_with("from ")) out += "; " + line;
  }
  return out;
}

/// The path without the long name of the session in it.
std::string shown(const HttpRequest& request) {
  constexpr std::string_view kSession = "/session/";
  std::string path = request.path;
  if (path.starts_with(kSession)) {
    size_t end = std::min(path.find('/', kSession.size()), path.size());
    path.replace(kSession.size(), end - kSession.size(), "...");
  }
  return request.method + " " + path;
}

/// Sends a command and gives the `value` of its answer:
/// https://www.w3.org/TR/webdriver2/#dfn-send-a-response.
Result<Json> command(const Endpoint& endpoint, const HttpRequest& request, Milliseconds deadline) {
  auto answer = ask(endpoint, request, deadline);
  if (!answer && passed(answer.error()))
    return fail(answer.error().message, " to ", shown(request));
  if (!answer) return fail(shown(request), ": ", answer.error().message);
  auto json = parseJson(answer->body);
  if (!json || !json->is_object() || !json->contains("value"))
    return fail(shown(request), ": HTTP ", answer->status,
                " with no answer of WebDriver: ", reasonIn(answer->body.substr(0, 80)));
  const Json& value = member(*json, "value");
  if (answer->status == 200) return value;
  std::string error = stringOr(value, "error", "unknown error");
  std::string message = reasonIn(stringOr(value, "message", ""));
  // Many drivers begin the message with the word for the error.
  if (message.starts_with(error)) return fail(shown(request), ": ", message);
  return fail(shown(request), ": ", error, message.empty() ? "" : ": ", message);
}

/// JSON must be UTF-8; what is not is replaced, where dump() alone would end the program.
std::string written(const Json& body) {
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> text(Result<Json> value, const char* what) {
  if (!value) return std::unexpected(std::move(value).error());
  if (!value->is_string()) return fail(what, ": the driver's answer is not a text");
  return value->get<std::string>();
}

Status nothing(const Result<Json>& value) {
  if (!value) return std::unexpected(value.error());
  return {};
}

/// RFC 4648; nullopt where the text is not base64.
std::optional<std::string> fromBase64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  unsigned bits = 0;
  int count = 0;
  for (char c : text) {
    size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return {};
    bits = bits << 6 | static_cast<unsigned>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
  return out;
}

/// The command line of a process, its arguments ended by zeros; "" where there is none.
std::string commandLine(const char* process) {
  std::string path = std::string("/proc/") + process + "/cmdline", out;
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return out;
  char block[4096];
  for (ssize_t got; (got = read(file, block, sizeof block)) > 0;)
    out.append(block, static_cast<size_t>(got));
  ::close(file);
  return out;
}

/// The browser's main process: the one that has its profile's folder on its command line, and is
/// not one of its helpers, which have a type. There are more where a shell script started it and
/// waits; that script, the first, has the browser below it. Process numbers that a driver tells are
/// not used: a Grid's are of another machine.
std::vector<int> processesOf(const std::string& profile) {
  std::vector<int> out;
  DIR* folder = profile.empty() ? nullptr : opendir("/proc");
  if (!folder) return out;
  std::string zero(1, '\0'), end = profile + zero;
  while (const dirent* entry = readdir(folder)) {
    std::string line = commandLine(entry->d_name);
    auto has = [&](const std::string& part) { return line.find(part) != std::string::npos; };
    if (!has("--type=") && (has("--user-data-dir=" + end) || has("-profile" + zero + end)))
      out.push_back(std::atoi(entry->d_name));
  }
  closedir(folder);
  std::ranges::sort(out);
  return out;
}

/// "Chromium 156.0.8078.108": Chromium and Chrome both go by the name "chrome".
std::string browserName(const Json& asked, const Json& given) {
  std::string name = stringOr(given, "browserName", "browser");
  std::string binary = stringOr(member(asked, "goog:chromeOptions"), "binary", "");
  if (name == "chrome" && binary.find("chromium") != std::string::npos) name = "chromium";
  if (name[0] >= 'a' && name[0] <= 'z') name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name + " " + stringOr(given, "browserVersion", "of unknown version");
}

/// Whether what follows the command in the message has one of the words. What a script throws may
/// have any.
bool contains(const Error& error, std::span<const std::string_view> words) {
  std::string_view rest = error.message;
  rest.remove_prefix(std::min(rest.find(": "), rest.size()));
  if (rest.starts_with(": javascript error")) return false;
  return std::ranges::any_of(
      words, [&](std::string_view word) { return rest.find(word) != std::string_view::npos; });
}

}  // namespace

bool saysCrash(const Error& error) {
  // chromedriver's words, geckodriver's, and ours for a driver that is gone itself.
  constexpr std::string_view kWords[] = {"tab crashed",
                                         "page crash",
                                         "no such window",
                                         "invalid session id",
                                         "disconnected",
                                         "chrome not reachable",
                                         "no connection to",
                                         "no whole answer from",
                                         "Failed to decode response from marionette",
                                         "Tried to run command without establishing a connection"};
  return contains(error, kWords);
}

bool saysTimeout(const Error& error) {
  constexpr std::string_view kWords[] = {": timeout", ": script timeout"};
  return passed(error) || contains(error, kWords);
}

// ---- sessions

struct Session::State {
  Endpoint endpoint;
  std::string path;  // "/session/ID"
  std::string browser;
  std::string profile;
  Milliseconds deadline = kDeadline;
  bool stuck = false;  // the driver did not answer, and will not until the browser is gone
  bool open = true;

  Result<Json> send(const char* method, const char* what, const Json& body) {
    if (!open) return fail(method, " /session/...", what, ": the session is closed");
    HttpRequest request{method, path + what, body.is_null() ? "" : written(body)};
    auto value = command(endpoint, request, deadline + kGrace);
    stuck = stuck || (!value && passed(value.error()));
    return value;
  }
  Result<Json> get(const char* what) { return send("GET", what, nullptr); }
  Result<Json> post(const char* what, const Json& body) { return send("POST", what, body); }

  void killBrowser() const {
    for (int process : processesOf(profile)) ::kill(process, SIGKILL);
  }

  Status end() {
    if (!open) return {};
    open = false;
    if (stuck) killBrowser();
    auto value = command(endpoint, {"DELETE", path, ""}, kEnd);
    if (!value && !stuck) killBrowser();
    // A driver whose browser is gone has ended the session by itself.
    if (!value && value.error().message.find("invalid session id") != std::string::npos) return {};
    return nothing(value);
  }
};

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
Session::~Session() {
  if (state_) (void)state_->end();
}

const std::string& Session::browser() const { return state_->browser; }
int Session::process() const {
  std::vector<int> all = processesOf(state_->profile);
  return all.empty() ? 0 : all.front();
}

Status Session::setDeadline(Milliseconds deadline) {
  state_->deadline = deadline;
  return nothing(
      state_->post("/timeouts", {{"script", deadline.count()}, {"pageLoad", deadline.count()}}));
}

Status Session::go(const std::string& url) { return nothing(state_->post("/url", {{"url", url}})); }

Result<std::string> Session::title() { return text(state_->get("/title"), "title"); }

Result<Json> Session::script(const std::string& body, const Json& arguments) {
  return state_->post("/execute/sync", {{"script", body}, {"args", arguments}});
}

Result<Json> Session::devtools(const std::string& method, const Json& parameters) {
  if (!state_->browser.starts_with("Chrom"))
    return fail(method, ": ", state_->browser, " has no DevTools protocol, only Chromium has");
  return state_->post("/goog/cdp/execute", {{"cmd", method}, {"params", parameters}});
}

Result<std::string> Session::screenshot() {
  FJORD_TRY(std::string encoded, text(state_->get("/screenshot"), "screenshot"));
  if (auto bytes = fromBase64(encoded)) return *bytes;
  return fail("screenshot: the driver's answer is not base64");
}

Status Session::setWindow(int width, int height) {
  return nothing(state_->post("/window/rect", {{"width", width}, {"height", height}}));
}

Status Session::close() { return state_->end(); }

// ---- drivers

struct Driver::State {
  std::optional<Process> process;
  Endpoint endpoint;
};

Driver::Driver(std::unique_ptr<State> state) : state_(std::move(state)) {}
Driver::Driver(Driver&&) noexcept = default;
Driver& Driver::operator=(Driver&&) noexcept = default;
Driver::~Driver() = default;

int Driver::process() const { return state_->process ? state_->process->id() : 0; }

std::string Driver::url() const {
  return cat("http://", state_->endpoint.authority(), state_->endpoint.path);
}

namespace {

/// Asks whether the driver is ready for sessions: https://www.w3.org/TR/webdriver2/#status.
Status isReady(const Endpoint& endpoint) {
  FJORD_TRY(Json status, command(endpoint, {"GET", "/status", ""}, kStart));
  if (boolOr(status, "ready", false)) return {};
  return fail("GET /status: the driver is not ready: ",
              stringOr(status, "message", "it does not say why"));
}

}  // namespace

Result<Driver> Driver::start(const std::string& program) {
  // Drivers can choose a port themselves, but geckodriver 0.33 then refuses all requests as meant
  // for another.
  FJORD_TRY(int port, freePort());
  FJORD_TRY(Process process, Process::start(program, {cat("--port=", port)}));
  Endpoint endpoint{"127.0.0.1", std::to_string(port), ""};
  auto until = Clock::now() + kStart;
  for (Status ready; !(ready = isReady(endpoint));) {
    // Its output says why, such as that another program has taken the port.
    if (!process.running()) return fail(program, " has ended: ", process.output());
    if (Clock::now() > until) return fail(program, " does not start: ", ready.error().message);
    std::this_thread::sleep_for(Milliseconds(5));
  }
  return Driver(std::make_unique<State>(std::move(process), std::move(endpoint)));
}

Result<Driver> Driver::at(const std::string& url) {
  FJORD_TRY(Endpoint endpoint, parseEndpoint(url));
  FJORD_CHECK(isReady(endpoint));
  return Driver(std::make_unique<State>(std::nullopt, std::move(endpoint)));
}

Result<Session> Driver::open(const Json& capabilities, Milliseconds deadline) {
  Json body{{"capabilities", {{"alwaysMatch", capabilities}}}};
  FJORD_TRY(Json value, command(state_->endpoint, {"POST", "/session", written(body)}, deadline));
  std::string id = stringOr(value, "sessionId", "");
  if (id.empty()) return fail("POST /session: the answer has no sessionId");
  const Json& given = member(value, "capabilities");
  auto state = std::make_unique<Session::State>();
  state->endpoint = state_->endpoint;
  state->path = "/session/" + id;
  state->browser = browserName(capabilities, given);
  state->profile =
      stringOr(member(given, "chrome"), "userDataDir", stringOr(given, "moz:profile", ""));
  Session session(std::move(state));
  FJORD_CHECK(session.setDeadline(kDeadline));
  return session;
}

}  // namespace fjord::study
