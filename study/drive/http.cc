#include "drive/http.h"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>

namespace fjord::study {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using Code = boost::system::error_code;

constexpr std::string_view kNoAnswer = "no answer within ";

/// A screenshot of a large window is some megabytes; what is longer than this is no answer of a
/// driver.
constexpr uint64_t kLargestAnswer = 256 << 20;

/// One request under way. Each step starts the next one; `context_` runs them until the answer is
/// there or the time is up, and takes what is left of them with it.
class Call {
 public:
  Call(const Endpoint& endpoint, const HttpRequest& request) : endpoint_(endpoint) {
    message_.method_string(request.method);
    message_.target(endpoint.path + request.path);
    message_.set(http::field::host, endpoint.authority());
    message_.set(http::field::accept, "application/json");
    message_.keep_alive(false);
    message_.body() = request.body;
    if (!request.body.empty())
      message_.set(http::field::content_type, "application/json; charset=utf-8");
    message_.prepare_payload();
    parser_.body_limit(kLargestAnswer);
  }

  /// nullopt: the deadline passed.
  std::optional<Result<HttpAnswer>> run(Milliseconds deadline) {
    resolve();
    context_.run_for(deadline);
    return std::move(result_);
  }

 private:
  void resolve() {
    resolver_.async_resolve(endpoint_.host, endpoint_.port, [this](Code code, const auto& found) {
      if (isFine(code, "no address is known for")) connect(found);
    });
  }
  void connect(const tcp::resolver::results_type& found) {
    asio::async_connect(socket_, found, [this](Code code, const tcp::endpoint&) {
      if (isFine(code, "no connection to")) write();
    });
  }
  void write() {
    http::async_write(socket_, message_, [this](Code code, size_t) {
      if (isFine(code, "the request was not taken by")) read();
    });
  }
  void read() {
    http::async_read(socket_, buffer_, parser_, [this](Code code, size_t) {
      if (!isFine(code, "no whole answer from")) return;
      result_ = HttpAnswer{parser_.get().result_int(), std::move(parser_.get().body())};
    });
  }

  bool isFine(Code code, const char* what) {
    if (code) result_ = fail(what, " ", endpoint_.authority(), " (", code.message(), ")");
    return !code;
  }

  Endpoint endpoint_;
  http::request<http::string_body> message_;
  http::response_parser<http::string_body> parser_;
  boost::beast::flat_buffer buffer_;
  std::optional<Result<HttpAnswer>> result_;
  asio::io_context context_;
  tcp::resolver resolver_{context_};
  tcp::socket socket_{context_};
};

bool isPort(const std::string& text) {
  bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  return digits && !text.empty() && text.size() <= 5 && std::stoi(text) <= 65535;
}

}  // namespace

std::string Endpoint::authority() const {
  bool isV6 = host.find(':') != std::string::npos;
  return isV6 ? cat("[", host, "]:", port) : cat(host, ":", port);
}

Result<Endpoint> parseEndpoint(const std::string& url) {
  auto wrong = [&](const char* why) {
    return fail("\"", url, "\" is no address of a driver: ", why,
                "; it looks like http://127.0.0.1:4444 or http://host:4444/wd/hub");
  };
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return wrong("only http:// is spoken");
  size_t slash = url.find('/', kScheme.size());
  std::string authority = url.substr(kScheme.size(), slash - kScheme.size());
  Endpoint out;
  if (slash != std::string::npos) out.path = url.substr(slash);
  while (out.path.ends_with('/')) out.path.pop_back();
  if (url.find_first_of("?# \t\r\n") != std::string::npos) return wrong("only a path may follow");
  if (authority.find('@') != std::string::npos)
    return wrong("names and passwords are not supported");

  // An address of IPv6 has colons of its own, and brackets around them.
  size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
  if (bracket == std::string::npos) return wrong("the bracket is never closed");
  size_t colon = authority.find(':', bracket);
  if (bracket && std::min(colon, authority.size()) != bracket + 1)
    return wrong("something follows the bracket");
  out.host = authority.substr(0, colon);
  if (bracket) out.host = authority.substr(1, bracket - 1);
  out.port = colon == std::string::npos ? "80" : authority.substr(colon + 1);
  if (out.host.empty()) return wrong("the host is missing");
  if (!isPort(out.port)) return wrong("the port is not a number up to 65535");
  return out;
}

Result<HttpAnswer> ask(const Endpoint& endpoint, const HttpRequest& request,
                       Milliseconds deadline) {
  try {
    if (auto result = Call(endpoint, request).run(deadline)) return std::move(*result);
  } catch (const std::exception& e) {
    // What Boost throws here is that the machine has no sockets or memory left.
    return fail("no connection to ", endpoint.authority(), " (", e.what(), ")");
  }
  return fail(kNoAnswer, static_cast<double>(deadline.count()) / 1000, " s");
}

Result<int> freePort() {
  try {
    asio::io_context context;
    return tcp::acceptor(context, {asio::ip::address_v4::loopback(), 0}).local_endpoint().port();
  } catch (const std::exception& e) {
    return fail("no port of this machine is free (", e.what(), ")");
  }
}

bool passed(const Error& error) { return error.message.starts_with(kNoAnswer); }

}  // namespace fjord::study
