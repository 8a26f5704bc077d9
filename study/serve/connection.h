// One client: its requests are read one after another, checked, and answered. A client that is slow
// or makes mistakes is hung up on; what it does is nobody else's concern.
//
//   auto connection = std::make_shared<Connection>(std::move(socket), site);
//   co_spawn(executor, connection->serve(), ..);
//
// Bodies have a Content-Length: a Transfer-Encoding is answered with 411, so there are no two ways
// to say where a request ends. A request that cannot be read is answered with 400 (431 where its
// head is too long) and the end of the connection.
#pragma once

// Asio 1.74 has coroutines, but does not know this compiler's, and leaves out a header that they
// need, which has to come first.
//
// clang-format off
#define BOOST_ASIO_HAS_CO_AWAIT 1
#include <utility>
#include <boost/asio/awaitable.hpp>
// clang-format on

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <memory>
#include <optional>
#include <string>

#include "serve/api.h"
#include "serve/files.h"
#include "serve/gate.h"
#include "serve/server.h"

namespace fjord::study {

/// What all connections share.
struct Site {
  ServerOptions options;
  Desk desk;
  Folders folders;
  Gate gate;
  std::atomic<bool> stopping = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  template <class T>
  using Awaitable = boost::asio::awaitable<T>;

  Connection(Socket socket, const Site& site);

  /// Until the client leaves or is hung up on.
  Awaitable<void> serve();
  /// 503: there are too many.
  Awaitable<void> turnAway();
  /// Ends it if it waits for a request; otherwise it ends after its answer. From any thread.
  void stop();

 private:
  using ErrorCode = boost::beast::error_code;
  using Head = boost::beast::http::request_parser<boost::beast::http::empty_body>;

  struct Answer {
    Reply reply;
    std::optional<File> file;  // in place of the reply's body
    bool cookie = false;       // the client's token is to be kept
    bool whole = false;        // all of the request has been read: another may follow
    bool profiled = false;     // the page may use the browser's profiler
  };

  Awaitable<bool> serveOne();
  Awaitable<ErrorCode> readHead(Head& head);
  Awaitable<Answer> answerTo(Head& head);
  Awaitable<Reply> take(Head& head, std::string name, bool& whole);
  template <class Body>
  Awaitable<std::optional<Fault>> readBody(boost::beast::http::request_parser<Body>& parser,
                                           uint64_t most);
  Awaitable<bool> send(const Answer& answer, bool headAlone, bool keep);
  Awaitable<void> hangUp();

  std::string headOf(const Answer& answer, uint64_t size, bool keep) const;

  const Site& site_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  bool reading_ = false;  // waits for a request, or for the rest of its head
};

}  // namespace fjord::study
