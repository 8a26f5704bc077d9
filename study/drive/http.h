// One HTTP/1.1 request and its answer, with a deadline: all of HTTP that a WebDriver client needs.
//
//   Result<Endpoint> driver = parseEndpoint("http://127.0.0.1:9515");
//   HttpRequest request{"POST", "/session", R"({"capabilities": {}})"};
//   Result<HttpAnswer> answer = ask(*driver, request, Milliseconds(5000));
//   if (answer && answer->status == 200) .. parseJson(answer->body)
//
// Every request has a connection of its own, so that none is stale. The deadline is for all of it:
// finding the address, connecting, writing, reading. Only http: a driver is on this machine or in
// the same network.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"

namespace fjord::study {

using Milliseconds = std::chrono::milliseconds;

/// Whom to ask: what `path` holds ("" or "/wd/hub") comes before the path of each request.
struct Endpoint {
  std::string host;
  std::string port;
  std::string path;
  /// "127.0.0.1:9515", "[::1]:9515"
  std::string authority() const;
};
Result<Endpoint> parseEndpoint(const std::string& url);

struct HttpRequest {
  std::string method;
  std::string path;
  std::string body;  // JSON, or "" for none
};

struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

/// An error says what did not work, and with whom; passed() tells whether it was the deadline.
Result<HttpAnswer> ask(const Endpoint& endpoint, const HttpRequest& request, Milliseconds deadline);

/// A port of this machine on which nothing listens.
Result<int> freePort();

/// Whether an error of ask() is that the deadline passed.
bool passed(const Error& error);

}  // namespace fjord::study
