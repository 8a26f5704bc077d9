// For tests: a desk that remembers what it was told, a folder that goes away, a client that sends
// any bytes it is asked to and reads answers strictly, and a server with a few files.
//
//   Client client(server);
//   client.send("GET / HTTP/1.1\r\nHost: ..\r\n\r\n");
//   if (Response response = client.read()) ..              // false where the server has hung up
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "serve/server.h"

namespace fjord::study {

/// Has the trials 1 to 1,000,000, each of which takes one result.
class FakeDesk {
 public:
  Desk desk() {
    Desk out;
    out.subjects = [] { return Json{{"subjects", Json::array()}}; };
    out.create = [this](const Cell& cell) -> Result<Json> {
      std::lock_guard guard(mutex_);
      if (cell.subject == "nobody") return fail("there is no subject nobody; there are: tfjs");
      cells.push_back(cell);
      return Json{{"id", 7}};
    };
    out.next = [this] {
      std::lock_guard guard(mutex_);
      ++nexts;
      return Json(nullptr);
    };
    out.trial = [](int64_t id) -> std::optional<Json> {
      if (id > 1'000'000) return {};
      return Json{{"id", id}};
    };
    out.phase = [this](int64_t id, const std::string& phase) -> Status {
      std::lock_guard guard(mutex_);
      phases.emplace_back(id, phase);
      return {};
    };
    out.usage = [this](int64_t id, const std::vector<Sample>& samples) -> Status {
      std::lock_guard guard(mutex_);
      if (results.contains(id)) return fail("trial ", id, " has its result already");
      used[id].insert(used[id].end(), samples.begin(), samples.end());
      return {};
    };
    out.result = [this](int64_t id, const TrialResult& result) -> Status {
      std::lock_guard guard(mutex_);
      if (!results.emplace(id, result).second) return fail("trial ", id, " has its result already");
      return {};
    };
    out.data = [](const std::string& path,
                  const Query& query) -> std::optional<std::pair<std::string, std::string>> {
      if (path != "echo") return {};
      std::string text;
      for (const auto& [name, value] : query) text += cat(name, "=", value, ";");
      return std::pair{text, std::string("application/json")};
    };
    return out;
  }

  std::vector<Cell> cells;
  int nexts = 0;
  std::vector<std::pair<int64_t, std::string>> phases;
  std::map<int64_t, TrialResult> results;
  std::map<int64_t, std::vector<Sample>> used;

 private:
  std::mutex mutex_;
};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "fjord-serve-XXXXXX").string();
    if (!mkdtemp(name.data())) std::abort();
    path_ = std::filesystem::canonical(name).string();
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(*this / name).parent_path());
    std::ofstream(*this / name, std::ios::binary) << text;
  }

 private:
  std::string path_;
};

struct Response {
  int status = 0;                             // 0: there is none
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;

  explicit operator bool() const { return status != 0; }
  std::string field(const std::string& name) const {
    auto found = fields.find(name);
    return found == fields.end() ? "" : found->second;
  }
};

class Client {
 public:
  explicit Client(const Server& server) {
    std::string url = server.url();
    port_ = std::stoi(url.substr(url.rfind(':') + 1));
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval patience{.tv_sec = 30, .tv_usec = 0};
    int on = 1;
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connected_ = connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  Client(Client&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)),
        port_(other.port_),
        connected_(other.connected_),
        buffer_(std::move(other.buffer_)) {}
  ~Client() {
    if (socket_ >= 0) close(socket_);
  }

  bool connected() const { return connected_; }
  int port() const { return port_; }
  std::string host() const { return cat("127.0.0.1:", port_); }

  /// False where the server has closed the connection.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }
  void finish() { shutdown(socket_, SHUT_WR); }

  /// A request with a Host, and a length where it has a body.
  std::string request(const std::string& method, const std::string& target,
                      const std::string& body = "", const std::string& more = "") const {
    std::string out = cat(method, " ", target, " HTTP/1.1\r\nHost: ", host(), "\r\n", more);
    if (!body.empty() || method == "POST" || method == "PUT")
      out += cat("Content-Length: ", body.size(), "\r\n");
    return out + "\r\n" + body;
  }

  Response ask(const std::string& method, const std::string& target, const std::string& body = "",
               const std::string& more = "") {
    send(request(method, target, body, more));
    return read(method == "HEAD");
  }

  /// One answer, or none at the end of the connection. A malformed one fails the test.
  Response read(bool headAlone = false) {
    size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (receive()) continue;
      EXPECT_EQ(buffer_, "") << "the connection ended within a head";
      return {};
    }
    Response out;
    std::string head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    EXPECT_TRUE(head.starts_with("HTTP/1.1 ")) << head;
    out.status = std::atoi(head.c_str() + 9);
    for (size_t at = head.find("\r\n") + 2; at < head.size();) {
      size_t line = head.find("\r\n", at), colon = head.find(": ", at);
      EXPECT_LT(colon, line) << head;
      std::string name = head.substr(at, colon - at);
      for (char& c : name) c = static_cast<char>(std::tolower(c));
      EXPECT_TRUE(out.fields.emplace(name, head.substr(colon + 2, line - colon - 2)).second)
          << head;
      at = line + 2;
    }
    if (headAlone || out.status == 204 || out.status == 304 || out.status < 200) return out;
    size_t length = std::stoull(out.field("content-length"));
    while (buffer_.size() < length && receive()) continue;
    out.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return out;
  }

  /// Whether the server has ended the connection, with nothing more said.
  bool ended() {
    while (receive()) continue;
    return buffer_.empty() && atEnd_;
  }

 private:
  bool receive() {
    char bytes[65536];
    ssize_t count = recv(socket_, bytes, sizeof bytes, 0);
    if (count <= 0) {
      // A reset is an end, too; an expired SO_RCVTIMEO is none.
      atEnd_ = count == 0 || errno == ECONNRESET;
      return false;
    }
    buffer_.append(bytes, static_cast<size_t>(count));
    return true;
  }

  int socket_ = -1, port_ = 0;
  bool connected_ = false, atEnd_ = false;
  std::string buffer_;
};

inline Server startServer(const ServerOptions& options, FakeDesk& desk) {
  Result<Server> server = Server::start(options, desk.desk());
  if (!server) ADD_FAILURE() << server.error().message;
  if (!server) std::abort();
  return std::move(*server);
}

/// A server with a few files, for the tests of one feature each.
class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    folder.write("pages/index.html", "<h1>trials</h1>");
    folder.write("pages/run.js", "run();");
    folder.write("modules/tf/tf.js", "tf = 1;");
    options.folders = {{"/", folder / "pages"}, {"/packages/", folder / "modules"}};
    options.files = folder / "files";
  }
  void start() { server.emplace(startServer(options, fake)); }
  Response ask(const std::string& method, const std::string& target, const std::string& body = "",
               const std::string& more = "") {
    Response response = Client(*server).ask(method, target, body, more);
    EXPECT_TRUE(response) << method << " " << target << ": the connection has ended";
    return response;
  }
  int status(const std::string& method, const std::string& target, const std::string& body = "") {
    return ask(method, target, body).status;
  }

  TemporaryFolder folder;
  ServerOptions options;
  FakeDesk fake;
  std::optional<Server> server;
};

/// The place that an error names.
inline std::string faultAt(const Response& response) {
  Result<Json> json = parseJson(response.body);
  return json ? stringOr(member(*json, "error"), "at", "") : "no JSON";
}

}  // namespace fjord::study
