// For tests: a local HTTP server that answers as it is told, rightly or not. A driver that hangs,
// drops the connection or talks nonsense is one line.
//
//   FakeServer server([](const Heard& heard) { return answer(200, R"({"value": "Title"})"); });
//   auto driver = Driver::at(server.url());
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"

namespace fjord::study {

struct Heard {
  std::string method, path, body;
};

/// The bytes of an answer.
inline std::string answer(int status, const std::string& body,
                          const std::string& type = "application/json",
                          const std::string& headers = "") {
  return cat("HTTP/1.1 ", status, " X\r\nContent-Type: ", type, "\r\n", headers,
             "Content-Length: ", body.size(), "\r\n\r\n", body);
}

class FakeServer {
 public:
  /// Gives the bytes to send before the connection is closed; kHang keeps it open and silent.
  using Answer = std::function<std::string(const Heard&)>;
  static constexpr const char* kHang = "hang";

  explicit FakeServer(Answer answer) : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, any, size) || listen(listener_, 16) || getsockname(listener_, any, &size))
      std::abort();
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeServer() {
    stopped_ = true;
    thread_.join();
    for (int c : hanging_) close(c);
    close(listener_);
  }

  std::string url() const { return cat("http://127.0.0.1:", port_); }

 private:
  /// One connection after the other.
  void serve() {
    while (!stopped_) {
      pollfd waiting{.fd = listener_, .events = POLLIN, .revents = 0};
      if (poll(&waiting, 1, 20) <= 0) continue;
      int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      // A browser opens connections ahead of need, which say nothing.
      timeval patience{.tv_sec = 0, .tv_usec = 200'000};
      setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
      Heard heard = hear(connection);
      std::string bytes = heard.method.empty() ? "" : answer_(heard);
      if (bytes == kHang) {
        hanging_.push_back(connection);
        continue;
      }
      send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      close(connection);
    }
  }

  static Heard hear(int connection) {
    std::string text;
    char block[4096];
    size_t head = std::string::npos, length = 0;
    while (head == std::string::npos || text.size() < head + 4 + length) {
      ssize_t got = recv(connection, block, sizeof block, 0);
      if (got <= 0) return {};
      text.append(block, static_cast<size_t>(got));
      head = text.find("\r\n\r\n");
      size_t at = text.find("Content-Length: ");
      if (at < head) length = static_cast<size_t>(std::atoi(text.c_str() + at + 16));
    }
    size_t space = text.find(' '), next = text.find(' ', space + 1);
    return {text.substr(0, space), text.substr(space + 1, next - space - 1), text.substr(head + 4)};
  }

  Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stopped_ = false;
  std::vector<int> hanging_;
  std::thread thread_;
};

}  // namespace fjord::study
